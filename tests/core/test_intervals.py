"""Intervals of an AUC: by hand where two identities leave nothing to chance, and against slow and other ways."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_auroc

from core.evaluation.intervals import auc_interval, paired_auc_gap, rank_auc, resampled_aucs

Rows = list[tuple[str, bool, float]]

labels_and_scores = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40)


def drawn(people: int, *, noise: float, seed: int, videos: int = 2) -> Rows:
    """A real and a fake of each person `videos` times, of which a fake scores 1 higher but for the noise."""
    generator = np.random.default_rng(seed)
    return [
        (f"p{person}", is_fake, is_fake + noise * float(generator.standard_normal()))
        for person in range(people)
        for _ in range(videos)
        for is_fake in (False, True)
    ]


@given(labels_and_scores)
def test_the_rank_formula_counts_every_pair_and_a_tie_as_half(rows: Sequence[tuple[bool, int]]) -> None:
    fakes, reals = ([score for is_fake, score in rows if is_fake is wanted] for wanted in (True, False))
    pairs = [1.0 if fake > real else 0.5 if fake == real else 0.0 for fake in fakes for real in reals]
    found = rank_auc([is_fake for is_fake, _ in rows], [float(score) for _, score in rows])
    assert found == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


def test_it_is_torchmetrics_auc() -> None:
    rows = drawn(50, noise=1.5, seed=1)
    is_fake, scores = [row[1] for row in rows], [round(row[2], 1) for row in rows]
    expected = float(binary_auroc(torch.tensor(scores).sigmoid().double(), torch.tensor(is_fake, dtype=torch.int64)))
    assert rank_auc(is_fake, scores) == pytest.approx(expected, abs=1e-6)


def test_two_identities_leave_three_resamples() -> None:
    # Drawn: a twice (AUC 1), b twice (AUC 0), or both: of the pairs .9>.1, .9>.4, .2>.1, .2<.4 three are in order.
    rows: Rows = [("a", True, 0.9), ("a", False, 0.1), ("b", True, 0.2), ("b", False, 0.4)]
    identities, is_fake, scores = zip(*rows, strict=True)
    found = resampled_aucs(identities, is_fake, [scores], resamples=4000)[0]
    values, counts = np.unique(found, return_counts=True)
    assert values.tolist() == [0.0, 0.75, 1.0]
    # A quarter, a half, a quarter: within five standard deviations of 4,000 draws.
    assert counts / 4000 == pytest.approx([0.25, 0.5, 0.25], abs=0.04)
    assert auc_interval(rows) == (0.0, 1.0)


def test_a_resample_is_the_auc_of_the_videos_drawn() -> None:
    rows = drawn(6, noise=1.0, seed=2)
    identities, is_fake, scores = zip(*rows, strict=True)
    found = resampled_aucs(identities, is_fake, [scores], resamples=20, seed=3)[0]
    names = sorted(set(identities))
    counts = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), size=20)
    for value, count in zip(found, counts, strict=True):
        shown = [row for name, times in zip(names, count, strict=True) for row in rows * int(times) if row[0] == name]
        assert value == pytest.approx(rank_auc([row[1] for row in shown], [row[2] for row in shown]))


def test_resamples_without_a_class_are_skipped() -> None:
    # One person is seen really, the other only forged: half of all draws show one of them alone.
    found = resampled_aucs(["a", "b"], [False, True], [[0.1, 0.9]], resamples=1000)
    assert 400 < found.shape[1] < 600
    assert auc_interval([("a", False, 0.1), ("b", True, 0.9)]) == (1.0, 1.0)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("a", True, 0.9), ("a", False, 0.1)],
        [("a", True, 0.9), ("b", True, 0.1)],
    ],
)
def test_what_cannot_be_drawn_anew_has_no_interval(rows: Rows) -> None:
    assert auc_interval(rows) is None
    assert paired_auc_gap([(*row, 0.5) for row in rows]) is None


def test_the_interval_is_the_same_every_time_and_another_with_another_seed() -> None:
    rows = drawn(30, noise=1.5, seed=4)
    assert auc_interval(rows) == auc_interval(rows)
    assert auc_interval(rows) != auc_interval(rows, seed=1)


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = drawn(30, noise=1.5, seed=4)
    assert auc_interval(rows) == pytest.approx(auc_interval(rows[::-1]))


def test_copies_of_a_person_s_videos_do_not_make_the_interval_narrower() -> None:
    rows = drawn(25, noise=1.5, seed=5)
    once, ten = auc_interval(rows), auc_interval(rows * 10)
    assert once is not None
    assert ten == pytest.approx(once)
    # Whereas as videos of other people they do.
    others = [(f"{name} {copy}", is_fake, score) for copy in range(10) for name, is_fake, score in rows]
    apart = auc_interval(others)
    assert apart is not None
    assert apart[1] - apart[0] < 0.5 * (once[1] - once[0])


def test_about_95_in_100_intervals_hold_the_true_auc() -> None:
    # Normal scores one apart, with a deviation of 1.5: P(fake > real) = Phi(1 / (1.5 sqrt 2)).
    true = 0.5 * (1 + math.erf(1 / (1.5 * math.sqrt(2)) / math.sqrt(2)))
    held = 0
    for seed in range(200):
        found = auc_interval(drawn(40, noise=1.5, seed=seed, videos=1), resamples=300)
        assert found is not None
        held += found[0] <= true <= found[1]
    # 95 % less what 40 people cost a percentile interval; three standard deviations of 200 trials are 5 %.
    assert 0.88 <= held / 200 <= 0.99


def test_a_gap_is_a_difference_of_aucs_with_its_interval_by_hand() -> None:
    # As A the rows of two identities above: 0, 0.75 or 1; as B every pair is in order whatever is drawn.
    rows = [("a", True, 0.9, 4.0), ("a", False, 0.1, 2.0), ("b", True, 0.2, 3.0), ("b", False, 0.4, 1.0)]
    found = paired_auc_gap(rows)
    assert found is not None
    assert found.gap == pytest.approx(-0.25)
    assert found.interval == (-1.0, 0.0)
    # Of -1, -0.25 and 0 at 1/4, 1/2 and 1/4: mean -0.375, mean of squares 0.28125.
    assert found.deviation == pytest.approx(math.sqrt(0.28125 - 0.375**2), abs=0.02)


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_a_model_beside_itself_has_no_gap(seed: int) -> None:
    found = paired_auc_gap([(*row, 3 * row[2] - 1) for row in drawn(12, noise=1.0, seed=seed)], resamples=50)
    assert found is not None
    # Any rising function of the scores gives the same AUC.
    assert (found.gap, found.interval, found.deviation) == (0.0, (0.0, 0.0), 0.0)


def test_pairing_takes_out_what_is_hard_for_both() -> None:
    generator = np.random.default_rng(7)
    rows = [(*row, row[2] + 0.05 * float(generator.standard_normal())) for row in drawn(40, noise=1.5, seed=6)]
    paired = paired_auc_gap(rows)
    alone = auc_interval([row[:3] for row in rows])
    assert paired is not None
    assert alone is not None
    assert paired.interval[1] - paired.interval[0] < 0.3 * (alone[1] - alone[0])


def test_large_corpora_are_drawn_in_chunks_with_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drawn(30, noise=1.5, seed=8)
    whole = auc_interval(rows)
    monkeypatch.setattr("core.evaluation.intervals.CHUNK_WEIGHTS", 7 * len(rows))
    assert auc_interval(rows) == pytest.approx(whole)
