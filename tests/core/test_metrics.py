"""Figures worked out by hand, with their working."""

import math

import pytest

from core.decision import Decision
from core.metrics import ScoredWindow, auc, equal_error_rate, summarise, video_probabilities


def log_odds(probability: float) -> tuple[float, float]:
    """Logits whose softmax gives that fake probability."""
    return 0.0, math.log(probability / (1 - probability))


def window(video: str, is_fake: bool, probability: float, frames: tuple[float, ...] = ()) -> ScoredWindow:
    return ScoredWindow(
        video=video,
        is_fake=is_fake,
        logits=log_odds(probability),
        frame_logits=tuple(log_odds(frame) for frame in frames),
    )


def test_auc_counts_pairs_and_a_tie_as_half() -> None:
    # Fakes 0.9, 0.5, 0.2 against reals 0.5, 0.1: of six pairs 0.9 wins 2, 0.5 wins 1 and ties 1, 0.2 wins 1.
    rows = [(True, 0.9), (True, 0.5), (True, 0.2), (False, 0.5), (False, 0.1)]
    assert auc(rows) == pytest.approx(4.5 / 6)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(True, 0.9), (False, 0.1)], 1.0),
        ([(True, 0.1), (False, 0.9)], 0.0),
        ([(True, 0.4), (False, 0.4), (False, 0.4)], 0.5),
    ],
)
def test_auc_of_perfect_reversed_and_constant_scores(rows: list[tuple[bool, float]], expected: float) -> None:
    assert auc(rows) == pytest.approx(expected)


@pytest.mark.parametrize("rows", [[], [(True, 0.3)], [(False, 0.3), (False, 0.8)]])
def test_auc_of_one_class_is_none(rows: list[tuple[bool, float]]) -> None:
    assert auc(rows) is None


def test_equal_error_rate_is_where_false_alarms_and_misses_meet() -> None:
    # Sorted: real .1, real .2, fake .3, real .6, fake .7, fake .9. Between .3 and .6 one of three reals is called
    # fake (.6) and one of three fakes is missed (.3).
    rows = [(False, 0.1), (False, 0.2), (True, 0.3), (False, 0.6), (True, 0.7), (True, 0.9)]
    rate, threshold = equal_error_rate(rows)
    assert rate == pytest.approx(1 / 3)
    assert threshold == pytest.approx(0.45)


def test_where_they_never_meet_the_rate_is_the_mean_of_the_closest() -> None:
    # Reals .2 and .8, fake .6: above .6 1/2 false alarms and 1 missed; below it 1/2 and 0. Both differ by 1/2, and the
    # wider gap is from .2 to .6.
    rate, threshold = equal_error_rate([(False, 0.2), (False, 0.8), (True, 0.6)])
    assert rate == pytest.approx(0.25)
    assert threshold == pytest.approx(0.4)


def test_separable_scores_have_no_error_and_a_threshold_half_way() -> None:
    assert equal_error_rate([(False, 0.1), (False, 0.3), (True, 0.7), (True, 0.9)]) == pytest.approx((0.0, 0.5))


def test_a_video_s_probability_is_of_its_mean_logits() -> None:
    # (1/4 and 27/28 are odds of 1/3 and 27; the mean of their logarithms is that of odds 3, so 3/4.)
    windows = [window("a", True, 1 / 4), window("b", False, 0.2), window("a", True, 27 / 28)]
    found = video_probabilities(windows, Decision())
    assert {video: is_fake for video, (is_fake, _) in found.items()} == {"a": True, "b": False}
    assert [probability for _, probability in found.values()] == pytest.approx([3 / 4, 1 / 5])


def test_the_summary_of_four_videos() -> None:
    windows = [
        window("fake 1", True, 0.9, (0.9, 0.7)),
        window("fake 2", True, 1 / 4, (0.2,)),
        window("fake 2", True, 1 / 4, (0.2,)),
        window("real 1", False, 0.6, (0.6,)),
        window("real 2", False, 0.1, (0.1, 0.1)),
    ]

    found = summarise(windows, Decision(threshold=0.5), undecided=2, coverage=0.75)

    # Videos: fakes .9 and .25, reals .6 and .1; three of four pairs are in order.
    assert found["auc"] == pytest.approx(3 / 4)
    # Windows: fakes .9, .25, .25; reals .6, .1: .9 wins both, each .25 wins one of two.
    assert found["window_auc"] == pytest.approx(4 / 6)
    # Frames: fakes .9, .7, .2, .2; reals .6, .1, .1: 3 + 3 + 2 + 2 of 12.
    assert found["frame_auc"] == pytest.approx(10 / 12)
    # Ranked .9 fake, .6 real, .25 fake, .1 real: precision 1 at the first fake, 2/3 at the second.
    assert found["ap"] == pytest.approx((1 + 2 / 3) / 2)
    # Between .25 and .6 one of two reals is called and one of two fakes missed.
    assert found["eer"] == pytest.approx(1 / 2)
    # .9 and .1 are right at .5.
    assert found["accuracy"] == pytest.approx(2 / 4)
    # Each video alone in its tenth: |.9 - 1|, |.25 - 1|, |.6 - 0|, |.1 - 0|.
    assert found["ece"] == pytest.approx((0.1 + 0.75 + 0.6 + 0.1) / 4)
    assert found["log_loss"] == pytest.approx(-math.log(0.9 * 0.25 * 0.4 * 0.9) / 4)
    assert (found["videos_real"], found["videos_fake"], found["undecided"], found["coverage"]) == (2, 2, 2, 0.75)


def test_the_decision_s_threshold_and_temperature_are_used() -> None:
    # Odds of 81 at temperature 2 are odds of 9.
    windows = [window("fake", True, 81 / 82), window("real", False, 1 / 82)]
    at_90 = summarise(windows, Decision(threshold=0.89, temperature=2.0), undecided=0, coverage=1.0)
    above = summarise(windows, Decision(threshold=0.91, temperature=2.0), undecided=0, coverage=1.0)
    assert (at_90["accuracy"], above["accuracy"]) == (1.0, 0.5)
    assert at_90["log_loss"] == pytest.approx(-math.log(0.9))


def test_what_needs_both_classes_is_none_without_them_and_a_wrong_certainty_stays_finite() -> None:
    found = summarise([ScoredWindow(video="a", is_fake=True, logits=(900.0, -900.0), frame_logits=())],
                      Decision(), undecided=0, coverage=1.0)  # fmt: skip
    assert [found[name] for name in ("auc", "window_auc", "frame_auc", "ap", "eer")] == [None] * 5
    assert found["accuracy"] == 0.0
    assert found["log_loss"] == pytest.approx(-math.log(1e-7), rel=1e-3)


def test_without_a_decided_video_there_are_counts_and_no_figures() -> None:
    found = summarise([], Decision(), undecided=3, coverage=0.1)
    assert {name: value for name, value in found.items() if value is not None} == {
        "videos_real": 0,
        "videos_fake": 0,
        "undecided": 3,
        "coverage": 0.1,
    }
