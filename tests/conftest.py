"""What tests of every package share."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real footage (`asl/`, `grid/`, `other/`): MEGATRON_CLIPS, or ../shared/clips."""
    folder = Path(os.environ.get("MEGATRON_CLIPS", PROJECT.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip(f"real footage is missing: {folder} is no folder; set MEGATRON_CLIPS to where the clips are")
    return folder
