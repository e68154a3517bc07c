"""StreamingDetector: frames in, verdicts out. Each frame is encoded once, ever."""

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.decision import WINDOW, Decision, Label, Logits, closes_window
from core.faces import FaceSettings, FaceTracker
from core.preprocess import Box, Image, PreprocessSpec, preprocess
from core.runtimes import Array, Runtime
from core.video import sampled_frames


@dataclass(frozen=True, kw_only=True)
class Window:
    """What one window showed."""

    start_ms: float
    end_ms: float
    coverage: float
    logits: Logits | None
    """None where the window is undecided."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a whole video showed; `fake_probability` is None when undecided."""

    label: Label
    fake_probability: float | None
    coverage: float
    frames: int
    windows: tuple[Window, ...]


@dataclass(kw_only=True)
class StageTimes:
    """Time spent in each stage of a detection, in ms over the whole video."""

    decode: float = 0.0
    face: float = 0.0
    encode: float = 0.0
    classify: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Slot:
    time_ms: float
    rgb: Array | None
    """[D], None where no face was seen."""
    depth: Array | None


class StreamingDetector:
    """Takes sampled frames with their face boxes one by one and decides window by window."""

    def __init__(self, runtime: Runtime, *, spec: PreprocessSpec, decision: Decision, depth_trained: bool) -> None:
        self._runtime = runtime
        self._spec = spec
        self._decision = decision
        self._depth_trained = depth_trained
        self._ring: deque[_Slot] = deque(maxlen=WINDOW)
        self._windows: list[Window] = []
        self._sampled = 0
        self._valid = 0
        self.times = StageTimes()

    def push(self, image: Image, box: Box | None, time_ms: float) -> Window | None:
        """Add the next sampled frame (uint8 [H, W, 3], RGB); returns the window that it closes, if any.

        `box` is None where no face was found: the frame keeps its slot, invalid.
        """
        rgb = depth = None
        if box is not None:
            started = time.perf_counter()
            tensor = preprocess(image, box, self._spec)[np.newaxis]
            rgb_row, depth_row, _ = self._runtime.run("encode", tensor)
            # Copied: the runtime may reuse its output memory at the next call.
            rgb, depth = rgb_row[0].copy(), depth_row[0].copy()
            self.times.encode += _ms_since(started)
        self._ring.append(_Slot(time_ms=time_ms, rgb=rgb, depth=depth))
        self._sampled += 1
        self._valid += box is not None
        return self._close() if closes_window(self._sampled, self._decision.hop) else None

    def finish(self) -> Verdict:
        """Close the last window if samples are left that none has seen, and judge the video."""
        if self._sampled and not closes_window(self._sampled, self._decision.hop):
            self._close()
        decided = [window.logits for window in self._windows if window.logits is not None]
        probability = self._decision.probability(decided) if decided else None
        return Verdict(
            label=self._decision.label(probability),
            fake_probability=probability,
            coverage=self._valid / self._sampled if self._sampled else 0.0,
            frames=self._sampled,
            windows=tuple(self._windows),
        )

    def _close(self) -> Window:
        slots = list(self._ring)
        coverage = sum(slot.rgb is not None for slot in slots) / len(slots)
        logits = self._classify(slots) if coverage >= self._decision.min_coverage else None
        window = Window(start_ms=slots[0].time_ms, end_ms=slots[-1].time_ms, coverage=coverage, logits=logits)
        self._windows.append(window)
        return window

    def _classify(self, slots: list[_Slot]) -> Logits:
        started = time.perf_counter()
        width = next(len(slot.rgb) for slot in slots if slot.rgb is not None)
        rgb = np.zeros((1, WINDOW, width), np.float32)
        depth = np.zeros_like(rgb)
        face_valid = np.zeros((1, WINDOW), np.float32)
        for place, slot in enumerate(slots, start=WINDOW - len(slots)):
            if slot.rgb is not None:
                rgb[0, place], depth[0, place], face_valid[0, place] = slot.rgb, slot.depth, 1.0
        depth_valid = face_valid if self._depth_trained else np.zeros_like(face_valid)
        (logits,) = self._runtime.run("classify", rgb, depth, face_valid, depth_valid)
        self.times.classify += _ms_since(started)
        return float(logits[0, 0]), float(logits[0, 1])


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A verdict on one video file, and what it cost per sampled frame."""

    video: Path
    verdict: Verdict
    latency_ms: dict[str, float] = field(default_factory=dict)
    """Mean per sampled frame of the stages decode, face, encode and classify."""


def detect_video(
    video: Path,
    runtime: Runtime,
    *,
    spec: PreprocessSpec,
    decision: Decision,
    depth_trained: bool,
    faces: FaceSettings | None = None,
) -> Detection:
    """Judge a video file: decode, find the face, encode and classify. InputError where it is no video."""
    tracker = FaceTracker(faces or FaceSettings())
    detector = StreamingDetector(runtime, spec=spec, decision=decision, depth_trained=depth_trained)
    times = detector.times
    started = time.perf_counter()
    for frame in sampled_frames(video, decision.frame_rate):
        times.decode += _ms_since(started)
        started = time.perf_counter()
        box = tracker.update(frame.image)
        times.face += _ms_since(started)
        detector.push(frame.image, box, frame.time_ms)
        started = time.perf_counter()
    verdict = detector.finish()
    frames = max(1, verdict.frames)
    latency_ms = {
        "decode": times.decode / frames,
        "face": times.face / frames,
        "encode": times.encode / frames,
        "classify": times.classify / frames,
    }
    return Detection(video=video, verdict=verdict, latency_ms=latency_ms)


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000.0
