"""The student's streaming pipeline on the beginning of a video, with the time of every stage, frame by frame."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.decision import Decision
from core.detector import StreamingDetector, Verdict
from core.preprocess import PreprocessSpec
from core.runtimes import Runtime
from core.stopwatch import Stopwatch
from core.tracks import tracked
from core.video import Frame, sampled_frames

MODEL_STAGES = ("encode", "classify")
STAGES = ("decode", "face", *MODEL_STAGES)


@dataclass(frozen=True, kw_only=True)
class StudentPass:
    """One pass over a video, from opening the file to the verdict."""

    frames_ms: tuple[dict[str, float], ...]
    """By sampled frame and stage; together they are the whole time of the pass."""
    faces: int
    """Frames that were encoded."""
    verdict: Verdict


def student_pass(
    video: Path, runtime: Runtime, *, frames: int, spec: PreprocessSpec, decision: Decision, depth_trained: bool
) -> StudentPass:
    """Decode, follow the faces, encode the widest, classify at every hop: the first `frames` sampled frames of `video`.

    Faces are held back for a few frames before they are encoded; the time counts for the frame that is encoded. `face`
    is all that is none of the other three.
    """
    watch = Stopwatch()
    detector = StreamingDetector(runtime, spec=spec, decision=decision, depth_trained=depth_trained, watch=watch)
    clock = _FrameClock(watch)
    source = sampled_frames(video, decision.frame_rate)
    faces = 0
    try:
        for place, (frame, seen) in enumerate(tracked(clock.each(islice(source, frames)))):
            box = max(seen.values(), key=lambda box: box.w, default=None)
            faces += box is not None
            detector.push(frame.image, box, frame.time_ms)
            clock.models(place)
        verdict = detector.finish()
        clock.close()
    finally:
        source.close()
    return StudentPass(frames_ms=tuple(clock.frames_ms), faces=faces, verdict=verdict)


class _FrameClock:
    """Cuts a pass into frames: one lasts until the next is asked for, and the last one to the end."""

    def __init__(self, watch: Stopwatch) -> None:
        self.frames_ms: list[dict[str, float]] = []
        self._watch = watch
        self._counted = dict.fromkeys(MODEL_STAGES, 0.0)
        self._inner = 0.0
        """Seconds of the models since the mark."""
        self._mark = time.perf_counter()

    def each(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """`frames`, the time that each takes to come and to be used counted."""
        while True:
            self._mark = time.perf_counter()
            frame = next(frames, None)
            now = time.perf_counter()
            if frame is not None:
                self.frames_ms.append(dict.fromkeys(STAGES, 0.0))
            if self.frames_ms:
                # What finding the end took belongs to the last of the frames that there were.
                self.frames_ms[-1]["decode"] += (now - self._mark) * 1000
            self._mark, self._inner = now, 0.0
            if frame is None:
                return
            yield frame
            self._rest()

    def models(self, place: int) -> None:
        """Give what the models took since the last call to the frame at `place`."""
        for stage in MODEL_STAGES:
            seconds = self._watch.seconds.get(stage, 0.0)
            took = seconds - self._counted[stage]
            self._counted[stage] = seconds
            self._inner += took
            self.frames_ms[place][stage] += took * 1000

    def close(self) -> None:
        """Count what came after the last frame was asked for."""
        if self.frames_ms:
            self.models(-1)
            self._rest()

    def _rest(self) -> None:
        """Give the time since the mark to the newest frame's `face`, but for that of the models."""
        self.frames_ms[-1]["face"] += (time.perf_counter() - self._mark - self._inner) * 1000
