"""One small package with weights in a file of their own, and copies of it to be damaged."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.coreml.packages import save_program

WEIGHT = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`main(x)`: float32 [2, 8] -> float32 [2, 3], a linear layer of `WEIGHT` and the GELU of it."""

    def build(mb: Any, x: Any) -> Sequence[Any]:
        return [mb.gelu(x=mb.linear(x=x, weight=WEIGHT), name="activated")]

    return save_program(build, {"x": (2, 8)}, tmp_path_factory.mktemp("written") / "small.mlpackage")


@pytest.fixture
def package(written: Path, tmp_path: Path) -> Path:
    """A copy of `written`."""
    return Path(shutil.copytree(written, tmp_path / "small.mlpackage"))
