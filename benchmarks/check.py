"""One figure held to one limit, as results.json keeps it."""

from typing import Literal, get_args

from pydantic import Field

from benchmarks.document import Document, Interval

Quantity = Literal["frame_ms", "frame_anchors", "peak_bytes", "size_bytes", "cold_load_ms", "times_baseline"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

Outcome = Literal["holds", "open", "short", "undecided", "elsewhere"]


class Check(Document):
    """One figure held to one limit."""

    subject: str = Field(description="artefact, or artefact and method")
    target: str | None = Field(description="id of the device whose budget it is; null for a baseline")
    quantity: Quantity
    limit: float
    value: float | None
    interval: Interval | None = Field(description="95 %; null where the figure is exact, or was taken once")
    outcome: Outcome = Field(
        description="`open`: the limit lies in the interval, so nothing is shown; "
        "`undecided`: measured, and not well enough; "
        "`elsewhere`: only the device itself can tell"
    )
    reason: str | None = None

    @property
    def fails(self) -> bool:
        """Whether a gate stops at it: what was not shown does not hold."""
        return self.outcome in ("short", "undecided")
