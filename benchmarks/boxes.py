"""How far a verdict depends on whose face box it is: dlib's, as in training, or one that a phone's detector gives.

A phone's boxes are mapped onto dlib's by a rule; what is left is an error of size and place that stays the same for a
detector, and one that jumps from frame to frame. Both are put on dlib's boxes here, and every video is judged again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from core.command_line import Report
from core.corpus import Entry
from core.decision import Label
from core.detector import StreamingDetector
from core.manifest import Document, Manifest
from core.preprocess import Box
from core.runtimes import Runtime
from core.seeding import seeded_generator
from core.tracks import largest, tracked
from core.video import sampled_frames


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """What is done to dlib's boxes. Lengths are shares of the box's side."""

    name: str
    scale: float = 1.0
    right: float = 0.0
    down: float = 0.0
    jitter_scale: float = 0.0
    """Standard deviation of the logarithm of a factor drawn for each frame."""
    jitter_shift: float = 0.0
    """Standard deviation of a shift to either side, drawn for each frame."""

    def applied(self, box: Box, generator: np.random.Generator) -> Box:
        """`box` as the other detector would give it."""
        factor = self.scale * float(np.exp(self.jitter_scale * generator.standard_normal()))
        dx, dy = self.jitter_shift * generator.standard_normal(2)
        x, y = box.center
        x, y = x + (self.right + float(dx)) * box.w, y + (self.down + float(dy)) * box.h
        w, h = factor * box.w, factor * box.h
        return Box(x=x - w / 2, y=y - h / 2, w=w, h=h)


EYES_SCALE, EYES_SHIFT = 0.10, 0.04
"""Spread of dlib's box about the one that follows from the eyes: 14 frontal faces before three kinds of camera."""

NONE: Final = Deviation(name="dlib's own")
DEVIATIONS: Final = (
    Deviation(name="from the eyes, each frame anew", jitter_scale=EYES_SCALE, jitter_shift=EYES_SHIFT),
    Deviation(name="10 % smaller", scale=0.9),
    Deviation(name="20 % smaller", scale=0.8),
    Deviation(name="10 % larger", scale=1.1),
    Deviation(name="25 % larger", scale=1.25),
    Deviation(name="10 % of the side up", down=-0.1),
    Deviation(name="10 % of the side down", down=0.1),
    Deviation(name="10 % of the side to the right", right=0.1),
    Deviation(
        name="15 % larger, 5 % up, and from the eyes",
        scale=1.15,
        down=-0.05,
        jitter_scale=EYES_SCALE,
        jitter_shift=EYES_SHIFT,
    ),
)


class Stability(Document):
    """Verdicts under one deviation, against those on dlib's own boxes of the same videos."""

    deviation: str
    videos: int
    equal_verdicts: int
    mean_change: float | None
    """Of the fake probability, over videos decided both times; null where there is none."""
    largest_change: float | None
    correct: int
    """Videos whose verdict is their label."""


class BoxStability(Document):
    """The result of `python -m benchmarks boxes`."""

    artifact: str
    videos: int
    correct: int
    """With dlib's own boxes."""
    rows: tuple[Stability, ...]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One video under one kind of boxes."""

    label: Label
    probability: float | None


def judge_with_deviations(
    video: Path, runtime: Runtime, manifest: Manifest, *, seed: int = 0
) -> tuple[Judged, list[Judged]]:
    """The verdict on dlib's own boxes, and one for each of DEVIATIONS. InputError where `video` is none."""
    rate = manifest.decision.frame_rate
    # Only the whole video tells which face is judged, and its frames could fill the memory: so it is read twice.
    seen = [faces for _, faces in tracked(sampled_frames(video, rate))]
    generator = seeded_generator("boxes", seed, video.name)

    ways = (NONE, *DEVIATIONS)
    detectors = [
        StreamingDetector(
            runtime, spec=manifest.preprocess, decision=manifest.decision, depth_trained=manifest.depth_trained
        )
        for _ in ways
    ]
    for frame, faces, track in zip(sampled_frames(video, rate), seen, largest(seen), strict=True):
        for way, detector in zip(ways, detectors, strict=True):
            detector.push(frame.image, None if track is None else way.applied(faces[track], generator), frame.time_ms)
    verdicts = [detector.finish() for detector in detectors]
    judged = [Judged(label=verdict.label, probability=verdict.fake_probability) for verdict in verdicts]
    return judged[0], judged[1:]


def measure_boxes(
    folder: Path, entries: Sequence[Entry], runtime: Runtime, manifest: Manifest, *, on_progress: Report
) -> BoxStability:
    """Judge every video of `entries` in `folder`, with dlib's boxes and with each deviation."""
    kept: list[tuple[Entry, Judged, list[Judged]]] = []
    for entry in entries:
        kept.append((entry, *judge_with_deviations(folder / entry.path, runtime, manifest)))
        on_progress(len(kept), len(entries))
    rows = tuple(
        stability(one.name, [(entry.label, own, others[place]) for entry, own, others in kept])
        for place, one in enumerate(DEVIATIONS)
    )
    correct = sum(own.label == entry.label for entry, own, _ in kept)
    return BoxStability(artifact=manifest.preferred or "", videos=len(kept), correct=correct, rows=rows)


def stability(name: str, judged: Sequence[tuple[str, Judged, Judged]]) -> Stability:
    """Compare pairs of verdicts, (true label, with dlib's boxes, with the others)."""
    changes = [
        abs(own.probability - other.probability)
        for _, own, other in judged
        if own.probability is not None and other.probability is not None
    ]
    return Stability(
        deviation=name,
        videos=len(judged),
        equal_verdicts=sum(own.label == other.label for _, own, other in judged),
        mean_change=float(np.mean(changes)) if changes else None,
        largest_change=max(changes, default=None),
        correct=sum(other.label == truth for truth, _, other in judged),
    )
