"""Verdicts under other boxes than dlib's."""

import numpy as np
import pytest

from benchmarks.boxes import DEVIATIONS, NONE, BoxStability, Deviation, Judged, stability
from benchmarks.tables import boxes_table
from core.preprocess import Box

BOX = Box(x=10.0, y=20.0, w=50.0, h=50.0)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_size_and_place_are_changed_about_the_centre_by_shares_of_the_side() -> None:
    moved = Deviation(name="", scale=1.2, right=0.1, down=-0.2).applied(BOX, generator())

    assert moved.center == pytest.approx((40.0, 35.0))
    assert (moved.w, moved.h) == pytest.approx((60.0, 60.0))


def test_no_deviation_changes_nothing() -> None:
    same = NONE.applied(BOX, generator())

    assert (same.x, same.y, same.w, same.h) == pytest.approx((BOX.x, BOX.y, BOX.w, BOX.h))


def test_jitter_has_the_spread_that_it_says() -> None:
    draws, deviation = generator(), Deviation(name="", jitter_scale=0.1, jitter_shift=0.04)
    boxes = [deviation.applied(BOX, draws) for _ in range(4000)]

    assert np.std([np.log(box.w / BOX.w) for box in boxes]) == pytest.approx(0.1, rel=0.05)
    for axis in range(2):
        assert np.std([box.center[axis] for box in boxes]) == pytest.approx(0.04 * BOX.w, rel=0.05)
        assert np.mean([box.center[axis] for box in boxes]) == pytest.approx(BOX.center[axis], abs=0.2)


def test_every_deviation_changes_a_box() -> None:
    for deviation in DEVIATIONS:
        assert deviation.applied(BOX, generator()).iou(BOX) < 0.95


def test_undecided_videos_count_as_verdicts_and_not_as_changes() -> None:
    judged = [
        ("real", Judged(label="real", probability=0.1), Judged(label="real", probability=0.3)),
        ("fake", Judged(label="fake", probability=0.9), Judged(label="real", probability=0.4)),
        ("fake", Judged(label="undecided", probability=None), Judged(label="undecided", probability=None)),
        ("fake", Judged(label="fake", probability=0.9), Judged(label="undecided", probability=None)),
    ]
    row = stability("one", judged)

    assert (row.videos, row.equal_verdicts, row.correct) == (4, 2, 1)
    assert row.mean_change == pytest.approx(0.35)
    assert row.largest_change == pytest.approx(0.5)


def test_nothing_decided_has_no_change() -> None:
    never = Judged(label="undecided", probability=None)
    row = stability("one", [("real", never, never)])

    assert row.mean_change is None
    assert row.largest_change is None


def test_the_table_has_a_row_for_each() -> None:
    rows = tuple(stability(one.name, []) for one in DEVIATIONS)
    table = boxes_table(BoxStability(artifact="student.pte", videos=0, correct=0, rows=rows))

    assert table.row_count == len(DEVIATIONS) + 1
