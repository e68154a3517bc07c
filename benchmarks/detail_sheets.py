"""Tables of the report alone: everything a sceptic would ask of a row."""

from collections.abc import Mapping

from benchmarks.reference_result import Reference
from benchmarks.results import Results
from benchmarks.row import Memory, Row
from benchmarks.sheets import Sheet, frame_ms, sheet, title_of, where_of
from benchmarks.statistics import ratio_to_anchor
from benchmarks.subject import Subject
from benchmarks.wording import NONE, between, megabytes, milliseconds, share, times

MEMORY_PARTS = {
    "before_load": "before loading",
    "after_load": "loaded",
    "peak": "peak",
    "arena_bytes": "planned arena",
    "weights_bytes": "weights",
}


def protocol_sheet(results: Results) -> Sheet:
    """How each row was measured, and what else it shows."""
    return sheet(
        "Protocol",
        "row | runtime | precision | threads > | calls > | warm-up > | seconds > | min ms > | mean ms > | "
        "x anchor, 95 % > | load ms > | first call ms > | last/first decile > | thermal | ",
        [_protocol(row) for row in results.rows],
        "x anchor, 95 %: over the rounds in which row and anchor took turns. Last/first decile: medians of the last "
        "and the first tenth of calls; above 1 it grew slower.",
    )


def remark_sheet(results: Results) -> Sheet:
    """What was noted of rows, and why figures are missing: each sentence once, with the rows it is of."""
    of: dict[str, list[str]] = {}
    for row in results.rows:
        remarks = [] if row.note is None else [row.note]
        remarks += [f"no {' and no '.join(names)}: {why}" for why, names in _by_reason(row.missing).items()]
        for remark in remarks:
            of.setdefault(remark, []).append(f"{row.artifact} {row.method}{where_of(row)}")
    return sheet(
        "Remarks", "remark | rows", [(remark, ", ".join(dict.fromkeys(names))) for remark, names in of.items()]
    )


def memory_sheet(results: Results) -> Sheet:
    """Memory of each artefact by part."""
    rows = []
    for row in one_an_artifact(results):
        memory = row.memory
        assert memory is not None
        parts = (megabytes(getattr(memory, name)) for name in MEMORY_PARTS)
        rows.append((row.artifact, row.device, *parts, megabytes(memory.added), _missing(memory)))
    names = " | ".join(f"{title} >" for title in MEMORY_PARTS.values())
    note = (
        "MB. Of a process that does nothing but load one artefact and run its methods; added is the peak less before."
    )
    return sheet("Memory", f"artefact | device | {names} | added > | ", rows, note)


def one_an_artifact(results: Results) -> list[Row]:
    """The first row with memory of each artefact and device; a streaming session's own where there is one."""
    rows = [row for row in results.rows if row.memory is not None]
    rows.sort(key=lambda row: row.method != "stream")
    return list({(row.artifact, row.device): row for row in reversed(rows)}.values())[::-1]


def accuracy_sheet(subject: Subject, results: Results) -> Sheet:
    """Accuracy against latency, for all artefacts of the folder."""
    rows = []
    for artifact in subject.artifacts:
        cost = frame_ms(results, artifact.path, subject.hop)
        told = milliseconds(cost)
        accuracy = (share(artifact.auc), share(artifact.agreement))
        rows.append((title_of(artifact, subject), *accuracy, megabytes(artifact.size_bytes), told, artifact.verified))
    note = "AUC and agreement with the torch student on the run's validation windows, found by the export's parity; "
    note += "without a time: this machine cannot execute it."
    columns = "artefact | AUC > | agreement > | MB > | ms per frame > | verified by"
    return sheet("Accuracy against latency", columns, rows, note)


def stage_sheet(reference: Reference) -> Sheet:
    """Every stage of every pipeline."""
    rows = []
    for name, stages in reference.stages_ms.items():
        models = reference.model_stages.get(name, ())
        for stage, ms in stages.items():
            spread = (milliseconds(value) for value in (ms.mean, ms.p10, ms.p50, ms.p90, ms.max))
            kind = "model" if stage in models else ""
            rows.append((reference.pipelines.get(name, name), stage, kind, *spread, str(ms.frames)))
        total = sum(ms.mean for ms in stages.values())
        rows.append((reference.pipelines.get(name, name), "whole frame", "", milliseconds(total), *[""] * 4, ""))
    note = f"ms a frame; {reference.video}, {reference.frame_size[0]}x{reference.frame_size[1]}, {reference.weights}"
    columns = "pipeline | stage | | mean > | p10 > | p50 > | p90 > | max > | frames >"
    return sheet("Stages", columns, rows, note)


def ratio_sheet(reference: Reference) -> Sheet:
    """The reference over the student."""
    rows: list[tuple[str, ...]] = [
        (
            "whole frame",
            milliseconds(reference.reference_ms_per_frame),
            milliseconds(reference.student_ms_per_frame),
            times(reference.ratio),
            _interval(reference.ratio_interval),
            NONE if reference.onnx_ratio is None else times(reference.onnx_ratio),
        ),
        (
            "models alone",
            milliseconds(reference.reference_model_ms_per_frame),
            milliseconds(reference.student_model_ms_per_frame),
            times(reference.model_ratio),
            _interval(reference.model_ratio_interval),
            NONE if reference.onnx_model_ratio is None else times(reference.onnx_model_ratio),
        ),
    ]
    columns = " | reference ms > | student ms > | ratio > | 95 % > | reference under ONNX Runtime >"
    return sheet("Reference against student", columns, rows, " ".join(reference.notes) or None)


def agreement_sheet(results: Results) -> Sheet:
    """Outputs against the host's."""
    rows = []
    for row in results.rows:
        told = row.agreement
        if told is not None:
            equal = NONE if told.verdicts_equal is None else f"{told.verdicts_equal} of {told.vectors}"
            cosine = NONE if told.cosine is None else f"{told.cosine:.6f}"
            apart = NONE if told.max_abs is None else f"{told.max_abs:.2g}"
            outcome = "holds" if told.holds else "short"
            figures = (str(told.vectors), cosine, apart, equal)
            rows.append((f"{row.artifact} {row.method}", row.device, *figures, outcome, told.rule))
    columns = "row | device | vectors > | cosine > | max abs > | verdicts equal > | | rule"
    return sheet("Outputs against the host's", columns, rows)


def machine_sheet(results: Results) -> Sheet:
    """Machine and versions."""
    machine = results.machine
    after = "" if machine.load_average_after is None else f", after {machine.load_average_after[0]:.2f}"
    rows: list[tuple[str, ...]] = [
        ("CPU", f"{machine.cpu}, {machine.cores} cores"),
        ("system", machine.os),
        ("governor", machine.governor or "the system does not tell"),
        ("load average", f"before {machine.load_average[0]:.2f}{after}"),
        ("Python", machine.python),
        *((name, version) for name, version in results.versions.items()),
    ]
    return sheet("Machine and versions", "what | is", rows)


def _protocol(row: Row) -> tuple[str, ...]:
    latency = row.latency_ms
    thermal = NONE if row.thermal is None else f"{row.thermal.before or NONE}, then {row.thermal.after or NONE}"
    return (
        f"{row.artifact} {row.method}",
        f"{row.runtime} {row.runtime_version}{where_of(row)}",
        row.precision,
        str(row.threads),
        f"{row.iterations:,}",
        f"{row.warm_up:,}",
        f"{row.seconds:.1f}",
        NONE if latency is None else f"{latency.min:.3f}",
        NONE if latency is None else f"{latency.mean:.3f}",
        NONE if row.artifact == "anchor" else between(ratio_to_anchor(row.rounds)),
        milliseconds(row.cold_load_ms),
        milliseconds(row.first_call_ms),
        NONE if row.sustained is None else f"{row.sustained.ratio:.2f}",
        thermal,
        " ".join(row.doubts),
    )


def _missing(memory: Memory) -> str:
    titles = {MEMORY_PARTS.get(name, name.removesuffix("_bytes")): why for name, why in memory.missing.items()}
    return "; ".join(f"{' and '.join(names)}: {why}" for why, names in _by_reason(titles).items())


def _by_reason(missing: Mapping[str, str]) -> dict[str, list[str]]:
    """Names by why they are missing: the reason is often the same for several."""
    reasons: dict[str, list[str]] = {}
    for name, why in missing.items():
        reasons.setdefault(why, []).append(name)
    return reasons


def _interval(interval: tuple[float, float] | None) -> str:
    return NONE if interval is None else f"{times(interval[0])} to {times(interval[1])}"
