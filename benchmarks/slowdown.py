"""Whether a row is slower than its counterpart of another run, and what would make that answer worthless."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.row import Row
from benchmarks.statistics import LEAST_ROUNDS, Uncertain, change, contradiction

TOLERANCE = 0.03
"""How much slower a row may be than its baseline: what two runs of one program differ by, for no reason of its own."""

ALIKE = 1.5
"""How many times longer the anchor may take in one of two runs on one CPU model. A busy machine slows long calls on
several threads more than short ones, and then ratios to the anchor change by themselves."""

Direction = Literal["slower", "faster", "no difference shown", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What two rows differ by."""

    told: Uncertain | None
    """Times the earlier row, through ratios to the anchor; None where undecided."""
    direction: Direction
    reason: str | None


def slowdown(before: Row, after: Row, anchors: tuple[Row | None, Row | None], *, same_cpu: bool = True) -> Finding:
    """How `after` differs from `before`; `anchors` are those of their runs, None where the runs are one.

    Between noisy rows the interval also holds the change of their medians. A difference counts when the whole interval
    lies beyond TOLERANCE, and, between two runs on one CPU model, when the row's own median moved the same way: else it
    is the anchor that changed. Where the anchors are not ALIKE, none is shown.
    """
    unlike = _unlike(anchors) if same_cpu else None
    if unlike is not None:
        return Finding(told=None, direction="no difference shown", reason=unlike)
    reason = None
    for row, side in ((before, "earlier"), (after, "later")):
        fault = contradiction(row)
        # A busy machine explains it; on a quiet one the document was changed.
        if reason is None and fault is not None and not row.noisy:
            reason = f"the {side} row: {fault}"
    told = change(before.rounds, after.rounds) if reason is None else None
    if told is None:
        return Finding(
            told=None,
            direction="undecided",
            reason=reason or f"fewer than {LEAST_ROUNDS} rounds: measure longer, without --quick",
        )
    if (before.noisy or after.noisy) and before.ratio_to_anchor and after.ratio_to_anchor:
        told = told.including(after.ratio_to_anchor / before.ratio_to_anchor)
    direction: Direction = "no difference shown"
    if told.low > 1 + TOLERANCE:
        direction = "slower"
    elif told.high < 1 / (1 + TOLERANCE):
        direction = "faster"
    own = after.times.p50 / before.times.p50
    one_run = None in anchors
    confirmed = own > 1 + TOLERANCE if direction == "slower" else own < 1 / (1 + TOLERANCE)
    if direction == "no difference shown" or confirmed or one_run or not same_cpu:
        return Finding(told=told, direction=direction, reason=None)
    reason = (
        f"{direction} than the anchor alone: the row itself took {before.times.p50:.3g}, then {after.times.p50:.3g} ms"
    )
    return Finding(told=told, direction="no difference shown", reason=reason)


def anchor_of(rows: Sequence[Row], device: str) -> Row | None:
    """The anchor's row on `device`."""
    return next((row for row in rows if row.artifact == "anchor" and row.device == device), None)


def _unlike(anchors: tuple[Row | None, Row | None]) -> str | None:
    before, after = anchors
    if before is None or after is None or before.latency_ms is None or after.latency_ms is None:
        return None
    first, second = before.times.p50, after.times.p50
    if max(first, second) <= ALIKE * min(first, second):
        return None
    return f"the anchor took {first:.3g} ms, then {second:.3g} ms: a busy machine"
