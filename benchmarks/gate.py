"""Holding rows to budgets and to a baseline. Intervals decide: a figure falls short when all of its interval does."""

from collections.abc import Iterator, Sequence

from benchmarks.check import QUANTITIES, Check, Outcome, Quantity
from benchmarks.results import Results
from benchmarks.row import Row
from benchmarks.slowdown import TOLERANCE, anchor_of, slowdown
from benchmarks.statistics import LEAST_ROUNDS, Uncertain, median, ratio_to_anchor, together
from benchmarks.subject import Measured, Subject
from benchmarks.targets import HOST, Target, Targets
from core.errors import InputError


def budget_checks(results: Results, targets: Targets) -> list[Check]:
    """Every budget of every target, for the artefact that ships there; targets without one have no checks."""
    if results.subject is None:
        return []
    found: list[Check] = []
    for target in targets.targets:
        artifact = shipped(results.subject, target)
        if artifact is not None:
            found += _target_checks(results, results.subject, target, artifact, _device_of(results, target, targets))
    return found


def shipped(subject: Subject, target: Target) -> Measured | None:
    """The artefact of the folder that goes onto `target`: the preferred one where several would do."""
    fitting = [
        one for one in subject.artifacts if (one.target, one.precision) == (target.ships.target, target.ships.precision)
    ]
    return next((one for one in fitting if one.path == subject.preferred), fitting[0] if fitting else None)


def baseline_checks(before: Sequence[Row], after: Sequence[Row]) -> list[Check]:
    """Every row of `after` that `before` has as well, through ratios to the anchor.

    For a stored baseline, `before` are its rows; for another artefact folder, rows of the same run, named as in
    `after`. InputError where no row has a counterpart.
    """
    known = {identity(row): row for row in before if row.kind == "measured"}
    pairs = [(known[identity(row)], row) for row in after if identity(row) in known and row.artifact != "anchor"]
    if not pairs:
        raise InputError("--baseline: none of its rows was measured here again; give results of the same artefacts")
    return [_slowdown(old, new, (anchor_of(before, old.device), anchor_of(after, new.device))) for old, new in pairs]


def identity(row: Row) -> tuple[str, ...]:
    """What makes two rows the same measurement."""
    model = row.device_model or ""
    return (row.artifact, row.method, row.device, model, row.runtime, row.delegate, row.precision, str(row.threads))


def frame_anchors(
    results: Results, subject: Subject, artifact: str, device: str
) -> tuple[Uncertain | None, str | None]:
    """Anchors a frame of `artifact` costs, encode and classify over its hop; or why that cannot be told."""
    rows = [results.row(artifact, method, device) for method in ("encode", "classify")]
    encode, classify = rows
    if encode is None or classify is None:
        return None, "not measured"
    told = ratio_to_anchor(together(encode.rounds, classify.rounds, share=1 / subject.hop))
    if told is None or encode.ratio_to_anchor is None or classify.ratio_to_anchor is None:
        return None, f"fewer than {LEAST_ROUNDS} rounds: measure longer, without --quick"
    # On a busy machine the medians of all calls and the rounds may differ; a budget has to bear both.
    medians = encode.ratio_to_anchor + classify.ratio_to_anchor / subject.hop
    return told.including(medians), None


def _frame_ms(results: Results, subject: Subject, artifact: str, device: str) -> tuple[Uncertain | None, str | None]:
    """The same in milliseconds: of the device itself, which may have no anchor."""
    encode, classify = (results.row(artifact, method, device) for method in ("encode", "classify"))
    if encode is None or classify is None or encode.latency_ms is None or classify.latency_ms is None:
        return None, "not measured"
    first, second = (median(row.times, row.iterations) for row in (encode, classify))
    if first is None or second is None:
        return None, "the device did not tell the distribution of its calls"
    return first.plus(second, share=1 / subject.hop), None


def _device_of(results: Results, target: Target, targets: Targets) -> str | None:
    """The name that `target` has among the rows; None where none was measured on it."""
    return next((row.device for row in results.rows if targets.of_device(row.device, row.device_model) is target), None)


def _target_checks(
    results: Results, subject: Subject, target: Target, artifact: Measured, device: str | None
) -> Iterator[Check]:
    budget = target.budget
    if budget.size_bytes is not None:
        yield _exact(artifact.path, target, "size_bytes", budget.size_bytes, artifact.size_bytes)
    row = None if device is None else results.row(artifact.path, "encode", device)
    if device is None or row is None:
        yield from _elsewhere(artifact.path, target)
        return
    stream = results.row(artifact.path, "stream", device) or row
    if budget.peak_bytes is not None:
        why = (stream.memory.missing.get("peak") if stream.memory else None) or stream.missing.get("peak_rss_bytes")
        yield _exact(artifact.path, target, "peak_bytes", budget.peak_bytes, stream.peak_rss_bytes, why)
    if budget.cold_load_ms is not None:
        why = row.missing.get("cold_load_ms")
        yield _exact(artifact.path, target, "cold_load_ms", budget.cold_load_ms, row.cold_load_ms, why)
    if budget.frame_anchors is not None:
        told, why = frame_anchors(results, subject, artifact.path, device)
        yield _statistical(artifact.path, target.id, "frame_anchors", budget.frame_anchors, told, why)
    if budget.frame_ms is not None:
        told, why = _frame_ms(results, subject, artifact.path, device)
        yield _statistical(artifact.path, target.id, "frame_ms", budget.frame_ms, told, why)


def _elsewhere(artifact: str, target: Target) -> Iterator[Check]:
    where = "was not measured on this machine" if target.id == HOST else "needs the phone"
    for quantity in QUANTITIES:
        limit = getattr(target.budget, quantity, None)
        if limit is not None and quantity != "size_bytes":
            yield Check(
                subject=artifact,
                target=target.id,
                quantity=quantity,
                limit=limit,
                value=None,
                interval=None,
                outcome="elsewhere",
                reason=where,
            )


def _exact(
    subject: str, target: Target, quantity: Quantity, limit: float, value: float | None, why: str | None = None
) -> Check:
    outcome: Outcome = "undecided" if value is None else "holds" if value <= limit else "short"
    reason = (why or "not measured") if value is None else None
    return Check(
        subject=subject,
        target=target.id,
        quantity=quantity,
        limit=limit,
        value=value,
        interval=None,
        outcome=outcome,
        reason=reason,
    )


def _statistical(
    subject: str, target: str | None, quantity: Quantity, limit: float, told: Uncertain | None, why: str | None
) -> Check:
    outcome: Outcome = "undecided"
    if told is not None:
        outcome = "short" if told.low > limit else "holds" if told.high <= limit else "open"
    return Check(
        subject=subject,
        target=target,
        quantity=quantity,
        limit=limit,
        value=None if told is None else told.value,
        interval=None if told is None else (told.low, told.high),
        outcome=outcome,
        reason=why,
    )


def _slowdown(before: Row, after: Row, anchors: tuple[Row | None, Row | None]) -> Check:
    found = slowdown(before, after, anchors)
    limit = 1 + TOLERANCE
    subject = f"{after.artifact} {after.method}, {after.runtime}"
    check = _statistical(subject, None, "times_baseline", limit, found.told, found.reason)
    # What noise alone may have done is no shortfall, and shows nothing either.
    excused = check.fails and found.direction == "no difference shown"
    return check.model_copy(update={"outcome": "open"}) if excused else check
