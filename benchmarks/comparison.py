"""Two results documents side by side: what differs, and how sure that is."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from benchmarks.document import Document, Interval
from benchmarks.gate import identity
from benchmarks.results import Results
from benchmarks.row import Row
from benchmarks.slowdown import TOLERANCE, Direction, Finding, anchor_of, slowdown
from core.errors import InputError


class RowChange(Document):
    """One row that both documents have."""

    artifact: str
    method: str
    device: str
    runtime: str
    a_ms: float = Field(description="p50")
    b_ms: float
    a_anchors: float | None = Field(description="p50 over the anchor's")
    b_anchors: float | None
    change: float | None = Field(description="B over A, each over its anchor of the same rounds")
    interval: Interval | None = Field(description="95 %")
    verdict: Direction
    reason: str | None
    peak_change_bytes: int | None = Field(description="B less A; null where either was not measured")


class Comparison(Document):
    """B against A."""

    a: str
    b: str
    same_cpu: bool
    a_cpu: str
    b_cpu: str
    through: Literal["ratios to the anchor"] = "ratios to the anchor"
    tolerance: float = Field(description="a change within it is what two runs of one program differ by")
    rows: tuple[RowChange, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


def refuse_other_cpu(option: str, other: Results, here: str, *, advice: str) -> None:
    """InputError where `other` was measured on another CPU model than `here`."""
    if other.machine.cpu != here:
        raise InputError(
            f"{option}: measured on {other.machine.cpu!r}, not on {here!r}: times do not compare; {advice}"
        )


def compare(a: Results, b: Results, *, files: tuple[Path, Path], ratios: bool) -> Comparison:
    """What B differs by from A. InputError where the CPU models differ and `ratios` does not allow it."""
    if not ratios:
        advice = "add --ratios to compare through the anchor alone"
        refuse_other_cpu(str(files[1]), b, a.machine.cpu, advice=advice)
    old = {identity(row): row for row in a.rows if row.kind == "measured"}
    new = {identity(row): row for row in b.rows if row.kind == "measured"}
    shared = [key for key in old if key in new]
    if not shared:
        raise InputError(f"{files[0]} and {files[1]} have no row in common; give results of the same artefacts")
    return Comparison(
        a=str(files[0]),
        b=str(files[1]),
        same_cpu=a.machine.cpu == b.machine.cpu,
        a_cpu=a.machine.cpu,
        b_cpu=b.machine.cpu,
        tolerance=TOLERANCE,
        rows=tuple(
            _row_change(
                old[key],
                new[key],
                (anchor_of(a.rows, old[key].device), anchor_of(b.rows, new[key].device)),
                same_cpu=a.machine.cpu == b.machine.cpu,
            )
            for key in shared
        ),
        only_a=tuple(_name(row) for key, row in old.items() if key not in new),
        only_b=tuple(_name(row) for key, row in new.items() if key not in old),
    )


def _row_change(a: Row, b: Row, anchors: tuple[Row | None, Row | None], *, same_cpu: bool) -> RowChange:
    found = slowdown(a, b, anchors, same_cpu=same_cpu)
    if a.artifact == "anchor":
        found = Finding(told=None, direction="undecided", reason="what all others are measured by")
    told = found.told
    peaks = (a.peak_rss_bytes, b.peak_rss_bytes)
    return RowChange(
        artifact=a.artifact,
        method=a.method,
        device=a.device,
        runtime=a.runtime,
        a_ms=a.times.p50,
        b_ms=b.times.p50,
        a_anchors=a.ratio_to_anchor,
        b_anchors=b.ratio_to_anchor,
        change=None if told is None else told.value,
        interval=None if told is None else (told.low, told.high),
        verdict=found.direction,
        reason=found.reason,
        peak_change_bytes=None if peaks[0] is None or peaks[1] is None else peaks[1] - peaks[0],
    )


def _name(row: Row) -> str:
    return f"{row.artifact} {row.method} on {row.device}"
