"""What a test of one operator consists of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

GENERATOR = np.random.default_rng(0)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call of an operator: `build(mb, *inputs, *weights)` writes it, `expected(*inputs, *weights)` computes it."""

    op: str
    build: Callable[..., Any]
    expected: Callable[..., Tensor | Sequence[Tensor]]
    shapes: tuple[tuple[int, ...], ...] = ((2, 3, 4),)
    weights: tuple[npt.NDArray[Any], ...] = ()
    positive: bool = False
    """Whether the inputs are drawn from 0.1 to 2 instead of around 0."""
    target: str = "iOS18"


def number(value: float) -> npt.NDArray[np.float32]:
    """A constant scalar."""
    return np.array(value, np.float32)


def normal(*shape: int) -> npt.NDArray[np.float32]:
    return GENERATOR.normal(size=shape).astype(np.float32)
