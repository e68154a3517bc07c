"""A preparation that is killed, or runs out of disk: nothing is lost, and the next one ends the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InputError
from core.prepare import SHELVES, PrepareSettings, prepare
from core.store import ClipStore
from tests.core.corpora import corpus_of, raw

SETTINGS = PrepareSettings(forgeries=("self_blend", "swap"))
ROOT = Path(__file__).parents[2]

KILLED = """
import os, signal, sys
from pathlib import Path
from core.prepare import prepare
from core.prepare import PrepareSettings
from tests.core.corpora import corpus_of

def kill(done, of):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    settings = PrepareSettings(forgeries=("self_blend", "swap"))
    prepare(corpus_of(Path(sys.argv[1])), Path(sys.argv[2]), settings, workers=2, on_progress=kill)
"""

FULL = """
import resource, sys
from pathlib import Path
from core.command_line import run_command
from core.commands import Prepare

if __name__ == "__main__":
    limit = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.exit(run_command(Prepare, "prepare", [sys.argv[1], "--store", sys.argv[2], "--workers", "1", "--forge"]))
"""


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(talking_head: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real videos of three people."""
    corpus = tmp_path_factory.mktemp("interruption") / "corpus"
    for number, name in enumerate(("anna", "bert", "carl")):
        talking_head(corpus / f"home/{name}_1.mp4", frames=6, seed=number)
    return corpus


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[bytes, bytes]:
    """What an uninterrupted preparation stores."""
    store = tmp_path_factory.mktemp("whole") / "store"
    prepare(corpus_of(folder), store, SETTINGS, workers=0)
    return raw(store)


# The three videos are 1 to 3, the nine clips made of them 4 to 12.
@pytest.mark.parametrize("step", [1, 5])
def test_after_a_kill_the_next_run_ends_with_the_store_of_an_uninterrupted_one(
    folder: Path, whole: dict[bytes, bytes], tmp_path: Path, step: int
) -> None:
    killed = run(KILLED, folder, tmp_path / "store", step)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert b"complete" not in raw(tmp_path / "store")
    assert len(raw(tmp_path / "store")) > 2

    summary = prepare(corpus_of(folder), tmp_path / "store", SETTINGS, workers=0)

    assert raw(tmp_path / "store") == whole
    assert summary.reused == min(step, 3)
    assert not (tmp_path / "store" / SHELVES).exists()


@pytest.mark.parametrize("limit", [30_000, 250_000])
def test_a_full_disk_is_one_line_and_the_store_stays_readable(
    folder: Path, whole: dict[bytes, bytes], tmp_path: Path, limit: int
) -> None:
    # A limit on the size of files stands for the disk: writing beyond it fails as on a full one.
    full = run(FULL, folder, tmp_path / "store", limit)

    assert full.returncode == 1
    (line,) = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert "what was written before stays readable" in line
    assert "Traceback" not in full.stderr
    with ClipStore.write(tmp_path / "store", raw_settings(tmp_path / "store")) as store:
        assert all(record.samples for record in store.each_record())
        with pytest.raises(InputError, match="was not finished"):
            _ = store.fingerprint


def raw_settings(store: Path) -> dict[str, object]:
    """The settings that a store was begun with, without its format."""
    import json

    data = raw(store).get(b"settings")
    settings = json.loads(data) if data else {}
    return {name: value for name, value in settings.items() if name != "format"}
