"""How sure a ratio is, and whether it changed: bootstrap over the rounds in which row and anchor took turns.

A machine's pace drifts, so neighbouring rounds are no two witnesses: runs of rounds are drawn, not rounds (the circular
block bootstrap, Politis and Romano, 1992). Both sides of a round stay together, so that a slow minute cancels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.row import QUANTILES, Latency, Rounds, Row

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
TAILS = (2.5, 97.5)
"""Percentiles of a 95 % interval."""

LEAST_ROUNDS = 8
"""Below it an interval would say more than is known."""

TRIMMED = 0.25
"""Share of rounds left out at either end: what else the machine did in them is no property of the row."""

DISAGREEMENT = 0.05
"""How far outside the interval of its rounds, relative, a row's `ratio_to_anchor` contradicts it."""


@dataclass(frozen=True, kw_only=True)
class Uncertain:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def including(self, value: float) -> "Uncertain":
        """With the interval stretched to hold `value`."""
        return Uncertain(value=self.value, low=min(self.low, value), high=max(self.high, value))

    def plus(self, other: "Uncertain", *, share: float) -> "Uncertain":
        """With `share` of `other` added, as if both erred the same way."""
        return Uncertain(
            value=self.value + share * other.value,
            low=self.low + share * other.low,
            high=self.high + share * other.high,
        )


def ratio_to_anchor(rounds: Rounds | None) -> Uncertain | None:
    """Times of the anchor, over the rounds; None where there are too few to tell how sure it is."""
    if rounds is None or len(rounds.row_ms) < LEAST_ROUNDS:
        return None
    logs = np.log(rounds.row_ms) - np.log(rounds.anchor_ms)
    return _exponent(float(_centre(logs)), _draws(logs, seed=0))


def median(latency: Latency, calls: int) -> Uncertain | None:
    """Milliseconds a call, from the order of the calls alone (a binomial interval); None without the distribution.

    It takes calls for independent witnesses, so it is for a device that has no rounds to draw from.
    """
    if latency.quantiles is None:
        return None
    reach = min(50.0, 98.0 / np.sqrt(calls))
    low, high = (float(np.interp(50 + side * reach, QUANTILES, latency.quantiles)) for side in (-1, 1))
    return Uncertain(value=latency.p50, low=min(low, latency.p50), high=max(high, latency.p50))


def change(before: Rounds | None, after: Rounds | None) -> Uncertain | None:
    """How many times slower `after` is, through ratios to the anchor; None where either has too few rounds.

    Rounds of one run are compared directly, one by one: there the anchor is the same calls on both sides.
    """
    if before is None or after is None or min(len(before.row_ms), len(after.row_ms)) < LEAST_ROUNDS:
        return None
    if before.anchor_ms == after.anchor_ms:
        logs = np.log(after.row_ms) - np.log(before.row_ms)
        return _exponent(float(_centre(logs)), _draws(logs, seed=0))
    old, new = (np.log(rounds.row_ms) - np.log(rounds.anchor_ms) for rounds in (before, after))
    draws = _draws(new, seed=0) - _draws(old, seed=1)
    return _exponent(float(_centre(new) - _centre(old)), draws)


def together(first: Rounds | None, second: Rounds | None, *, share: float) -> Rounds | None:
    """Rounds of `first` plus `share` of `second`, of one run; None where they are not of the same rounds."""
    if first is None or second is None or first.anchor_ms != second.anchor_ms:
        return None
    summed = tuple(a + share * b for a, b in zip(first.row_ms, second.row_ms, strict=True))
    return Rounds(row_ms=summed, anchor_ms=first.anchor_ms)


def contradiction(row: Row) -> str | None:
    """Where a row's median ratio and its rounds say different things, in words: then neither can be relied on."""
    told = ratio_to_anchor(row.rounds)
    if told is None or row.ratio_to_anchor is None:
        return None
    if told.low * (1 - DISAGREEMENT) <= row.ratio_to_anchor <= told.high * (1 + DISAGREEMENT):
        return None
    return f"its medians give {row.ratio_to_anchor:.3f} anchors and its rounds {told.value:.3f}"


def _centre(logs: Floats) -> Floats:
    """Mean over the last axis without its extremes."""
    ordered = np.sort(logs, axis=-1)
    cut = int(TRIMMED * logs.shape[-1])
    return np.asarray(ordered[..., cut : logs.shape[-1] - cut].mean(axis=-1))


def _draws(logs: Floats, *, seed: int) -> Floats:
    """`_centre` of as many resamples as RESAMPLES says: float64 [RESAMPLES]."""
    count = len(logs)
    length = int(np.ceil(np.sqrt(count)))
    blocks = int(np.ceil(count / length))
    starts = np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, blocks, 1))
    places = ((starts + np.arange(length)) % count).reshape(RESAMPLES, -1)[:, :count]
    centre = _centre(logs)
    # Resamples of few long blocks scatter less than the figure itself does.
    return np.asarray(centre + (_centre(logs[places]) - centre) * np.sqrt(count / (count - length)))


def _exponent(centre: float, draws: Floats) -> Uncertain:
    low, high = np.percentile(draws, TAILS)
    return Uncertain(value=float(np.exp(centre)), low=float(np.exp(low)), high=float(np.exp(high)))
