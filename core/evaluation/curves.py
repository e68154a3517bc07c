"""The two curves of an evaluation: what a threshold trades, and whether a probability means what it says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.evaluation.figures import Row

BINS = 10
"""Of the reliability curve, equally wide, as of the expected calibration error."""

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The videos whose probability is in [low, high), the last bin with its upper edge."""

    low: float
    high: float
    videos: int
    probability: float | None
    """Their mean; None where there are none."""
    fake_share: float | None


def roc_curve(rows: Sequence[Row]) -> list[Point]:
    """(false, true) positive rates of every threshold from above all scores to below them, corners only.

    Empty where a class is missing. The area under it is the AUC: of equal scores the curve cuts the corner.
    """
    decided = [(row.is_fake, row.probability) for row in rows if row.probability is not None]
    fake = np.array([is_fake for is_fake, _ in decided], dtype=bool)
    if fake.all() or not fake.any():
        return []
    scores = np.array([probability for _, probability in decided])
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    true, false = np.cumsum(fake[order])[last] / fake.sum(), np.cumsum(~fake[order])[last] / (~fake).sum()
    points: list[Point] = [(0.0, 0.0)]
    for point in zip(false.tolist(), true.tolist(), strict=True):
        if len(points) > 1 and _straight(points[-2], points[-1], point):
            points.pop()
        points.append(point)
    return points


def reliability_curve(rows: Sequence[Row]) -> list[Bin]:
    """How many of the videos of each range of probabilities are fake."""
    decided = [(row.is_fake, row.probability) for row in rows if row.probability is not None]
    edges = np.linspace(0, 1, BINS + 1)
    members: list[list[tuple[bool, float]]] = [[] for _ in range(BINS)]
    for is_fake, probability in decided:
        place = int(np.searchsorted(edges, probability, side="right")) - 1
        members[min(place, BINS - 1)].append((is_fake, probability))
    return [
        Bin(
            low=float(edges[place]),
            high=float(edges[place + 1]),
            videos=len(found),
            probability=float(np.mean([probability for _, probability in found])) if found else None,
            fake_share=float(np.mean([is_fake for is_fake, _ in found])) if found else None,
        )
        for place, found in enumerate(members)
    ]


def _straight(first: Point, middle: Point, last: Point) -> bool:
    """Whether the curve goes on level or upright, so that `middle` is no corner."""
    return first[0] == middle[0] == last[0] or first[1] == middle[1] == last[1]
