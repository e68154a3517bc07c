"""Faces in one image: dlib's detector, run on as few pixels as keep its answer, and its settings.

dlib's HOG detector is the reference for what a face box is. Its cost is in proportion to the pixels and it
finds no face below about 73 px. So a known face is looked for in a region around it, scaled until it is just
large enough, and a new one from coarse to fine.
"""

import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import dlib
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.motion import grown, part_of
from core.preprocess import Box, Image

DETECTABLE_PX = 73.0
"""Width of the smallest box that dlib's detector gives without upsampling."""

COARSE_PX = 960
"""A search of the whole frame begins at a scale that makes its longer side no more than this."""


class FaceSettings(BaseModel):
    """What changes a box: part of every key under which boxes are stored. Counts are in sampled frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    all_faces: bool = Field(default=False, description="look for small faces too while a larger one is followed")
    key_interval: int = Field(default=4, ge=1, description="from one detection of a known face to the next")
    search_interval: int = Field(default=12, ge=1, description="from one look for further faces to the next")
    search_patience: int = Field(
        default=24, ge=1, description="longest such wait: each look that finds none doubles it"
    )
    search_wait: int = Field(default=8, ge=1, description="longest wait between searches while no face is known")
    gap_limit: int = Field(default=4, ge=0, description="misses between two detections that are interpolated")
    linger: int = Field(default=10, ge=0, description="how long a missed face is looked for where it should be")
    smallest_px: float = Field(default=DETECTABLE_PX, ge=DETECTABLE_PX, description="narrowest face searched for")
    # dlib's sizes step by 1.2, so a box may be that much too wide: 1.2 · 73 px is the least that is safe.
    detection_px: float = Field(default=90.0, ge=DETECTABLE_PX, description="width a known face is reduced to")
    region: float = Field(default=1.7, gt=1.0, description="side of the part searched for a known face, over it")
    score: float = Field(default=0.0, description="least dlib score of a new face")
    known_score: float = Field(default=-0.2, description="least dlib score of a known face")
    confidence: float = Field(default=0.5, ge=0.0, le=1.0, description="least share of points a sure tracker keeps")
    association_iou: float = Field(default=0.3, gt=0.0, le=1.0, description="least IoU of a face with itself, later")
    takeover: float = Field(default=1.2, gt=1.0, description="width of a newcomer that is looked for, over the widest")
    cut: float = Field(default=18.0, gt=0.0, le=255.0, description="mean change of the thumbnail at a scene cut")
    position_gain: float = Field(default=0.7, gt=0.0, le=1.0, description="weight of the newest centre")
    size_gain: float = Field(default=0.4, gt=0.0, le=1.0, description="weight of the newest size")


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A face that dlib found: its box in pixels of the whole image and its score, larger is surer."""

    box: Box
    score: float


@cache
def _loaded(thread: int) -> Any:
    """dlib's detector for one thread: half a second to load, and not to be run by two threads at once."""
    return dlib.get_frontal_face_detector()


class FaceDetector:
    """dlib's frontal HOG detector over a part of an image, at a scale of at most 1."""

    def detect(self, image: Image, *, part: Box | None, scale: float, score: float) -> list[Detection]:
        """Faces in `part` of `image` (uint8 [H, W, 3], RGB; None: all of it) times `scale`, widest first.

        Only faces of at least `score` count; their boxes are in pixels of the whole image at its own scale.
        """
        left, top, pixels = part_of(image, part)
        if min(pixels.shape[:2]) * scale < 1:
            return []
        if scale < 1:
            reduced = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            pixels = np.asarray(reduced, np.uint8)
        rectangles, scores, _ = _loaded(threading.get_ident()).run(np.ascontiguousarray(pixels), 0, score)
        found = [
            Detection(
                box=Box(
                    x=r.left() / scale + left,
                    y=r.top() / scale + top,
                    w=r.width() / scale,
                    h=r.height() / scale,
                ),
                score=s,
            )
            for r, s in zip(rectangles, scores, strict=True)
        ]
        return sorted(found, key=lambda detection: -detection.box.w)

    def search(self, image: Image, *, smallest_px: float, score: float, all_faces: bool) -> list[Detection]:
        """Faces anywhere in `image`, widest first.

        Scales go from coarse to fine, up to where a face of `smallest_px` shows; the first that shows a face ends the
        search, so that small faces behind a large one cost nothing, unless `all_faces` asks for the finest at once.
        """
        scales = _ladder(image, smallest_px)
        for scale in scales[-1:] if all_faces else scales:
            detections = self.detect(image, part=None, scale=scale, score=score)
            if detections:
                return detections
        return []

    def near(self, image: Image, expected: Box, settings: FaceSettings, *, score: float) -> Box | None:
        """The detection that overlaps `expected` most, from a region around it."""
        scale = min(1.0, settings.detection_px / expected.w)
        detections = self.detect(image, part=grown(expected, settings.region), scale=scale, score=score)
        best = max((d.box for d in detections), key=expected.iou, default=None)
        return best if best is not None and best.iou(expected) >= settings.association_iou else None


def _ladder(image: Image, smallest_px: float) -> list[float]:
    """Scales for a search, coarse to fine: each doubles the one before, the last shows `smallest_px` well."""
    finest = min(1.0, DETECTABLE_PX / smallest_px)
    scales = [finest]
    while max(image.shape[:2]) * scales[-1] > COARSE_PX:
        scales.append(scales[-1] / 2)
    return scales[::-1]
