"""An evaluation as one self-contained page: figures, curves drawn as SVG, every table; no date and no machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.evaluation.wording import (
    COUNTS,
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
from core.pages import rendered

TEMPLATE = Path(__file__).with_name("evaluation.html.jinja")

PLOT_PX = 300
"""Side of the square that a curve is drawn in; the SVG scales with the page."""
DOT_PX = (4.0, 13.0)
"""Radius of a bin of the reliability curve: the least, and of one that holds every video."""
HEADLINE = ("auc", "frame_auc", "accuracy", "frame_accuracy", "eer", "ece")


def page_of(document: Mapping[str, Any]) -> str:
    """The HTML of what `document_of` made; InputError where jinja2 is missing."""
    figures, curves = document["figures"], document["curves"]
    threshold = document["model"]["decision"]["threshold"]
    return rendered(
        TEMPLATE,
        extra="evaluate",
        title=f"Evaluation of {Path(document['model']['folder']).name} on {Path(document['data']['corpus']).name}",
        subject=subject_of(document),
        extent=extent_of(document),
        document=document,
        threshold=threshold,
        figures=figures,
        wording=FIGURES,
        counts=COUNTS,
        headline=HEADLINE,
        figure=figure,
        change=change,
        interval=interval,
        groups=telling(document["by"]),
        columns=GROUP_COLUMNS,
        kinds=KINDS,
        same_boxes=SAME_BOXES,
        failed=sorted(document["data"]["failed"]),
        plot=PLOT_PX,
        ticks=[place / 4 for place in range(5)],
        roc=_roc(curves["roc"]),
        working_point=_working_point(figures),
        reliability=_reliability(curves["reliability"]),
    )


def _roc(points: Sequence[Sequence[float]]) -> str:
    """The corners as an SVG polyline has them, y downwards; nothing where there is no curve."""
    return " ".join(f"{x * PLOT_PX:.1f},{(1 - y) * PLOT_PX:.1f}" for x, y in points)


def _working_point(figures: Mapping[str, Any]) -> tuple[float, float] | None:
    """Where the threshold is on the curve, in the SVG's units."""
    false, true = figures["false_positive_rate"], figures["true_positive_rate"]
    return None if false is None or true is None else (false * PLOT_PX, (1 - true) * PLOT_PX)


def _reliability(bins: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Centre and radius of each bin that holds a video, in the SVG's units; areas are as the numbers of videos."""
    total = sum(one["videos"] for one in bins)
    least, most = DOT_PX
    return [
        {
            "x": one["probability"] * PLOT_PX,
            "y": (1 - one["fake_share"]) * PLOT_PX,
            "r": max(least, most * (one["videos"] / total) ** 0.5),
        }
        for one in bins
        if one["videos"]
    ]
