"""StreamingDetector: frames in, verdicts out. Each frame is encoded once, ever."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.decision import WINDOW, Decision, Label, Logits, closes_window
from core.faces import FaceSettings
from core.preprocess import Box, Image, PreprocessSpec, preprocess
from core.runtimes import Array, Runtime
from core.stopwatch import Stopwatch
from core.tracks import Faces, by_size, largest, tracked
from core.video import sampled_frames

STAGES = ("decode", "face", "encode", "classify")

Embeddings = tuple[Array, Array]
"""(rgb, depth), each float32 [D]."""


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


@dataclass(frozen=True, kw_only=True)
class _Slot:
    time_ms: float
    rgb: Array | None
    """[D], None where no face was seen."""
    depth: Array | None


class StreamingDetector:
    """Takes sampled frames with their face boxes one by one and decides window by window."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        spec: PreprocessSpec,
        decision: Decision,
        depth_trained: bool,
        watch: Stopwatch | None = None,
    ) -> None:
        """`watch` takes the time of the stages encode and classify."""
        self._watch = watch or Stopwatch()
        self._runtime = runtime
        self._spec = spec
        self._decision = decision
        self._depth_trained = depth_trained
        self._ring: deque[_Slot] = deque(maxlen=WINDOW)
        self._windows: list[Window] = []
        self._sampled = 0
        self._valid = 0

    def push(self, image: Image, box: Box | None, time_ms: float) -> Window | None:
        """Add the next sampled frame (uint8 [H, W, 3], RGB); returns the window that it closes, if any.

        `box` is None where no face was found: the frame keeps its slot, invalid.
        """
        return self.add(None if box is None else self.encode(image, box), time_ms)

    def encode(self, image: Image, box: Box) -> Embeddings:
        """Both embeddings [D] of one face; nothing is added."""
        with self._watch.stage("encode"):
            tensor = preprocess(image, box, self._spec)[np.newaxis]
            rgb, depth, _ = self._runtime.run("encode", tensor)
            # Copied: the runtime may reuse its output memory at the next call.
            return rgb[0].copy(), depth[0].copy()

    def add(self, embeddings: Embeddings | None, time_ms: float) -> Window | None:
        """Add the next sampled frame by what `encode` made of it; None where no face was found."""
        rgb, depth = embeddings or (None, None)
        self._ring.append(_Slot(time_ms=time_ms, rgb=rgb, depth=depth))
        self._sampled += 1
        self._valid += embeddings is not None
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
        logits = None
        if coverage >= self._decision.min_coverage:
            with self._watch.stage("classify"):
                logits = self._classify(slots)
        window = Window(start_ms=slots[0].time_ms, end_ms=slots[-1].time_ms, coverage=coverage, logits=logits)
        self._windows.append(window)
        return window

    def _classify(self, slots: list[_Slot]) -> Logits:
        width = next(len(slot.rgb) for slot in slots if slot.rgb is not None)
        rgb = np.zeros((1, WINDOW, width), np.float32)
        depth = np.zeros_like(rgb)
        face_valid = np.zeros((1, WINDOW), np.float32)
        for place, slot in enumerate(slots, start=WINDOW - len(slots)):
            if slot.rgb is not None:
                rgb[0, place], depth[0, place], face_valid[0, place] = slot.rgb, slot.depth, 1.0
        depth_valid = face_valid if self._depth_trained else np.zeros_like(face_valid)
        (logits,) = self._runtime.run("classify", rgb, depth, face_valid, depth_valid)
        return float(logits[0, 0]), float(logits[0, 1])


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A verdict on one video file, or on one face of it, and what it cost per sampled frame."""

    video: Path
    verdict: Verdict
    latency_ms: dict[str, float] = field(default_factory=dict)
    """Mean per sampled frame of the whole video of the stages decode, face, encode and classify."""
    face: int | None = None
    """Number of the track, where every face is judged; None: the largest at any time."""


@dataclass(frozen=True, kw_only=True)
class _Watched:
    """A sampled frame: every face on it, encoded."""

    time_ms: float
    faces: Faces
    embeddings: dict[int, Embeddings]


def detect_video(
    video: Path,
    runtime: Runtime,
    *,
    spec: PreprocessSpec,
    decision: Decision,
    depth_trained: bool,
    faces: FaceSettings | None = None,
) -> list[Detection]:
    """Judge a video file: decode, find the faces, encode and classify. InputError where it is no video.

    One verdict, on the largest track that each frame shows; with `faces.all_faces` one on every track over the time
    that it is there, largest first. A video without a face has one verdict all the same.
    """
    faces, watch = faces or FaceSettings(), Stopwatch()

    def detector() -> StreamingDetector:
        return StreamingDetector(runtime, spec=spec, decision=decision, depth_trained=depth_trained, watch=watch)

    encoder, watched = detector(), list[_Watched]()
    frames = sampled_frames(video, decision.frame_rate)
    for frame, seen in watch.each("face", tracked(watch.each("decode", frames), faces)):
        embeddings = {track: encoder.encode(frame.image, box) for track, box in seen.items()}
        watched.append(_Watched(time_ms=frame.time_ms, faces=seen, embeddings=embeddings))
    verdicts: dict[int | None, Verdict] = {}
    for face, shown in _subjects(watched, every=faces.all_faces):
        judge = detector()
        for one, track in shown:
            judge.add(None if track is None else one.embeddings[track], one.time_ms)
        verdicts[face] = judge.finish()
    per_frame = 1000 / max(1, len(watched))
    latency_ms = {stage: watch.seconds.get(stage, 0.0) * per_frame for stage in STAGES}
    return [
        Detection(video=video, verdict=verdict, latency_ms=latency_ms, face=face) for face, verdict in verdicts.items()
    ]


def _subjects(
    watched: Sequence[_Watched], *, every: bool
) -> Iterator[tuple[int | None, Iterable[tuple[_Watched, int | None]]]]:
    """Whom to judge, and on which frames with which track: `every` face from its first frame to its last, or one."""
    order = by_size([one.faces for one in watched])
    if not every or not order:
        yield None, zip(watched, largest([one.faces for one in watched]), strict=True)
        return
    for face in order:
        there = [place for place, one in enumerate(watched) if face in one.faces]
        span = watched[there[0] : there[-1] + 1]
        yield face, [(one, face if face in one.faces else None) for one in span]
