"""Geometry of the report's charts, in per cent of their width, so that their letters keep their size on a phone.

The page draws them as SVG; what they show stands in a table beside each, and in words in its description.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.axes import Scale, Tick, even_ticks
from benchmarks.detail_sheets import one_an_artifact
from benchmarks.reference_result import Stage
from benchmarks.results import Results
from benchmarks.row import QUANTILES, Latency
from benchmarks.sheets import frame_ms, title_of, where_of
from benchmarks.subject import Subject
from benchmarks.wording import megabytes, milliseconds, share

PALETTE = 8
"""Colours that the page has for the parts of a bar."""

NEAR = 7.0
"""Per cent of the plot within which two dots' numbers would cover each other."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One row's distribution: ends, middle half and median, in per cent of the width."""

    label: str
    runtime: str
    figure: str
    low: float
    quarter: float
    half: float
    three_quarters: float
    p90: float
    p99: float
    doubtful: bool


@dataclass(frozen=True, kw_only=True)
class Part:
    """A piece of a bar."""

    label: str
    figure: str
    at: float
    width: float
    colour: int


@dataclass(frozen=True, kw_only=True)
class Bar:
    label: str
    figure: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Dot:
    label: str
    figure: str
    x: float
    y: float
    """Per cent of the height, from above."""
    role: str
    lift: int
    """How many lines its number stands above it, so that neighbours' numbers do not cover each other."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Any of the three kinds: strips, bars or dots over one axis."""

    title: str
    text: str
    """What it shows, in words."""
    axis: str
    ticks: tuple[Tick, ...]
    strips: tuple[Strip, ...] = ()
    bars: tuple[Bar, ...] = ()
    dots: tuple[Dot, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    y_axis: str = ""

    @property
    def legend(self) -> list[tuple[int, str]]:
        """Colour and name of every part of the bars, once each."""
        return list(dict.fromkeys((part.colour, part.label) for bar in self.bars for part in bar.parts))


def latency_chart(results: Results) -> Chart | None:
    """Distributions of all measured rows on one logarithmic axis; None without any."""
    rows = [(row, row.latency_ms) for row in results.rows if row.latency_ms is not None]
    if not rows:
        return None
    scale = Scale([end for _, latency in rows for end in (latency.min, latency.p99)])
    strips = []
    for row, latency in rows:
        quarter, three_quarters = _quarters(latency)
        strips.append(
            Strip(
                label=f"{row.artifact} {row.method}",
                runtime=f"{row.runtime} {row.delegate}{where_of(row)}",
                figure=f"{milliseconds(latency.p50)} ms",
                low=scale.at(latency.min),
                quarter=scale.at(quarter),
                half=scale.at(latency.p50),
                three_quarters=scale.at(three_quarters),
                p90=scale.at(latency.p90),
                p99=scale.at(latency.p99),
                doubtful=bool(row.doubts),
            )
        )
    said = "; ".join(f"{strip.label}, {strip.runtime} {strip.figure}" for strip in strips)
    return Chart(
        title="Latency distributions",
        text=f"Milliseconds a call on a logarithmic axis, medians: {said}.",
        axis="ms a call, logarithmic",
        ticks=scale.ticks,
        strips=tuple(strips),
    )


def stage_chart(
    title: str, pipelines: Mapping[str, tuple[str, Mapping[str, Stage]]], *, stage_names: Sequence[str]
) -> Chart:
    """Bars of mean milliseconds a frame, stage by stage, on one linear axis; {id: (title, stages)}.

    A stage has the colour of its place in `stage_names`.
    """
    totals = {name: sum(stage.mean for stage in stages.values()) for name, (_, stages) in pipelines.items()}
    longest = max(totals.values())
    bars = []
    for name, (words, stages) in pipelines.items():
        values = [(stage, ms.mean, f"{milliseconds(ms.mean)} ms") for stage, ms in stages.items()]
        bars.append(_bar(words, f"{milliseconds(totals[name])} ms", values, longest, stage_names))
    said = "; ".join(
        f"{bar.label} {bar.figure}: " + ", ".join(f"{p.label} {p.figure}" for p in bar.parts) for bar in bars
    )
    return Chart(
        title=title,
        text=f"Mean milliseconds a frame. {said}.",
        axis="ms a frame",
        ticks=even_ticks(longest),
        bars=tuple(bars),
    )


def memory_chart(results: Results) -> Chart | None:
    """What loading and running each artefact added to its process; None where no memory was measured."""
    bars, longest = [], 0.0
    names = ["by loading", "by running"]
    measured = []
    for row in one_an_artifact(results):
        memory = row.memory
        if memory is None or memory.added is None or memory.before_load is None:
            continue
        loaded = min(max(0, (memory.after_load or memory.before_load) - memory.before_load), memory.added)
        label = row.artifact if row.device == "host" else f"{row.artifact}, {row.device}"
        measured.append((label, memory.added, loaded, memory.added - loaded))
        longest = max(longest, memory.added / 1e6)
    if not longest:
        return None
    for label, added, loaded, run in measured:
        values = [(name, size / 1e6, f"{megabytes(size)} MB") for name, size in zip(names, (loaded, run), strict=True)]
        bars.append(_bar(label, f"{megabytes(added)} MB", values, longest, names))
    said = "; ".join(f"{bar.label} {bar.figure}" for bar in bars)
    return Chart(
        title="Memory that each artefact adds",
        text=f"Megabytes above the same process before loading, at the peak: {said}.",
        axis="MB above the process before loading",
        ticks=even_ticks(longest),
        bars=tuple(bars),
    )


def accuracy_chart(subject: Subject, results: Results) -> Chart | None:
    """AUC over the cost of a frame, of every artefact that has both, and the teacher; None where none has."""
    points = [
        (title_of(one, subject), one.auc, cost, "student")
        for one in subject.artifacts
        if one.auc is not None and (cost := frame_ms(results, one.path, subject.hop)) is not None
    ]
    teacher = frame_ms(results, "teacher", subject.hop)
    if subject.teacher is not None and subject.teacher.auc is not None and teacher is not None:
        points.append(("teacher, torch float32", subject.teacher.auc, teacher, "teacher"))
    if not points:
        return None
    scale = Scale([cost for _, _, cost, _ in points])
    lowest = min(0.9, math.floor(10 * min(auc for _, auc, _, _ in points)) / 10)
    dots: list[Dot] = []
    for label, auc, cost, role in points:
        x, y = scale.at(cost), round(100 * (1 - auc) / (1 - lowest), 3)
        near = sum(abs(dot.x - x) < NEAR and abs(dot.y - y) < NEAR for dot in dots)
        figure = f"{share(auc)} at {milliseconds(cost)} ms"
        dots.append(Dot(label=label, figure=figure, x=x, y=y, role=role, lift=near))
    said = "; ".join(f"{dot.label}: AUC {dot.figure}" for dot in dots)
    return Chart(
        title="Accuracy against latency",
        text=f"AUC over milliseconds a frame, logarithmic. {said}.",
        axis="ms a frame, logarithmic",
        ticks=scale.ticks,
        dots=tuple(dots),
        y_ticks=tuple(Tick(at=100.0 * step / 4, label=f"{1 - (1 - lowest) * step / 4:.3g}") for step in range(5)),
        y_axis="AUC",
    )


def _bar(
    label: str, figure: str, values: Sequence[tuple[str, float, str]], longest: float, names: Sequence[str]
) -> Bar:
    parts, at = [], 0.0
    for name, value, told in values:
        width = 100 * value / longest
        colour = names.index(name) % PALETTE
        parts.append(Part(label=name, figure=told, at=round(at, 3), width=round(width, 3), colour=colour))
        at += width
    return Bar(label=label, figure=figure, parts=tuple(parts))


def _quarters(latency: Latency) -> tuple[float, float]:
    if latency.quantiles is None:
        return latency.min, latency.p90
    return latency.quantiles[QUANTILES.index(25)], latency.quantiles[QUANTILES.index(75)]
