"""Some of many, evenly spaced."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Row = TypeVar("Row")


def evenly_spaced(rows: Sequence[Row], most: int) -> list[Row]:
    """At most `most` of `rows` in their order, the first and the last among them; all where there are no more."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(place)] for place in np.linspace(0, len(rows) - 1, most)]
