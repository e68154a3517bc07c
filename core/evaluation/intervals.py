"""How sure an AUC is: identities drawn anew with all their videos, because videos of one person are no two witnesses.

Percentile bootstrap over clusters (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
TAILS = (2.5, 97.5)
"""Percentiles of a 95 % interval."""

CHUNK_WEIGHTS = 1 << 21
"""Weights held at a time: a large corpus times all resamples would not fit in memory."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """AUC of A less AUC of B over the same videos."""

    gap: float
    interval: tuple[float, float]
    """95 %."""
    deviation: float
    """Standard deviation over the resamples."""


def rank_auc(is_fake: Sequence[bool], scores: Sequence[float]) -> float | None:
    """Share of (fake, real) pairs in which the fake scores higher, a tie as half; None where a class is missing."""
    if not len(is_fake):
        return None
    value = float(_Ranked(is_fake, scores).aucs(np.ones((1, len(is_fake))))[0])
    return None if np.isnan(value) else value


def auc_interval(
    rows: Sequence[tuple[str, bool, float]], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """95 % interval of the AUC of (identity, is fake, score), one row a video.

    Resamples in which a class is missing have no AUC and are skipped. None where nothing can be drawn anew: a class is
    missing, or all is of one identity.
    """
    if not rows:
        return None
    identities, is_fake, scores = zip(*rows, strict=True)
    aucs = resampled_aucs(identities, is_fake, [scores], resamples=resamples, seed=seed)
    return _interval(aucs[0]) if aucs.shape[1] else None


def paired_auc_gap(
    rows: Sequence[tuple[str, bool, float, float]], *, resamples: int = RESAMPLES, seed: int = 0
) -> Gap | None:
    """AUC of A less AUC of B, of (identity, is fake, score of A, score of B), one row a video.

    Both are drawn anew alike, so that what makes a resample easy for both cancels. None as in `auc_interval`.
    """
    if not rows:
        return None
    identities, is_fake, *scores = zip(*rows, strict=True)
    aucs = resampled_aucs(identities, is_fake, scores, resamples=resamples, seed=seed)
    if not aucs.shape[1]:
        return None
    of_a, of_b = (rank_auc(is_fake, column) for column in scores)
    assert of_a is not None
    assert of_b is not None
    gaps = aucs[0] - aucs[1]
    return Gap(gap=of_a - of_b, interval=_interval(gaps), deviation=float(gaps.std()))


def resampled_aucs(
    identities: Sequence[str],
    is_fake: Sequence[bool],
    scores: Sequence[Sequence[float]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """AUC of each row of `scores` in each resample that has both classes: float64 [scores, up to `resamples`].

    As many identities are drawn, with replacement, as there are; an identity that is drawn twice counts twice with all
    its videos. Empty along the last axis where there are fewer than two identities.
    """
    names, owner = np.unique(np.asarray(identities), return_inverse=True)
    if len(names) < 2:
        return np.empty((len(scores), 0))
    ranked = [_Ranked(is_fake, column) for column in scores]
    generator = np.random.default_rng(seed)
    chunk = max(1, CHUNK_WEIGHTS // len(is_fake))
    found = []
    for first in range(0, resamples, chunk):
        count = min(chunk, resamples - first)
        drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=count)
        weights = drawn[:, owner].astype(np.float64)
        found.append(np.stack([one.aucs(weights) for one in ranked]))
    aucs = np.concatenate(found, axis=1)
    return np.asarray(aucs[:, ~np.isnan(aucs[0])])


class _Ranked:
    """Videos sorted by score once, so that every resample's AUC is two sums over them."""

    def __init__(self, is_fake: Sequence[bool], scores: Sequence[float]) -> None:
        values = np.asarray(scores, dtype=np.float64)
        self._order = np.argsort(values, kind="stable")
        self._fake = np.asarray(is_fake, dtype=bool)[self._order]
        _, self._first = np.unique(values[self._order], return_index=True)

    def aucs(self, weights: Floats) -> Floats:
        """AUC under each row of `weights` [R, videos], how often a video counts; NaN where a class has none."""
        ordered = weights[:, self._order]
        fake = np.add.reduceat(ordered * self._fake, self._first, axis=1)
        real = np.add.reduceat(ordered * ~self._fake, self._first, axis=1)
        below = np.cumsum(real, axis=1) - real / 2
        pairs = fake.sum(axis=1) * real.sum(axis=1)
        won = (fake * below).sum(axis=1)
        return np.asarray(np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, TAILS)
    return float(low), float(high)
