"""Temperature and threshold, fitted on validation videos or on variants of them.

Temperature scaling is Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.decision import Decision
from core.metrics import ScoredWindow, equal_error_rate, expected_calibration_error, video_probabilities

TEMPERATURES = tuple(0.25 * 1.05**step for step in range(58))
"""0.25 to 4: wide enough that for few videos the prior decides, and not an end."""
PRIOR_SPREAD = 0.5
"""Standard deviation of a normal prior about 0 on the temperature's logarithm; ours, not Guo et al.'s.

A few validation videos that are told apart without an error would otherwise take the least temperature there is, and
the model would be far too sure of everybody else. With many videos it hardly counts.
"""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Where probability becomes a verdict."""

    false_alarm_rate: float | None = None
    """Share of the real videos it is fitted on that may be called fake; None: as many as there are fakes missed."""

    def __post_init__(self) -> None:
        if self.false_alarm_rate is not None and not 0 <= self.false_alarm_rate < 1:
            raise ValueError(f"false_alarm_rate {self.false_alarm_rate}: allowed is 0 to below 1, or None")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was fitted, and what it was worth on the videos, or variants, that it was fitted on."""

    decision: Decision
    ece_before: float | None
    """Expected calibration error at temperature 1; None where nothing could be fitted."""
    ece_after: float | None


def calibrated(
    windows: Sequence[ScoredWindow], decision: Decision, threshold: Threshold = Threshold(), *, variants: int = 1
) -> Calibration:
    """`decision` with the likeliest temperature given `windows`' videos, and the threshold that is asked for.

    Where the videos are so many `variants` of each, all of one count as one: they say little new of the temperature.
    Where validation has one class only, nothing can be fitted and `decision` is returned as it is.
    """
    if len({window.is_fake for window in windows}) < 2:
        return Calibration(decision=decision, ece_before=None, ece_after=None)
    plain = decision.model_copy(update={"temperature": 1.0})
    tempered = min(
        (decision.model_copy(update={"temperature": temperature}) for temperature in TEMPERATURES),
        key=lambda candidate: _log_loss(windows, candidate) / variants + _disbelief(candidate.temperature),
    )
    videos = list(video_probabilities(windows, tempered).values())
    if threshold.false_alarm_rate is None:
        _, chosen = equal_error_rate(videos)
    else:
        chosen = _at_false_alarm_rate(videos, threshold.false_alarm_rate)
    return Calibration(
        decision=tempered.model_copy(update={"threshold": chosen}),
        ece_before=expected_calibration_error(list(video_probabilities(windows, plain).values())),
        ece_after=expected_calibration_error(videos),
    )


def _at_false_alarm_rate(videos: Sequence[tuple[bool, float]], rate: float) -> float:
    """The lowest threshold that calls at most that share of the real videos fake: half-way to the next score above."""
    reals = sorted((score for is_fake, score in videos if not is_fake), reverse=True)
    allowed = math.floor(rate * len(reals))
    highest = reals[allowed] if allowed < len(reals) else 0.0
    above = [score for _, score in videos if score > highest]
    return (highest + min(above, default=1.0)) / 2


def _log_loss(windows: Sequence[ScoredWindow], decision: Decision) -> float:
    """Negative log-likelihood, summed over the videos: the prior counts as much as a few of them."""
    total = 0.0
    for is_fake, probability in video_probabilities(windows, decision).values():
        total -= math.log(max(1e-12, probability if is_fake else 1 - probability))
    return total


def _disbelief(temperature: float) -> float:
    """Negative logarithm of the prior's density, but for a constant."""
    return 0.5 * (math.log(temperature) / PRIOR_SPREAD) ** 2
