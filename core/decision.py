"""Windows over sampled frames, and the rule that turns their logits into a verdict.

Plain arithmetic, repeated by every reader of an artefact in its own language.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

WINDOW = 20
"""T: the slots of a window, oldest first."""

Label = Literal["real", "fake", "undecided"]

Logits = tuple[float, float]
"""(real, fake)."""


class Decision(BaseModel):
    """How frames are picked, windows are formed and logits become a verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame_rate: float = Field(default=10.0, gt=0, le=240, description="sampled frames a second")
    hop: int = Field(default=10, ge=1, le=WINDOW, description="samples between the ends of two windows")
    min_coverage: float = Field(default=0.5, gt=0, le=1, description="valid / sampled below which nothing is decided")
    temperature: float = Field(default=1.0, gt=0, description="divides the mean logits before the softmax")
    threshold: float = Field(default=0.5, ge=0, le=1, description="fake at or above this probability")
    aggregation: Literal["mean_logits"] = "mean_logits"
    positive_class: Literal["fake"] = "fake"
    positive_index: Literal[1] = 1

    def probability(self, windows: Sequence[Logits]) -> float:
        """softmax(mean logits / temperature)[fake] of at least one window's logits."""
        margin = math.fsum(fake - real for real, fake in windows) / len(windows) / self.temperature
        # The two-class softmax as a logistic function, on the side that cannot overflow.
        return 1 / (1 + math.exp(-margin)) if margin >= 0 else 1 - 1 / (1 + math.exp(margin))

    def label(self, probability: float | None) -> Label:
        """The verdict on a probability; None is a video without a decided window."""
        if probability is None:
            return "undecided"
        return "fake" if probability >= self.threshold else "real"


@dataclass(frozen=True, kw_only=True)
class WindowSpan:
    """Samples [start, end) of a video: at most WINDOW of them, fewer only in a video that is shorter."""

    start: int
    end: int


def closes_window(samples: int, hop: int) -> bool:
    """Whether a window ends with the `samples`-th sample (counted from 1): at 20, 20 + hop, 20 + 2 hop, ..."""
    return samples >= WINDOW and (samples - WINDOW) % hop == 0


def window_spans(samples: int, hop: int) -> list[WindowSpan]:
    """Every window of a video with so many samples.

    Where the end of the video leaves samples that no window has seen, one more window ends with the last sample: so
    a video shorter than a window still has one, its first slots invalid.
    """
    ends = [count for count in range(1, samples + 1) if closes_window(count, hop)]
    if samples and (not ends or ends[-1] != samples):
        ends.append(samples)
    return [WindowSpan(start=max(0, end - WINDOW), end=end) for end in ends]
