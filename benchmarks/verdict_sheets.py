"""Tables of what was found: budgets by device, the baseline, two runs compared, and what others published."""

from benchmarks.check import Check
from benchmarks.comparison import Comparison
from benchmarks.gate import shipped
from benchmarks.results import Results
from benchmarks.sheets import Sheet, sheet
from benchmarks.slowdown import TOLERANCE
from benchmarks.targets import Target, Targets
from benchmarks.wording import (
    NONE,
    QUANTITIES,
    anchors,
    measured,
    megabytes,
    milliseconds,
    outcome,
    quantity,
)


def budget_sheet(results: Results, targets: Targets, *, here: bool = False) -> Sheet:
    """Every budget of every device that an artefact of the folder ships on; `here`: those that this run could hold."""
    names = {target.id: target.name for target in targets.targets}
    held = [check for check in results.checks if not here or check.outcome != "elsewhere"]
    return sheet(
        "Budgets",
        "device | budget | at most > | measured > | | artefact",
        [(names[check.target or ""], *_figures(check), check.subject) for check in held],
        "A frame is encode plus classify over its hop, at the median, with a 95 % interval over the rounds; memory and "
        "load have none. A budget of times falls short when the whole interval lies above it.",
    )


def baseline_sheet(results: Results) -> Sheet:
    """Every row against its counterpart in the baseline."""
    return sheet(
        "Against the baseline",
        "row | times the baseline > | | at most >",
        [
            (check.subject, measured(check), outcome(check), quantity(check.quantity, check.limit))
            for check in results.baseline_checks
        ],
        f"{results.baseline}; through ratios to the anchor, 95 %. A row falls short when it is slower by more than "
        f"{TOLERANCE:.0%} in all of its interval: two runs of one program differ by as much.",
    )


def change_sheet(comparison: Comparison) -> Sheet:
    """B against A, row by row."""
    rows = []
    for row in comparison.rows:
        interval = NONE if row.interval is None else f"{row.interval[0]:.3f} to {row.interval[1]:.3f}"
        peak = NONE if row.peak_change_bytes is None else f"{row.peak_change_bytes / 1e6:+.1f}"
        times = (milliseconds(row.a_ms), milliseconds(row.b_ms)) if comparison.same_cpu else (NONE, NONE)
        rows.append(
            (
                f"{row.artifact} {row.method}",
                f"{row.runtime} on {row.device}",
                *times,
                anchors(row.a_anchors),
                anchors(row.b_anchors),
                NONE if row.change is None else f"{row.change:.3f}",
                interval,
                peak,
                row.verdict if row.reason is None else row.reason,
            )
        )
    cpus = "the same CPU model" if comparison.same_cpu else f"{comparison.a_cpu} against {comparison.b_cpu}: no times"
    note = (
        f"A {comparison.a}, B {comparison.b}; {cpus}. B/A is through ratios to the anchor of each run, 95 % over its "
        f"rounds; a difference is shown when all of it lies beyond {comparison.tolerance:.0%}, which two runs of one "
        "program differ by."
    )
    for side, names in (("A", comparison.only_a), ("B", comparison.only_b)):
        if names:
            note += f" Only in {side}: {', '.join(names)}."
    columns = "row | runtime | A ms > | B ms > | A x anchor > | B x anchor > | B/A > | 95 % > | peak MB > | "
    return sheet("Difference", columns, rows, note)


def published_sheet(results: Results) -> Sheet:
    """What others measured."""
    rows: list[tuple[str, ...]] = [
        (one.model, one.precision or NONE, one.device, one.where, f"{one.latency_ms:g}", one.source, one.date)
        for one in results.published
    ]
    return sheet(
        "Published",
        "model | precision | device | runtime | ms > | source | date",
        rows,
        "As published, by others, with their harnesses: not to be set beside a measured row without a look at both.",
    )


def phone_sheet(results: Results, targets: Targets) -> Sheet:
    """What is known of each phone's frame: measured there, estimated, or why neither."""
    estimated = {one.target: one for one in results.estimates}
    rows = []
    for phone in targets.phones:
        frame = next((one for one in results.checks if (one.target, one.quantity) == (phone.id, "frame_ms")), None)
        if frame is not None and frame.value is not None:
            told, how = measured(frame), "measured on the phone"
        elif phone.id in estimated:
            told, how = milliseconds(estimated[phone.id].latency_ms), f"estimated: {estimated[phone.id].method}"
        else:
            told, how = NONE, f"no estimate: {results.no_estimate.get(phone.id, 'not asked for')}"
        rows.append((phone.name, *_budget(phone), _anchor_needed(results, phone), told, how, phone.chip))
    return sheet(
        "Phones",
        "phone | frame ms > | peak MB > | size MB > | cold load ms > | anchor must take > | frame there > | | chip",
        rows,
        "Anchor must take: the frame's budget over the ratio measured on this machine; the phone keeps its budget "
        "if the anchor, under the same runtime, takes at most as many ms there.",
    )


def _budget(phone: Target) -> tuple[str, str, str, str]:
    budget = phone.budget
    frame, load = (NONE if ms is None else f"{ms:g}" for ms in (budget.frame_ms, budget.cold_load_ms))
    return frame, megabytes(budget.peak_bytes), megabytes(budget.size_bytes), load


def _anchor_needed(results: Results, phone: Target) -> str:
    if results.subject is None or phone.budget.frame_ms is None:
        return NONE
    artifact = shipped(results.subject, phone)
    rows = [] if artifact is None else [results.row(artifact.path, method) for method in ("encode", "classify")]
    ratios = [row.ratio_to_anchor for row in rows if row is not None and row.ratio_to_anchor is not None]
    if len(ratios) < 2:
        return NONE
    return f"≤ {milliseconds(phone.budget.frame_ms / (ratios[0] + ratios[1] / results.subject.hop))} ms"


def _figures(check: Check) -> tuple[str, str, str, str]:
    return QUANTITIES[check.quantity], quantity(check.quantity, check.limit), measured(check), outcome(check)
