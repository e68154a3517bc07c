"""What tests of every package share."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.line import Line

# A slow machine is no fault of the code: speed belongs to benchmarks.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real footage (`asl/`, `grid/`, `other/`): MEGATRON_CLIPS, or ../shared/clips."""
    folder = Path(os.environ.get("MEGATRON_CLIPS", PROJECT.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip(f"real footage is missing: {folder} is no folder; set MEGATRON_CLIPS to where the clips are")
    return folder


@pytest.fixture(scope="module")
def shallow() -> Iterator[None]:
    """See `tests.shallow`; for a module that marks itself with it."""
    from tests.shallow import shallow_trunks

    with shallow_trunks():
        yield


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> "Line":
    """Every stage run once, on a small corpus, by whichever worker needs it first; the others wait for it.

    Below MEGATRON_LINE where that names a folder, for whoever goes on with what the line left.
    """
    from tests.line import line_below, run_the_line

    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "line"
    folder = Path(os.environ.get("MEGATRON_LINE", shared))
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            run_the_line(folder)
            (folder / "done").touch()
    return line_below(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The line takes longest and begins; whoever else needs it comes last, so that nobody waits."""
    places = {"test_line.py": 0, "test_quickstart.py": 0, "test_line_detect.py": 2, "test_jvm.py": 2}
    items.sort(key=lambda item: places.get(item.path.name, 1))
