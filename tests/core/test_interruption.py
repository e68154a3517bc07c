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
from core.store import BASE_PREFIX, ClipStore
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


KILLED_INSIDE = """
import os, signal, sys
from pathlib import Path
from core import store
from core.prepare import PrepareSettings, prepare
from tests.core.corpora import corpus_of

if __name__ == "__main__":
    # One picture a transaction, and the end after so many: in the middle of a video.
    store.CHUNK_BYTES = 1
    put, left = store.ClipStore._writing, [int(sys.argv[3])]

    def writing(self, what):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return put(self, what)

    store.ClipStore._writing = writing
    settings = PrepareSettings(forgeries=("self_blend", "swap"))
    prepare(corpus_of(Path(sys.argv[1])), Path(sys.argv[2]), settings, workers=0)
"""


def test_after_a_kill_in_the_middle_of_a_video_nothing_of_it_is_left_over(
    folder: Path, whole: dict[bytes, bytes], tmp_path: Path
) -> None:
    killed = run(KILLED_INSIDE, folder, tmp_path / "store", 14)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = raw(tmp_path / "store")
    owners = {key.split(b"/")[1] for key in left if key.startswith((b"base/", b"record/"))}
    assert any(key.startswith(b"crop/") and key.split(b"/")[1] not in owners for key in left)

    prepare(corpus_of(folder), tmp_path / "store", SETTINGS, workers=0)

    assert raw(tmp_path / "store") == whole


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


@pytest.mark.parametrize(("limit", "videos"), [(30_000, 0), (1_500_000, 1)])
def test_a_full_disk_is_one_line_and_the_store_stays_readable(
    folder: Path, tmp_path: Path, limit: int, videos: int
) -> None:
    # A limit on the size of files stands for the disk: writing beyond it fails as on a full one.
    full = run(FULL, folder, tmp_path / "store", limit)

    assert full.returncode == 1, full.stderr
    (line,) = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert "what was written before stays readable" in line
    assert "Traceback" not in full.stderr
    with ClipStore.read(tmp_path / "store") as store:
        bases = list(store.each_record(BASE_PREFIX))
        assert len(bases) >= videos
        for base in bases:
            assert all(store.crop(base, index)[0].size for index, s in enumerate(base.samples) if s.kept)
        with pytest.raises(InputError, match="was not finished"):
            _ = store.fingerprint
