"""An evaluation as tables on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from core.evaluation.wording import (
    FIGURES,
    GROUP_COLUMNS,
    KINDS,
    SAME_BOXES,
    change,
    extent_of,
    figure,
    interval,
    subject_of,
    telling,
)

GROUPS_SHOWN = 12
"""Of a kind: the document and the page hold all of them."""


def tables_of(document: Mapping[str, Any]) -> Iterator[Table | Text]:
    """What was judged, the figures, their breakdown, and the robustness table if there is one."""
    # A name from the corpus is text, whatever rich could read into its brackets.
    yield Text(f"{subject_of(document)}\n{extent_of(document)}\n{document['left_out']['text']}")
    yield _figures(document)
    breakdown = _breakdown(document["by"])
    if breakdown.row_count:
        yield breakdown
    if document["perturbations"] is not None:
        yield _robustness(document)


def _figures(document: Mapping[str, Any]) -> Table:
    figures, threshold = document["figures"], document["model"]["decision"]["threshold"]
    table = Table("", f"fake at {threshold:.3f}", "95 %, over people")
    table.columns[1].justify = "right"
    for name, (label, _) in FIGURES.items():
        table.add_row(label, figure(figures[name]), interval(figures["auc_interval"]) if name == "auc" else "")
    return table


def _breakdown(by: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """A section for each kind of group."""
    table = Table("by", *GROUP_COLUMNS.values())
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, title in telling(by).items():
        groups = by[kind]
        left = len(groups) - GROUPS_SHOWN
        # Where there are many, those it does worst on.
        shown = (
            sorted(groups.items(), key=lambda group: _accuracy(group[1]))[:GROUPS_SHOWN] if left > 0 else groups.items()
        )
        table.add_section()
        table.add_row(
            title + (f" (the {GROUPS_SHOWN} least accurate of {len(groups)})" if left > 0 else ""), style="bold"
        )
        for name, block in shown:
            table.add_row(Text(f"  {name}"), *(figure(block[column]) for column in GROUP_COLUMNS))
    return table


def _accuracy(block: Mapping[str, Any]) -> float:
    return 1.0 if block["accuracy"] is None else float(block["accuracy"])


def _robustness(document: Mapping[str, Any]) -> Table:
    table = Table(
        "",
        "",
        "video AUC",
        "change",
        "95 %",
        "frame AUC",
        "change",
        "accuracy",
        title="Robustness",
        title_justify="left",
    )
    table.caption = SAME_BOXES
    for column in table.columns[2:]:
        column.justify = "right"
    clean, kind = document["figures"], ""
    auc, frame_auc, accuracy = (figure(clean[name]) for name in ("auc", "frame_auc", "accuracy"))
    table.add_row("clean", "nothing", auc, "", "", frame_auc, "", accuracy)
    for row in document["perturbations"]:
        if row["kind"] != kind:
            table.add_section()
        table.add_row(
            KINDS[row["kind"]] if row["kind"] != kind else "",
            row["words"],
            figure(row["auc"]),
            change(row["auc_change"]),
            interval(row["auc_change_interval"], signed=True),
            figure(row["frame_auc"]),
            change(row["frame_auc_change"]),
            figure(row["accuracy"]),
        )
        kind = row["kind"]
    return table
