"""Intervals: rounds worked out by hand, and how often the gate is right over many made-up runs."""

import numpy as np
import pytest

from benchmarks.row import Latency, Rounds
from benchmarks.slowdown import TOLERANCE
from benchmarks.statistics import LEAST_ROUNDS, change, contradiction, median, ratio_to_anchor, together
from tests.benchmarks.conftest import ROUNDS, row, timed

REPETITIONS = 200


def rounds(times_ms: list[float], anchor_ms: float = 4.0) -> Rounds:
    return Rounds(row_ms=tuple(times_ms), anchor_ms=(anchor_ms,) * len(times_ms))


def noisy_run(generator: np.random.Generator, *, slower: float = 1.0) -> Rounds:
    """A run on a shared machine: a pace that drifts, a slow spell in every second run, and jolts on one side alone."""
    pace = np.cumsum(generator.normal(0, 0.02, ROUNDS))
    if generator.random() < 0.5:
        start = int(generator.integers(0, ROUNDS - 5))
        pace[start : start + int(generator.integers(5, 20))] += np.log(1.6)
    sides = []
    for _ in range(2):
        jolts = (generator.random(ROUNDS) < 0.1) * generator.exponential(0.4, ROUNDS)
        sides.append(np.exp(pace + generator.normal(0, 0.02, ROUNDS) + jolts))
    return Rounds(row_ms=tuple(1.6 * slower * sides[0]), anchor_ms=tuple(4.0 * sides[1]))


def alarms(*, slower: float) -> float:
    """Share of pairs of runs in which the second is called slower."""
    generator = np.random.default_rng(2026)
    found = 0
    for _ in range(REPETITIONS):
        told = change(noisy_run(generator), noisy_run(generator, slower=slower))
        assert told is not None
        found += told.low > 1 + TOLERANCE
    return found / REPETITIONS


def test_a_planted_slowdown_of_a_tenth_is_found_in_more_than_98_of_100_runs() -> None:
    assert alarms(slower=1.10) >= 0.98


def test_planted_noise_raises_an_alarm_in_fewer_than_1_of_100_runs() -> None:
    assert alarms(slower=1.0) <= 0.01


def test_a_drift_within_the_tolerance_is_no_slowdown() -> None:
    assert alarms(slower=1.02) <= 0.05


def test_an_interval_holds_the_truth_in_most_runs() -> None:
    generator = np.random.default_rng(7)
    told = [ratio_to_anchor(noisy_run(generator)) for _ in range(REPETITIONS)]

    held = sum(one is not None and one.low <= 0.4 <= one.high for one in told)

    assert held / REPETITIONS >= 0.9


def test_a_steady_ratio_is_known_exactly() -> None:
    told = ratio_to_anchor(rounds([2.0] * 20))

    assert told is not None
    assert (told.value, told.low, told.high) == pytest.approx((0.5, 0.5, 0.5))


def test_rounds_in_which_the_machine_did_something_else_are_left_out() -> None:
    told = ratio_to_anchor(rounds([2.0] * 16 + [40.0] * 4))

    assert told is not None
    assert told.value == pytest.approx(0.5)


def test_the_same_rounds_give_the_same_interval() -> None:
    run = noisy_run(np.random.default_rng(1))

    assert ratio_to_anchor(run) == ratio_to_anchor(run)


def test_rows_of_one_run_are_compared_round_by_round() -> None:
    generator = np.random.default_rng(3)
    pace = tuple(np.exp(generator.normal(0, 0.3, ROUNDS)))
    before = Rounds(row_ms=pace, anchor_ms=pace)
    after = Rounds(row_ms=tuple(1.1 * ms for ms in pace), anchor_ms=pace)

    told = change(before, after)

    assert told is not None
    assert (told.low, told.high) == pytest.approx((1.1, 1.1))


@pytest.mark.parametrize("missing", [None, rounds([2.0] * (LEAST_ROUNDS - 1))])
def test_too_few_rounds_tell_nothing(missing: Rounds | None) -> None:
    enough = rounds([2.0] * LEAST_ROUNDS)

    assert ratio_to_anchor(enough) is not None
    assert ratio_to_anchor(missing) is None
    assert change(enough, missing) is None
    assert change(missing, enough) is None


def test_a_frame_is_encode_and_a_share_of_classify() -> None:
    assert together(rounds([2.0, 4.0]), rounds([10.0, 20.0]), share=0.1) == rounds([3.0, 6.0])


def test_rounds_of_two_runs_do_not_add_up() -> None:
    assert together(rounds([2.0]), rounds([2.0], anchor_ms=5.0), share=0.1) is None


def test_a_row_whose_medians_and_rounds_differ_contradicts_itself() -> None:
    honest = timed("a", "encode", 2.0)

    assert contradiction(honest) is None
    assert contradiction(row("a", "encode", 2.0)) is None
    said = contradiction(honest.model_copy(update={"ratio_to_anchor": 0.45}))
    assert said is not None
    assert "0.450 anchors" in said


def test_the_median_of_calls_alone_has_the_interval_of_their_order() -> None:
    # 1 to 101 ms, as if of 400 calls: 4.9 per cent to either side.
    told = median(Latency.of([float(ms) for ms in range(1, 102)]), 400)

    assert told is not None
    assert (told.value, told.low, told.high) == pytest.approx((51.0, 46.1, 55.9))


def test_the_interval_of_a_median_holds_it_in_95_of_100_samples() -> None:
    generator = np.random.default_rng(5)
    held = 0
    for _ in range(REPETITIONS):
        told = median(Latency.of(generator.exponential(1.0, 400).tolist()), 400)
        assert told is not None
        held += told.low <= np.log(2) <= told.high

    assert held / REPETITIONS >= 0.93


def test_a_summary_without_the_distribution_has_no_interval() -> None:
    assert median(row("a", "encode", 2.0).times, 1024) is None
