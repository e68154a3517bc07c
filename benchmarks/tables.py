"""What a person reads on the terminal, drawn from the documents on disk."""

from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.sheets import Sheet

if TYPE_CHECKING:
    from benchmarks.boxes import BoxStability
    from benchmarks.preparation import PreparationReport


def table(sheet: Sheet) -> Table:
    """`sheet` for the terminal, its note below it."""
    drawn = Table(*sheet.columns, caption=sheet.note)
    for place, column in enumerate(drawn.columns):
        # A name that is cut off is no name.
        column.overflow = "fold"
        column.justify = "right" if place in sheet.numeric else "left"
    for row in sheet.rows:
        drawn.add_row(*row)
    return drawn


def preparation_table(report: "PreparationReport") -> Table:
    """Preparation against the reference's way."""
    table = Table("", "measured", "meaning")
    table.columns[1].justify = "right"
    table.add_row("videos, frames", f"{report.videos}, {report.frames}", "each decoded, on both sides")
    table.add_row("reference", f"{report.reference_s:.1f} s", "dlib on every frame at full resolution, one process")
    table.add_row("prepare, 2 workers", f"{report.prepare_s:.1f} s", f"{report.speedup:.1f} times faster")
    one_worker = f"{report.speedup_one_worker:.1f} times faster"
    table.add_row("prepare, 1 worker", f"{report.prepare_one_worker_s:.1f} s", one_worker)
    table.add_row("recall", _share(report.recall), "of dlib's boxes, matched by ours at IoU 0.5")
    table.add_row("false rate", _share(report.false_rate), "of our boxes, without one of dlib's within 10 frames")
    for stage, share in report.stages_share.items():
        table.add_row(f"  {stage}", f"{share:.1%}", "of the workers' time")
    if report.worker_peak_bytes is not None:
        table.add_row("memory", f"{report.worker_peak_bytes / 1e6:.0f} MB", "anonymous, the largest worker's peak")
    if report.memory is not None and report.memory.growth is not None:
        meaning = f"of the peak of all processes, for {report.memory.copies} times as many videos"
        table.add_row("memory growth", f"{report.memory.growth:+.1%}", meaning)
    cache = report.cache
    table.add_row(
        "embedding cache",
        f"{cache.size_bytes / 1e6:.2f} MB",
        f"{cache.clips} clips, read at {cache.clips_per_s:,.0f}/s",
    )
    machine = report.machine
    table.caption = f"{machine.cpu}, {machine.cores} cores, load {machine.load_average[0]:.1f} before"
    return table


def boxes_table(stability: "BoxStability") -> Table:
    """Verdicts on other boxes than dlib's, beside those on dlib's."""
    table = Table("boxes", "verdicts equal", "right", "mean change", "largest change")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("dlib's own", "", f"{stability.correct} of {stability.videos}", "", "")
    for row in stability.rows:
        table.add_row(
            row.deviation,
            f"{row.equal_verdicts} of {row.videos}",
            f"{row.correct} of {row.videos}",
            *("-" if change is None else f"{change:.3f}" for change in (row.mean_change, row.largest_change)),
        )
    table.caption = f"{stability.artifact}; changes are of a video's fake probability"
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
