"""Axes of the report's charts: where numbers stand, in per cent of the width."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tick:
    at: float
    """Per cent of the width."""
    label: str


class Scale:
    """Logarithmic, from a power of ten, or 2 or 5 times it, to another."""

    def __init__(self, values: Sequence[float]) -> None:
        steps = [base * 10.0**power for power in range(-6, 9) for base in (1, 2, 5)]
        low = max(step for step in steps if step <= min(values) * 1.0001)
        high = min(step for step in steps if step >= max(values) * 0.9999)
        high = high if high > low else steps[steps.index(low) + 1]
        self._low, self._span = math.log(low), math.log(high / low)
        inside = [step for step in steps if low <= step <= high]
        # Letters need room: powers of ten alone where there are many.
        self._steps = inside if len(inside) <= 6 else [step for step in inside if f"{step:e}".startswith("1")]

    def at(self, value: float) -> float:
        """Per cent of the width."""
        return round(100 * (math.log(value) - self._low) / self._span, 3)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Where numbers stand."""
        return tuple(Tick(at=self.at(step), label=f"{step:,g}") for step in self._steps)


def even_ticks(longest: float) -> tuple[Tick, ...]:
    """Four or five even numbers from 0 on."""
    raw = longest / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(base * power for base in (1, 2, 5, 10) if base * power >= raw)
    return tuple(
        Tick(at=round(100 * place * step / longest, 3), label=f"{place * step:,g}")
        for place in range(int(longest / step) + 1)
    )
