"""Temperature and threshold, fitted on validation videos.

Temperature scaling is Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

import math
from collections.abc import Sequence

from core.decision import Decision
from core.metrics import ScoredWindow, equal_error_rate, video_probabilities

TEMPERATURES = tuple(0.25 * 1.05**step for step in range(58))
"""0.25 to 4: beyond that a few validation videos say nothing about how sure to be."""


def calibrated(windows: Sequence[ScoredWindow], decision: Decision) -> Decision:
    """`decision` with the temperature of least log loss and the threshold of equal error over `windows`' videos.

    Where validation has one class only, nothing can be fitted and `decision` is returned as it is.
    """
    if len({window.is_fake for window in windows}) < 2:
        return decision
    tempered = min(
        (decision.model_copy(update={"temperature": temperature}) for temperature in TEMPERATURES),
        key=lambda candidate: _log_loss(windows, candidate),
    )
    _, threshold = equal_error_rate(list(video_probabilities(windows, tempered).values()))
    return tempered.model_copy(update={"threshold": threshold})


def _log_loss(windows: Sequence[ScoredWindow], decision: Decision) -> float:
    total = 0.0
    videos = video_probabilities(windows, decision)
    for is_fake, probability in videos.values():
        total -= math.log(max(1e-12, probability if is_fake else 1 - probability))
    return total / len(videos)
