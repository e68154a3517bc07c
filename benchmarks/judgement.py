"""From what was measured to what it means: budgets, the baseline, and what others have published."""

from benchmarks.gate import baseline_checks, budget_checks, frame_anchors, shipped
from benchmarks.results import Results
from benchmarks.row import Row
from benchmarks.targets import HOST, Estimate, Target, Targets, estimate


def judged(results: Results, targets: Targets) -> Results:
    """`results` with every budget's check, the budget each row is held to, published figures and estimates."""
    held = tuple(_held(row, results, targets) for row in results.rows)
    estimates: list[Estimate] = []
    reasons: dict[str, str] = {}
    for phone in targets.phones:
        found = _estimate(results, phone, targets)
        if isinstance(found, Estimate):
            estimates.append(found)
        else:
            reasons[phone.id] = found
    return results.model_copy(
        update={
            "rows": held,
            "checks": tuple(budget_checks(results, targets)),
            "published": targets.published,
            "estimates": tuple(estimates),
            "no_estimate": reasons,
        }
    )


def against(results: Results, before: tuple[Row, ...], *, named: str, stored: bool) -> Results:
    """`results` with the checks against a baseline: `stored` rows stay in their own document."""
    return results.model_copy(
        update={
            "baseline": named,
            "baseline_rows": () if stored else before,
            "baseline_checks": tuple(baseline_checks(before, results.rows)),
        }
    )


def _held(row: Row, results: Results, targets: Targets) -> Row:
    target = targets.of_device(row.device, row.device_model)
    if target is None or results.subject is None:
        return row
    artifact = shipped(results.subject, target)
    ships = artifact is not None and artifact.path == row.artifact
    return row.model_copy(update={"budget": target.id if ships else None})


def _estimate(results: Results, phone: Target, targets: Targets) -> Estimate | str:
    subject = results.subject
    if subject is None:
        return "nothing is known of the artefacts"
    artifact = shipped(subject, phone)
    if artifact is None:
        return f"the folder holds no {phone.ships.target} {phone.ships.precision} artefact"
    row = results.row(artifact.path, "encode", HOST)
    if row is None:
        return f"{artifact.path} was not measured"
    told, why = frame_anchors(results, subject, artifact.path, HOST)
    if told is None:
        return why or "not measured"
    return estimate(phone, told.value, row.delegate, targets.published)
