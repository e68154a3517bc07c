"""Ranges that settings draw from, checked when the settings are made."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

N = TypeVar("N", int, float)


def _ascending(pair: tuple[N, N]) -> tuple[N, N]:
    if pair[0] > pair[1]:
        raise ValueError(f"a range runs from low to high, but {pair[0]} is above {pair[1]}")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
"""Drawn evenly from low to high; where both are equal, nothing is drawn."""

Whole = Annotated[tuple[int, int], AfterValidator(_ascending)]
"""Whole numbers, drawn evenly from low to high, both included."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""How often something happens, 0-1."""
