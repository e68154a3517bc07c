"""How well scores tell fakes from real videos. Index 1 = fake = positive, everywhere."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from core.decision import Decision, Logits

# torchmetrics takes as long to import as torch itself: only who asks for one of its figures waits for it.

Metrics = dict[str, float | int | None]


@dataclass(frozen=True, kw_only=True)
class ScoredWindow:
    """The logits of one decided window and of each of its frames judged alone."""

    video: str
    is_fake: bool
    logits: Logits
    frame_logits: tuple[Logits, ...]


def video_probabilities(windows: Sequence[ScoredWindow], decision: Decision) -> dict[str, tuple[bool, float]]:
    """(is fake, fake probability) of every video."""
    logits: dict[str, list[Logits]] = defaultdict(list)
    label = {window.video: window.is_fake for window in windows}
    for window in windows:
        logits[window.video].append(window.logits)
    return {video: (label[video], decision.probability(rows)) for video, rows in logits.items()}


def summarise(windows: Sequence[ScoredWindow], decision: Decision, *, undecided: int, coverage: float) -> Metrics:
    """The block of metrics.json for one model on one side of the split.

    `undecided` counts the videos without a decided window; they are in no other figure. A figure that needs both
    classes is None where one is missing.
    """
    from torchmetrics.functional.classification import binary_average_precision

    videos = list(video_probabilities(windows, decision).values())
    window_rows = [(window.is_fake, decision.probability([window.logits])) for window in windows]
    frame_rows = [(w.is_fake, decision.probability([logits])) for w in windows for logits in w.frame_logits]
    fakes = sum(is_fake for is_fake, _ in videos)
    scores = torch.tensor([score for _, score in videos])
    labels = torch.tensor([is_fake for is_fake, _ in videos], dtype=torch.int64)
    both = 0 < fakes < len(videos)
    clipped = scores.double().clamp(1e-7, 1 - 1e-7)
    return {
        "auc": auc(videos),
        "frame_auc": auc(frame_rows),
        "window_auc": auc(window_rows),
        "ap": float(binary_average_precision(scores, labels)) if both else None,
        "eer": equal_error_rate(videos)[0] if both else None,
        "accuracy": float(((scores >= decision.threshold) == labels.bool()).double().mean()) if videos else None,
        "ece": expected_calibration_error(videos) if videos else None,
        "log_loss": float(torch.nn.functional.binary_cross_entropy(clipped, labels.double())) if videos else None,
        "videos_real": len(videos) - fakes,
        "videos_fake": fakes,
        "undecided": undecided,
        "coverage": coverage,
    }


def window_log_loss(windows: Sequence[ScoredWindow], decision: Decision) -> float | None:
    """Mean cross-entropy of single windows' probabilities; None where there is no window."""
    if not windows:
        return None
    scores = torch.tensor([decision.probability([window.logits]) for window in windows]).double().clamp(1e-7, 1 - 1e-7)
    labels = torch.tensor([window.is_fake for window in windows]).double()
    return float(torch.nn.functional.binary_cross_entropy(scores, labels))


def auc(rows: Sequence[tuple[bool, float]]) -> float | None:
    """Area under the ROC curve of (is fake, score); None where a class is missing."""
    labels = torch.tensor([is_fake for is_fake, _ in rows], dtype=torch.int64)
    if labels.numel() == 0 or labels.min() == labels.max():
        return None
    from torchmetrics.functional.classification import binary_auroc

    return float(binary_auroc(torch.tensor([score for _, score in rows]), labels))


def expected_calibration_error(rows: Sequence[tuple[bool, float]]) -> float:
    """ECE of (is fake, fake probability): mean gap between confidence and accuracy over 10 bins of probability."""
    from torchmetrics.functional.classification import binary_calibration_error

    scores = torch.tensor([score for _, score in rows])
    labels = torch.tensor([is_fake for is_fake, _ in rows], dtype=torch.int64)
    return float(binary_calibration_error(scores, labels, n_bins=10))


def equal_error_rate(rows: Sequence[tuple[bool, float]]) -> tuple[float, float]:
    """(EER, threshold) where false alarms and misses come closest, of (is fake, probability) of both classes.

    Thresholds are tried half-way between neighbouring scores; among equally good ones the widest gap wins.
    """
    scores = torch.tensor([score for _, score in rows], dtype=torch.float64)
    fake = torch.tensor([is_fake for is_fake, _ in rows])
    edges = torch.cat([torch.zeros(1, dtype=torch.float64), torch.unique(scores), torch.ones(1, dtype=torch.float64)])
    thresholds, gaps = (edges[1:] + edges[:-1]) / 2, edges[1:] - edges[:-1]
    called = scores.unsqueeze(0) >= thresholds.unsqueeze(1)
    false_alarms = called[:, ~fake].double().mean(dim=1)
    misses = 1 - called[:, fake].double().mean(dim=1)
    worst = (false_alarms - misses).abs()
    best = min(range(len(thresholds)), key=lambda i: (float(worst[i]), -float(gaps[i])))
    return float((false_alarms[best] + misses[best]) / 2), float(thresholds[best])
