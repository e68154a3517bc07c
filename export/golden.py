"""The golden vectors of a student: a synthetic person before a synthetic wall, since footage has owners."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from core.decision import WINDOW
from core.detector import StreamingDetector, Verdict
from core.golden import (
    GOLDEN,
    FaceBox,
    FaceCase,
    Golden,
    StreamCase,
    StreamFrame,
    StreamWindow,
    TensorFile,
    WindowCase,
    read_golden,
)
from core.portrait import make_identity
from core.preprocess import Box, Image, PreprocessSpec, preprocess
from core.runs import write_json
from core.runtimes import Array, Runtime
from core.runtimes.torch import TorchRuntime
from core.synthetic import make_scene, render
from export.source import Source

SEED = 20
STREAM_SIDE = 96
"""Side of a stream's frames, px: small, since there are dozens."""


def write_golden(source: Source, folder: Path) -> Golden:
    """Write everything to `folder`, which must not exist; the same source gives the same bytes."""
    for name in ("frames", "tensors"):
        (folder / name).mkdir(parents=True)
    writer = _Writer(folder, source, TorchRuntime(source.student))
    rgb, depth = writer.person()
    golden = Golden(faces=tuple(writer.faces()), windows=tuple(writer.windows(rgb, depth)), streams=writer.streams())
    write_json(folder / GOLDEN, golden)
    return read_golden(folder)


def demo_crops(spec: PreprocessSpec) -> list[Array]:
    """The golden faces but the last, which shows nothing: each float32 [1, 3, S, S], 0-255."""
    shot = _person_before_a_wall(2 * round(1.2 * spec.size), 1)[0]
    boxes = list(_boxes(len(shot.image), spec.size, spec.margin, shot.box))
    return [preprocess(shot.image, box, spec)[np.newaxis] for _, _, box in boxes[:-1]]


@dataclass(frozen=True, kw_only=True)
class _Shot:
    time_ms: float
    image: Image
    box: Box | None


@dataclass(frozen=True)
class _Writer:
    folder: Path
    source: Source
    runtime: Runtime

    def faces(self) -> Iterator[FaceCase]:
        """The odd cases of the contract, all on one frame."""
        spec = self.source.preprocess
        shot = _person_before_a_wall(2 * round(1.2 * spec.size), 1)[0]
        side = len(shot.image)
        frame = self._picture("face", shot.image)
        for name, shows, box in _boxes(side, spec.size, spec.margin, shot.box):
            tensor = preprocess(shot.image, box, spec)
            outputs = self.runtime.run("encode", tensor[np.newaxis])
            files = [
                self._tensor(f"{name}.{part}", values)
                for part, values in zip(
                    ("tensor", "rgb_embedding", "depth_embedding", "depth"), (tensor[np.newaxis], *outputs), strict=True
                )
            ]
            yield FaceCase(
                name=name, shows=shows, frame=frame, box=_written(box),
                tensor=files[0], rgb_embedding=files[1], depth_embedding=files[2], depth=files[3],
            )  # fmt: skip

    def person(self) -> tuple[Array, Array]:
        """Embeddings of a window of one person, rgb and depth: float32 [1, 20, D]."""
        shots = _person_before_a_wall(STREAM_SIDE, WINDOW)
        pairs = []
        for shot in shots:
            assert shot.box is not None
            rgb, depth, _ = self.runtime.run("encode", preprocess(shot.image, shot.box, self.source.preprocess)[None])
            pairs.append((rgb.copy(), depth.copy()))
        rgb_rows, depth_rows = zip(*pairs, strict=True)
        return np.stack(rgb_rows, axis=1), np.stack(depth_rows, axis=1)

    def windows(self, rgb: Array, depth: Array) -> Iterator[WindowCase]:
        """The same embeddings under every kind of mask."""
        rgb_file, depth_file = self._tensor("window.rgb", rgb), self._tensor("window.depth", depth)
        for name, shows, face_valid, depth_valid in _masks():
            (logits,) = self.runtime.run("classify", rgb, depth, face_valid[np.newaxis], depth_valid[np.newaxis])
            yield WindowCase(
                name=name, shows=shows, rgb=rgb_file, depth=depth_file,
                face_valid=tuple(face_valid.tolist()), depth_valid=tuple(depth_valid.tolist()),
                logits=(float(logits[0, 0]), float(logits[0, 1])),
            )  # fmt: skip

    def streams(self) -> tuple[StreamCase, ...]:
        """One that decides, one that shows too few faces to."""
        decision = self.source.decision
        step_ms = 1000 / decision.frame_rate
        length = WINDOW + decision.hop + 3
        shots = _person_before_a_wall(STREAM_SIDE, length, step_ms)
        missed = {2, 3, length - 5}
        patchy = [replace(shot, box=None) if place in missed else shot for place, shot in enumerate(shots)]
        lonely = [shot if place == 1 else replace(shot, box=None) for place, shot in enumerate(shots[:6])]
        pictures = [self._picture(f"stream_{index:02d}", shot.image) for index, shot in enumerate(shots)]
        return (
            self._stream(
                "patchy", "faces missed on a few frames; the last window ends with the video", patchy, pictures
            ),
            self._stream("lonely", "one face on six frames: too few to decide", lonely, pictures),
        )

    def _stream(self, name: str, shows: str, shots: Sequence[_Shot], pictures: Sequence[str]) -> StreamCase:
        source = self.source
        detector = StreamingDetector(
            self.runtime, spec=source.preprocess, decision=source.decision, depth_trained=source.depth_trained
        )
        for shot in shots:
            detector.push(shot.image, shot.box, shot.time_ms)
        verdict = detector.finish()
        return StreamCase(
            name=name,
            shows=shows,
            frames=tuple(
                StreamFrame(frame=file, time_ms=shot.time_ms, box=None if shot.box is None else _written(shot.box))
                for shot, file in zip(shots, pictures, strict=False)
            ),
            windows=tuple(self._windows(verdict)),
            label=verdict.label,
            fake_probability=verdict.fake_probability,
            coverage=verdict.coverage,
        )

    def _windows(self, verdict: Verdict) -> Iterator[StreamWindow]:
        for window in verdict.windows:
            logits = window.logits
            yield StreamWindow(
                start_ms=window.start_ms, end_ms=window.end_ms, coverage=window.coverage, logits=logits,
                fake_probability=None if logits is None else self.source.decision.probability([logits]),
            )  # fmt: skip

    def _picture(self, name: str, image: Image) -> str:
        file = f"frames/{name}.png"
        done, png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        assert done
        (self.folder / file).write_bytes(png.tobytes())
        return file

    def _tensor(self, name: str, values: Array) -> TensorFile:
        file = f"tensors/{name}.f32"
        (self.folder / file).write_bytes(np.ascontiguousarray(values, dtype="<f4").tobytes())
        return TensorFile(file=file, shape=values.shape)


@lru_cache(maxsize=4)
def _person_before_a_wall(side: int, length: int, step_ms: float = 100.0) -> tuple[_Shot, ...]:
    generator = np.random.default_rng(SEED)
    rendering = render(make_scene(generator, side=side, length=length), make_identity(generator))
    return tuple(
        _Shot(time_ms=index * step_ms, image=image, box=box)
        for index, (image, box) in enumerate(zip(rendering.frames, rendering.boxes, strict=True))
    )


def _boxes(side: int, size: int, margin: float, face: Box | None) -> Iterator[tuple[str, str, Box]]:
    """(name, what it shows, box) on a frame of `side` px, for an input of `size` px."""
    assert face is not None
    yield "whole", "the whole face, as a detector finds it", face
    x, y = face.center
    small = 0.4 * size / margin
    yield "small", "a square smaller than the input: scaled up", _around(x, y, small)
    uneven = (2 * size + 1) / margin
    yield "uneven", "a square of 2 S + 1 px: padded to a multiple of 2, averaged, scaled down", _around(x, y, uneven)
    yield "corner", "half out of the frame, to the left and below", _around(0.1 * side, 0.95 * side, 0.4 * side)
    tall = Box(x=x - 0.15 * side, y=y - 0.2 * side, w=0.3 * side, h=0.4 * side)
    yield "tall", "a box that is no square, at fractions of a pixel", tall.shifted(0.25, -0.6)
    yield "outside", "wholly outside the frame: padding alone", _around(2.0 * side, 0.5 * side, 0.3 * side)


def _around(x: float, y: float, width: float) -> Box:
    return Box(x=x - width / 2, y=y - width / 2, w=width, h=width)


def _written(box: Box) -> FaceBox:
    return FaceBox(x=box.x, y=box.y, w=box.w, h=box.h)


def _masks() -> Iterator[tuple[str, str, Array, Array]]:
    ones, zeros = np.ones(WINDOW, np.float32), np.zeros(WINDOW, np.float32)
    late = (np.arange(WINDOW) >= WINDOW - 6).astype(np.float32)
    patchy = (np.arange(WINDOW) % 3 > 0).astype(np.float32)
    last = (np.arange(WINDOW) == WINDOW - 1).astype(np.float32)
    yield "all", "a full window", ones, ones
    yield "no_depth", "the depth stream silent", ones, zeros
    yield "short", "a video of six frames", late, late
    yield "patchy", "every third face missed, depth on one frame only", patchy, last
    yield "one", "a single frame", last, zeros
    yield "none", "nothing valid: finite, and not to be used", zeros, zeros
