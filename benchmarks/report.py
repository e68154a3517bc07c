"""results.json, report.md and report.html: three files drawn from one document, and put in place together."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.charts import Chart, accuracy_chart, latency_chart, memory_chart, stage_chart
from benchmarks.detail_sheets import (
    accuracy_sheet,
    agreement_sheet,
    machine_sheet,
    memory_sheet,
    protocol_sheet,
    ratio_sheet,
    remark_sheet,
    stage_sheet,
)
from benchmarks.headline import headline, warnings
from benchmarks.reference_result import Reference
from benchmarks.results import RESULTS, Results
from benchmarks.row import LEAST_CALLS, LEAST_SECONDS
from benchmarks.sheets import Sheet, comparison_sheet, latency_sheet
from benchmarks.targets import Targets
from benchmarks.verdict_sheets import baseline_sheet, budget_sheet, phone_sheet, published_sheet
from core.errors import WorkError
from core.pages import rendered
from core.runtimes import missing_extra

MARKDOWN = "report.md"
HTML = "report.html"
EXTRA = "preview"

GOOD = ("holds", "faster")
BAD = ("short", "slower", "undecided")
"""First words of a cell that the page colours."""

PROTOCOL = (
    f"Rows and the anchor take turns until every row has at least {LEAST_CALLS:,} calls and {LEAST_SECONDS:g} s; the "
    "calls that warm up each turn are not counted. Ratios are to the anchor of the same run, and their intervals are "
    "drawn over the rounds."
)

Section = tuple[str, Sequence[Chart], Sequence[Sheet]]
"""Heading, charts, tables."""


def refuse_unrenderable() -> None:
    """InputError where what draws the pages is not installed."""
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise missing_extra(EXTRA, error) from error


def write_report(folder: Path, results: Results, targets: Targets) -> None:
    """Draw all three before the first is put in place. WorkError where one cannot be written."""
    texts = {
        RESULTS: results.model_dump_json(indent=2) + "\n",
        MARKDOWN: report_text("report.md.jinja", results, targets),
        HTML: report_text("report.html.jinja", results, targets),
    }
    pending = {folder / name: folder / f".{name}.partial" for name in texts}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for partial, text in zip(pending.values(), texts.values(), strict=True):
            partial.write_text(text, encoding="utf-8")
        for file, partial in pending.items():
            partial.replace(file)
    except OSError as error:
        raise WorkError(f"{folder}: the report could not be written ({error.strerror}); give another --out") from error
    finally:
        for partial in pending.values():
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def report_text(template: str, results: Results, targets: Targets) -> str:
    """The page that `template` makes of `results`."""
    contents: dict[str, Any] = {
        "title": f"{results.name}: latency and memory",
        "results": results,
        "headline": headline(results),
        "warnings": warnings(results),
        "sections": _sections(results, targets),
        "protocol": PROTOCOL,
        "good": GOOD,
        "bad": BAD,
    }
    return rendered(Path(__file__).with_name(template), extra=EXTRA, **contents)


def _sections(results: Results, targets: Targets) -> list[Section]:
    subject, reference = results.subject, results.reference
    found: list[Section] = []
    if reference is not None:
        found.append(
            ("Reference against student", _stage_charts(reference), [ratio_sheet(reference), stage_sheet(reference)])
        )
    if subject is not None:
        found.append(("Teacher against student", [], [comparison_sheet(subject, results)]))
        charts = _present(accuracy_chart(subject, results))
        found.append(("Accuracy against latency", charts, [accuracy_sheet(subject, results)]))
    found.append(("Latency", _present(latency_chart(results)), _latency_sheets(results)))
    memory = memory_sheet(results)
    if memory.rows:
        found.append(("Memory", _present(memory_chart(results)), [memory]))
    agreement = agreement_sheet(results)
    if agreement.rows:
        found.append(("Outputs on another machine", [], [agreement]))
    if results.baseline_checks:
        found.append(("Against the baseline", [], [baseline_sheet(results)]))
    found.append(("Budgets by phone", [], [phone_sheet(results, targets), budget_sheet(results, targets)]))
    if results.published:
        found.append(("What others published", [], [published_sheet(results)]))
    found.append(("Machine and versions", [], [machine_sheet(results)]))
    return found


def _latency_sheets(results: Results) -> list[Sheet]:
    remarks = remark_sheet(results)
    return [latency_sheet(results), protocol_sheet(results), *([remarks] if remarks.rows else [])]


def _stage_charts(reference: Reference) -> list[Chart]:
    titled = {name: (reference.pipelines.get(name, name), stages) for name, stages in reference.stages_ms.items()}
    names = list(dict.fromkeys(name for stages in reference.stages_ms.values() for name in stages))
    charts = [stage_chart("A frame, stage by stage", titled, stage_names=names)]
    if "student" in titled:
        # Beside the reference it is too short to be read.
        charts.append(stage_chart("The student's frame, enlarged", {"student": titled["student"]}, stage_names=names))
    return charts


def _present(chart: Chart | None) -> list[Chart]:
    return [] if chart is None else [chart]
