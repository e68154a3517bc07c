"""What tests of every package share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.line import Line

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real footage (`asl/`, `grid/`, `other/`): MEGATRON_CLIPS, or ../shared/clips."""
    folder = Path(os.environ.get("MEGATRON_CLIPS", PROJECT.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip(f"real footage is missing: {folder} is no folder; set MEGATRON_CLIPS to where the clips are")
    return folder


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> "Line":
    """Every stage run once, on a small corpus; mark its tests `xdist_group("line")`, so that one worker makes it."""
    from tests.line import run_the_line

    return run_the_line(tmp_path_factory.mktemp("line"))
