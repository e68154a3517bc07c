"""The reference pipeline, frame by frame, as the research code runs it, with the time of every stage.

For each sampled frame: dlib's detector on the whole frame at full resolution, the largest face cut out, its depth by
Depth Anything V2 Small, RepViT over the face and over the depth, and the fusion over the last 20 frames, computed anew.
"""

from collections import deque
from collections.abc import Mapping

import cv2
import numpy as np

from benchmarks.reference.models import DEPTH_PX, FACE_PX
from core.decision import WINDOW
from core.depth_model import network_input
from core.faces import FaceDetector
from core.preprocess import Box, Image, PreprocessSpec, cut, fitted, preprocess, square_around
from core.runtimes import Array, Runtime
from core.stopwatch import Stopwatch

MODEL_STAGES = ("depth", "rgb embedding", "depth embedding", "fusion")
STAGES = ("decode", "face", *MODEL_STAGES)

SPEC = PreprocessSpec(size=FACE_PX, margin=1.5, fit="pad")
"""Padded instead of resized, as in the reference; our margin, since dlib's box cuts the face."""

StagesMs = dict[str, float]


class ReferencePipeline:
    """Takes sampled frames; every one of `runtimes` then does the same with the face that dlib found."""

    def __init__(self, runtimes: Mapping[str, Runtime]) -> None:
        """`runtimes`: by the title of the pipeline, each with the methods of `ReferenceModels`."""
        self._detector = FaceDetector()
        self._runtimes = dict(runtimes)
        self._windows: dict[str, deque[tuple[Array, Array]]] = {}
        self.restart()

    def restart(self) -> None:
        """Begin a new video: no frame is remembered."""
        self._windows = {title: deque(maxlen=WINDOW) for title in self._runtimes}

    def frame(self, image: Image) -> dict[str, StagesMs]:
        """What each stage but decoding took for `image` (uint8 [H, W, 3], RGB), in ms, by pipeline.

        Without a face no model runs, and the frame has no place in the window: the reference leaves it out.
        """
        watch = Stopwatch()
        with watch.stage("face"):
            found = self._detector.detect(image, part=None, scale=1.0, score=0.0)
            box = max((face.box for face in found), key=lambda box: box.w * box.h, default=None)
        face_ms = watch.seconds["face"] * 1000
        return {title: {"face": face_ms, **self._models(title, image, box)} for title in self._runtimes}

    def answers(self, title: str) -> tuple[Array, Array, Array]:
        """Both embeddings [D] of the last frame with a face, and the logits [1, 2] after it."""
        rgb, depth = self._windows[title][-1]
        return rgb, depth, self._logits(title)

    def _logits(self, title: str) -> Array:
        rgb, depth, valid = _window(self._windows[title])
        return self._runtimes[title].run("classify", rgb, depth, valid, valid)[0]

    def _models(self, title: str, image: Image, box: Box | None) -> StagesMs:
        watch, run, window = Stopwatch(), self._runtimes[title].run, self._windows[title]
        if box is not None:
            with watch.stage("depth"):
                face = cut(image, square_around(box, SPEC.margin), SPEC.padding)
                (depth,) = run("depth", network_input(face, DEPTH_PX)[np.newaxis])
            with watch.stage("rgb embedding"):
                (rgb_embedding,) = run("encode_rgb", preprocess(image, box, SPEC)[np.newaxis])
            with watch.stage("depth embedding"):
                (depth_embedding,) = run("encode_depth", _depth_input(depth[0], face.shape[0]))
            window.append((rgb_embedding[0].copy(), depth_embedding[0].copy()))
            with watch.stage("fusion"):
                self._logits(title)
        return {stage: watch.seconds.get(stage, 0.0) * 1000 for stage in MODEL_STAGES}


def _depth_input(depth: Array, side: int) -> Array:
    """A map [h, w] as float32 [1, 1, 224, 224], 0-255 over its own range, at the size of the face and then padded."""
    low, high = float(depth.min()), float(depth.max())
    grey = (depth - low) * (255 / max(high - low, 1e-12))
    face = np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.ascontiguousarray(fitted(face, SPEC, SPEC.padding)[np.newaxis, np.newaxis])


def _window(embeddings: deque[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    """RGB and depth [1, 20, D] and their mask [1, 20], the newest last."""
    width = len(embeddings[0][0])
    rgb, depth = np.zeros((1, WINDOW, width), np.float32), np.zeros((1, WINDOW, width), np.float32)
    valid = np.zeros((1, WINDOW), np.float32)
    start = WINDOW - len(embeddings)
    for place, (of_rgb, of_depth) in enumerate(embeddings, start=start):
        rgb[0, place], depth[0, place], valid[0, place] = of_rgb, of_depth, 1.0
    return rgb, depth, valid
