"""What a person reads on the terminal, drawn from the documents on disk."""

from pathlib import Path

from rich.table import Table

from benchmarks.boxes import BoxStability
from benchmarks.preparation import PreparationReport
from benchmarks.results import Results, Row
from core.manifest import Artifact, Manifest, size_of


def latency_table(results: Results) -> Table:
    """Every row of a run."""
    table = Table(
        "artefact", "method", "runtime", "p50 ms", "p90", "p99", "x anchor", "load ms", "peak MB", "calls", ""
    )
    for column in table.columns[3:-1]:
        column.justify = "right"
    for row in results.rows:
        latency = row.latency_ms
        table.add_row(
            row.artifact,
            row.method,
            f"{row.runtime} {row.delegate}",
            f"{latency.p50:.3f}",
            f"{latency.p90:.3f}",
            f"{latency.p99:.3f}",
            f"{row.ratio_to_anchor:.3f}",
            "-" if row.cold_load_ms is None else f"{row.cold_load_ms:.0f}",
            "-" if row.peak_rss_bytes is None else f"{row.peak_rss_bytes / 1e6:.0f}",
            str(row.iterations),
            " ".join(name for name, holds in (("invalid", not row.valid), ("noisy", row.noisy)) if holds),
        )
    machine = results.machine
    table.caption = (
        f"{machine.cpu}, {machine.cores} cores, {results.rows[0].threads} threads, load {machine.load_average[0]:.1f}; "
        f"anchor: {results.anchor}"
    )
    return table


def preparation_table(report: PreparationReport) -> Table:
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


def boxes_table(stability: BoxStability) -> Table:
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


def comparison_table(manifest: Manifest, results: Results) -> Table:
    """Teacher against student: AUC on held-out identities, size, latency per frame."""
    table = Table("", "video AUC", "frame AUC", "MB", "encode ms", "classify ms", "ms per frame")
    for column in table.columns[1:]:
        column.justify = "right"
    hop = manifest.decision.hop
    run = None if manifest.source.run is None else Path(manifest.source.run)
    if manifest.metrics is not None:
        weights = None if run is None else run / "teacher.safetensors"
        megabytes = "-" if weights is None or not weights.is_file() else f"{size_of(weights) / 1e6:.1f}"
        figures = [_figure(manifest, "teacher", name) for name in ("auc", "frame_auc")]
        table.add_row("teacher, torch float32", *figures, megabytes, *_costs(results, "teacher", hop))
    for artifact in manifest.artifacts:
        if results.row(artifact.path, "encode") is None:
            continue
        # The run's figures are the torch student's; what an artefact changes about them, its parity says.
        figures = [_figure(manifest, "student", name) for name in ("auc", "frame_auc")]
        size = f"{artifact.size_bytes / 1e6:.1f}"
        table.add_row(_title(artifact, manifest), *figures, size, *_costs(results, artifact.path, hop))
    table.caption = (
        f"AUC on held-out identities, of the torch models; ms per frame = encode + classify / {hop} (once every {hop} "
        "frames), the teacher's without its face and depth models; * is what `detect` runs"
    )
    return table


def _title(artifact: Artifact, manifest: Manifest) -> str:
    mark = " *" if artifact.path == manifest.preferred else ""
    return f"student, {artifact.target} {artifact.precision}{mark}"


def _figure(manifest: Manifest, role: str, name: str) -> str:
    value = (manifest.metrics or {}).get(role, {}).get("test", {}).get(name)
    return "-" if value is None else f"{value:.3f}"


def _costs(results: Results, artifact: str, hop: int) -> tuple[str, str, str]:
    encode, classify = results.row(artifact, "encode"), results.row(artifact, "classify")
    if encode is None or classify is None:
        return "-", "-", "-"
    total = _p50(encode) + _p50(classify) / hop
    return f"{_p50(encode):.2f}", f"{_p50(classify):.2f}", f"{total:.2f}"


def _p50(row: Row) -> float:
    return row.latency_ms.p50
