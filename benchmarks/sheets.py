"""Every table of a run, as plain text in columns: what the terminal, report.md and report.html all draw."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.row import Row
from benchmarks.subject import Measured, Subject
from benchmarks.wording import NONE, megabytes, milliseconds, share


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table. Every row has a cell for each column."""

    title: str
    columns: tuple[str, ...]
    numeric: frozenset[int]
    """Places of the columns that are aligned right."""
    rows: tuple[tuple[str, ...], ...]
    note: str | None = None


def sheet(title: str, columns: str, rows: Sequence[tuple[str, ...]], note: str | None = None) -> Sheet:
    """`columns` are separated by `|`; those that end in `>` are aligned right."""
    names = [name.strip() for name in columns.split("|")]
    assert all(len(row) == len(names) for row in rows)
    return Sheet(
        title=title,
        columns=tuple(name.removesuffix(">").strip() for name in names),
        numeric=frozenset(place for place, name in enumerate(names) if name.endswith(">")),
        rows=tuple(rows),
        note=note,
    )


def latency_sheet(results: Results) -> Sheet:
    """Every row of a run, in brief."""
    machine = results.machine
    return sheet(
        "Latency",
        "row | runtime | p50 ms > | p90 > | p99 > | x anchor > | load ms > | peak MB > | calls > | ",
        [_brief(row) for row in results.rows],
        f"{machine.cpu}, {machine.cores} cores, {_threads(results)}, load {machine.load_average[0]:.1f}; "
        f"anchor: {results.anchor}",
    )


def comparison_sheet(subject: Subject, results: Results) -> Sheet:
    """Teacher against student: AUC on held-out identities, size, latency per frame."""
    rows: list[tuple[str, ...]] = []
    if subject.teacher is not None:
        teacher = subject.teacher
        figures = (share(teacher.auc), share(teacher.frame_auc), megabytes(teacher.size_bytes))
        rows.append(("teacher, torch float32", *figures, *_costs(results, "teacher", subject.hop)))
    for artifact in subject.artifacts:
        if results.row(artifact.path, "encode") is None:
            continue
        # The run's figures are the torch student's; what an artefact changes about them, its parity says.
        student = subject.student
        aucs = (NONE, NONE) if student is None else (share(student.auc), share(student.frame_auc))
        costs = _costs(results, artifact.path, subject.hop)
        rows.append((title_of(artifact, subject), *aucs, megabytes(artifact.size_bytes), *costs))
    return sheet(
        "Teacher against student",
        " | video AUC > | frame AUC > | MB > | encode ms > | classify ms > | ms per frame >",
        rows,
        f"AUC on held-out identities, of the torch models; ms per frame = encode + classify / {subject.hop} (once "
        f"every {subject.hop} frames), the teacher's without its face and depth models; * is what detect runs",
    )


def title_of(artifact: Measured, subject: Subject) -> str:
    """`student, executorch int8 *`: the star is on what `detect` runs."""
    mark = " *" if artifact.path == subject.preferred else ""
    return f"student, {artifact.target} {artifact.precision}{mark}"


def frame_ms(results: Results, artifact: str, hop: int, device: str | None = None) -> float | None:
    """Median encode plus the share of classify that falls on a frame; None where either was not measured."""
    encode, classify = (results.row(artifact, method, device) for method in ("encode", "classify"))
    if encode is None or classify is None or encode.latency_ms is None or classify.latency_ms is None:
        return None
    return encode.latency_ms.p50 + classify.latency_ms.p50 / hop


def where_of(row: Row) -> str:
    """Where a row comes from, if not from this machine."""
    if row.device == "host":
        return ""
    return f" on {row.device}" if row.device_model is None else f" on {row.device}, {row.device_model}"


def _brief(row: Row) -> tuple[str, ...]:
    latency = row.latency_ms
    times = (NONE,) * 3 if latency is None else tuple(f"{ms:.3f}" for ms in (latency.p50, latency.p90, latency.p99))
    return (
        f"{row.artifact} {row.method}",
        f"{row.runtime} {row.delegate}{where_of(row)}",
        *times,
        NONE if row.ratio_to_anchor is None else f"{row.ratio_to_anchor:.3f}",
        NONE if row.cold_load_ms is None else f"{row.cold_load_ms:.0f}",
        NONE if row.peak_rss_bytes is None else f"{row.peak_rss_bytes / 1e6:.0f}",
        str(row.iterations),
        " ".join(row.doubts),
    )


def _threads(results: Results) -> str:
    counts = sorted({row.threads for row in results.rows})
    return f"{' or '.join(str(count) for count in counts)} thread{'' if counts == [1] else 's'}"


def _costs(results: Results, artifact: str, hop: int) -> tuple[str, str, str]:
    total = frame_ms(results, artifact, hop)
    if total is None:
        return NONE, NONE, NONE
    encode, classify = (results.row(artifact, method) for method in ("encode", "classify"))
    assert encode is not None
    assert classify is not None
    return milliseconds(encode.times.p50), milliseconds(classify.times.p50), milliseconds(total)
