"""Figures of an evaluation, worked out by hand, and the curves beside the figures that they belong to."""

import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.decision import Decision
from core.evaluation.curves import BINS, reliability_curve, roc_curve
from core.evaluation.figures import Row, breakdown, overall, robustness, rows_of
from core.evaluation.perturbations import Perturbation
from core.evaluation.scoring import CLEAN, ScoredVideo
from core.metrics import ScoredWindow, auc, expected_calibration_error
from core.transforms import Quality
from tests.core.judging import record

DECISION = Decision(threshold=0.5)

probabilities = st.integers(1, 99).map(lambda percent: percent / 100)
labelled = st.lists(st.tuples(st.booleans(), probabilities), min_size=1, max_size=30)


def log_odds(probability: float) -> tuple[float, float]:
    """Logits whose softmax gives that fake probability."""
    return 0.0, math.log(probability / (1 - probability))


def video(name: str, is_fake: bool, *windows: float, frames: Sequence[float] = (), **fields: Any) -> ScoredVideo:
    """A video of windows of those probabilities; `frames` are those of the first window."""
    row = record(name, is_fake=is_fake, **fields)
    return ScoredVideo(
        record=row,
        windows=tuple(
            ScoredWindow(
                video=row.key,
                is_fake=is_fake,
                logits=log_odds(probability),
                frame_logits=tuple(map(log_odds, frames)) if place == 0 else (),
            )
            for place, probability in enumerate(windows)
        ),
    )


def rows(*pairs: tuple[bool, float]) -> list[Row]:
    """Videos of one window each."""
    return rows_of([video(f"v{place}", is_fake, p) for place, (is_fake, p) in enumerate(pairs)], DECISION)


SIX = [
    video("anna", False, 0.1, 0.2, frames=(0.1, 0.6), path="asl/anna.mp4"),
    video("bert", False, 0.7, frames=(0.7,), path="grid/bert.mp4", compression="c23"),
    video("anna swapped", True, 0.9, frames=(0.9, 0.4), identity="anna", path="asl/anna.mp4", visibility=3.9),
    video("bert swapped", True, 0.6, frames=(0.6,), identity="bert", path="grid/bert.mp4", visibility=4.0),
    video("bert blended", True, 0.3, identity="bert", path="grid/bert.mp4", method="blend", visibility=50.0),
    video("carl swapped", True, identity="carl", path="grid/carl.mp4", missed=range(20)),
]


def test_the_block_of_metrics_json_and_what_is_beside_it() -> None:
    found = overall(rows_of(SIX, DECISION), DECISION)
    # Fakes .9, .6 and .3 against reals .14 (mean of the logits of .1 and .2) and .7: .9 wins both, .6 and .3 one each.
    assert found["auc"] == pytest.approx(4 / 6)
    # Of five videos .9, .6 and .14 are on the right side of .5.
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert (found["true_positive_rate"], found["false_positive_rate"]) == (pytest.approx(2 / 3), pytest.approx(1 / 2))
    # Of six frames .1 of a real and .9 and .6 of fakes are right.
    assert found["frame_accuracy"] == pytest.approx(3 / 6)
    # Windows: reals .1, .2, .7; fakes .9, .6, .3.
    assert found["window_log_loss"] == pytest.approx(-math.log(0.9 * 0.8 * 0.3 * 0.9 * 0.6 * 0.3) / 6)
    assert [found[name] for name in ("videos_real", "videos_fake", "undecided", "identities", "windows", "frames")] == [
        2, 3, 1, 3, 6, 6,
    ]  # fmt: skip
    # 100 of 120 samples show a face.
    assert found["coverage"] == pytest.approx(5 / 6)
    low, high = found["auc_interval"]
    assert 0 <= low <= found["auc"] <= high <= 1


def test_the_reference_s_frame_accuracy_knows_no_threshold() -> None:
    found = [overall(rows_of(SIX, d), d)["frame_accuracy"] for d in (Decision(threshold=t) for t in (0.05, 0.95))]
    assert found == [pytest.approx(0.5)] * 2


def test_methods_and_strengths_set_their_fakes_beside_all_real_videos() -> None:
    by = breakdown(rows_of(SIX, DECISION), DECISION)
    assert list(by["method"]) == ["blend", "swap"]
    blend, swap = by["method"].values()
    # The blend, .3, beats .14 and loses to .7; the swaps, .9 and .6, win 2 and 1 of 2 each.
    assert (blend["auc"], swap["auc"]) == (pytest.approx(1 / 2), pytest.approx(3 / 4))
    assert (blend["videos_real"], blend["videos_fake"], swap["videos_fake"], swap["undecided"]) == (2, 1, 2, 1)
    # Reals are right once in two; the blend is missed.
    assert blend["accuracy"] == pytest.approx(1 / 3)
    assert (blend["true_positive_rate"], swap["true_positive_rate"]) == (0.0, 1.0)
    # Frames of swaps .9, .4 and .6 against .1, .6 and .7 of reals: 3 + 1 + 1.5 of 9.
    assert swap["frame_auc"] == pytest.approx(5.5 / 9)
    assert {name: block["auc"] for name, block in by["strength"].items()} == {
        "below 4": pytest.approx(1.0),
        "4 to 8": pytest.approx(0.5),
        "16 and above": pytest.approx(0.5),
    }


def test_identities_folders_and_compressions_take_both_classes_from_the_group() -> None:
    by = breakdown(rows_of(SIX, DECISION), DECISION)
    assert {name: block["auc"] for name, block in by["identity"].items()} == {"anna": 1.0, "bert": 0.0, "carl": None}
    assert {name: block["undecided"] for name, block in by["identity"].items()} == {"anna": 0, "bert": 0, "carl": 1}
    assert (by["identity"]["carl"]["accuracy"], by["identity"]["bert"]["accuracy"]) == (None, pytest.approx(1 / 3))
    assert {name: block["auc"] for name, block in by["folder"].items()} == {"asl": 1.0, "grid": 0.0}
    assert {name: block["videos_real"] for name, block in by["compression"].items()} == {"as it came": 1, "c23": 1}
    # All three fakes, .9, .6 and .3, beat the one real video, .14, in their compression.
    assert (by["compression"]["as it came"]["auc"], by["compression"]["c23"]["auc"]) == (1.0, None)


def test_fakes_that_came_as_such_have_no_strength() -> None:
    by = breakdown(rows_of([video("a", False, 0.2), video("b", True, 0.8)], DECISION), DECISION)
    assert by["strength"] == {}


@pytest.mark.parametrize("is_fake", [False, True])
def test_one_class_has_every_figure_but_those_that_compare_two(is_fake: bool) -> None:
    found = overall(rows((is_fake, 0.9), (is_fake, 0.2)), DECISION)
    missing = {name for name, value in found.items() if value is None}
    other = "false_positive_rate" if is_fake else "true_positive_rate"
    assert missing == {"auc", "auc_interval", "window_auc", "frame_auc", "ap", "eer", "frame_accuracy", other}
    assert (found["accuracy"], found["window_log_loss"]) == (
        0.5,
        pytest.approx(-math.log(0.9 * 0.2 if is_fake else 0.1 * 0.8) / 2),
    )


def test_nothing_decided_has_counts_alone() -> None:
    found = overall(rows_of([video("a", True), video("b", False)], DECISION), DECISION)
    assert (found["undecided"], found["videos_real"], found["videos_fake"], found["windows"]) == (2, 0, 0, 0)
    assert (found["auc"], found["accuracy"], found["frame_accuracy"], found["window_log_loss"]) == (None,) * 4


def test_robustness_is_each_way_s_figures_and_what_they_lost() -> None:
    way = Perturbation(kind="blur", strength=2, quality=Quality(blur_px=1.6))
    clean = [
        video("a", False, 0.1, frames=(0.1,)),
        video("b", False, 0.4),
        video("c", True, 0.8, frames=(0.8,)),
        video("d", True),
    ]
    blurred = [
        video("a", False, 0.6, frames=(0.9,)),
        video("b", False, 0.4),
        video("c", True, 0.5, frames=(0.8,)),
        video("d", True),
    ]
    (row,) = robustness({CLEAN: clean, way: blurred}, DECISION)
    interval = row.pop("auc_change_interval")
    assert row == {
        "kind": "blur",
        "strength": 2,
        "words": "Gaussian blur of sigma 1.6 px",
        "auc": 0.5,
        "frame_auc": 0.0,
        "accuracy": pytest.approx(2 / 3),
        "auc_change": -0.5,
        "frame_auc_change": -1.0,
        "accuracy_change": pytest.approx(-1 / 3),
    }
    # Of a, b and c those draws count that have c and a real one: a alone loses all, b alone nothing.
    assert interval == [-1.0, 0.0]


def test_the_roc_curve_has_its_corners_by_hand() -> None:
    # From the top: fake .9, fake .8, real .7, then .4 of both, then real .1.
    pairs = [(True, 0.9), (True, 0.8), (False, 0.7), (True, 0.4), (False, 0.4), (False, 0.1)]
    assert roc_curve(rows(*pairs)) == [
        (0.0, 0.0),
        (0.0, pytest.approx(2 / 3)),
        (pytest.approx(1 / 3), pytest.approx(2 / 3)),
        (pytest.approx(2 / 3), 1.0),
        (1.0, 1.0),
    ]


@given(labelled)
def test_the_area_under_the_roc_curve_is_the_auc(pairs: list[tuple[bool, float]]) -> None:
    points = roc_curve(rows(*pairs))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))
    expected = auc(pairs)
    assert points == [] if expected is None else area == pytest.approx(expected, abs=1e-6)


@given(labelled)
def test_the_reliability_curve_holds_every_video_and_gives_the_ece(pairs: list[tuple[bool, float]]) -> None:
    bins = reliability_curve(rows(*pairs))
    assert len(bins) == BINS
    assert sum(one.videos for one in bins) == len(pairs)
    gaps = [
        one.videos * abs(one.probability - one.fake_share)
        for one in bins
        if one.probability is not None and one.fake_share is not None
    ]
    # An edge such as .3 falls on either side, as single or double precision has it: those are left to the other bins.
    if all(round(100 * p) % 10 for _, p in pairs):
        assert sum(gaps) / len(pairs) == pytest.approx(expected_calibration_error(pairs), abs=1e-5)


def test_figures_are_ready_for_json() -> None:
    json.dumps(
        [overall(rows_of(SIX, DECISION), DECISION), breakdown(rows_of(SIX, DECISION), DECISION)], allow_nan=False
    )
