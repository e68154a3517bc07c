"""One face followed through a video: dlib now and then, optical flow between, the box smoothed.

dlib's HOG detector is the reference for what a face box is. Its cost is in proportion to the pixels and it
finds no face below about 73 px, so it is run on as few pixels as keep its answer: a region around the known
face, scaled until the face is just large enough. Between those key frames the box moves with the flow in it.
"""

import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import dlib
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from core.motion import grown, moved_box, part_of, scene_thumbnail
from core.preprocess import Box, Image

DETECTABLE_PX = 73.0
"""Width of the smallest box that dlib's detector gives without upsampling."""

COARSE_PX = 960
"""A search of the whole frame begins at a scale that makes its longer side no more than this."""


class FaceSettings(BaseModel):
    """What changes a box: part of every key under which boxes are stored. Counts are in sampled frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_interval: int = Field(default=3, ge=1, description="from one detection of a known face to the next")
    search_interval: int = Field(default=12, ge=1, description="from one look for a larger face to the next")
    search_wait: int = Field(default=8, ge=1, description="longest wait between searches while no face is known")
    gap_limit: int = Field(default=2, ge=0, description="missed detections that a sure tracker bridges")
    linger: int = Field(default=10, ge=0, description="how long a lost face is looked for at its last place")
    smallest_px: float = Field(default=DETECTABLE_PX, ge=DETECTABLE_PX, description="narrowest face searched for")
    # dlib's sizes step by 1.2, so a box may be that much too wide: 1.2 · 73 px is the least that is safe.
    detection_px: float = Field(default=90.0, ge=DETECTABLE_PX, description="width a known face is reduced to")
    region: float = Field(default=1.7, gt=1.0, description="side of the part searched for a known face, over it")
    score: float = Field(default=0.0, description="least dlib score of a new face")
    known_score: float = Field(default=-0.2, description="least dlib score of a known face")
    confidence: float = Field(default=0.5, ge=0.0, le=1.0, description="least share of points a sure tracker keeps")
    association_iou: float = Field(default=0.3, gt=0.0, le=1.0, description="least IoU of a face with itself, later")
    takeover: float = Field(default=1.4, gt=1.0, description="width of a face that is followed instead, over it")
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


class FaceTracker:
    """Follows the largest face of a video, causally: one `update` for each sampled frame, in order.

    - A known face is detected again every `key_interval` frames, and at once when tracking is unsure.
      Detections that miss it are bridged for `gap_limit` frames as long as tracking is sure; then it is lost.
    - With no face known the whole frame is searched, coarse to full scale, until one is found. The wait
      between searches that find nothing doubles up to `search_wait`. Where a face was lost, each of the next
      `linger` frames is looked at as well.
    - The followed face is kept while others come and go; one at least `takeover` times as wide replaces it.
    - A scene cut (thumbnails that differ by `cut` or more on average) ends the track and starts a search.
    """

    def __init__(self, settings: FaceSettings | None = None) -> None:
        self.track = 0
        """How many faces have been followed so far, the present one included."""
        self._settings = settings or FaceSettings()
        self._detector = FaceDetector()
        self._previous: Image | None = None
        self._thumbnail: npt.NDArray[np.float32] | None = None
        self._face: Box | None = None
        self._smooth: Box | None = None
        self._lost: Box | None = None
        self._since_detection = 0
        self._since_search = 0
        self._missed = 0
        self._wait = 0

    def update(self, image: Image) -> Box | None:
        """The followed face in `image` (uint8 [H, W, 3], RGB), smoothed, or None where there is none.

        `image` is kept until the next call and must not change. The same frames always give the same boxes.
        """
        thumbnail = scene_thumbnail(image)
        if self._previous is not None and self._thumbnail is not None:
            change = float(np.abs(thumbnail - self._thumbnail).mean())
            if change >= self._settings.cut or self._previous.shape != image.shape:
                self._end_track(lost=None)
        self._thumbnail = thumbnail
        face = self._follow(image) if self._face is not None else None
        if self._face is None:
            face = self._search(image)
        self._previous = image
        return face

    def _follow(self, image: Image) -> Box | None:
        """The known face in the next frame; ends the track where it is lost."""
        s = self._settings
        assert self._face is not None
        assert self._previous is not None
        moved, confidence = moved_box(self._previous, image, self._face)
        sure = confidence >= s.confidence
        expected = moved if sure else self._face
        self._since_detection += 1
        self._since_search += 1
        if sure and self._missed == 0 and self._since_detection < s.key_interval:
            return self._accept(expected)
        found = self._detect_near(image, expected, s.known_score)
        if found is not None:
            self._since_detection = self._missed = 0
            larger = self._larger(image, found)
            if larger is not None:
                return self._begin_track(larger)
            return self._accept(found)
        self._missed += 1
        if sure and self._missed <= s.gap_limit:
            return self._accept(expected)
        self._end_track(lost=expected)
        return None

    def _search(self, image: Image) -> Box | None:
        """A face where none is known: in the whole frame when its turn has come, else near the lost one."""
        s = self._settings
        self._missed += 1
        self._since_search += 1
        if self._since_search < self._wait:
            if self._lost is None or self._missed > s.linger:
                return None
            near = self._detect_near(image, self._lost, s.score)
            return None if near is None else self._begin_track(near)
        self._since_search = 0
        for scale in _ladder(image, s.smallest_px):
            detections = self._detector.detect(image, part=None, scale=scale, score=s.score)
            if detections:
                return self._begin_track(detections[0].box)
        self._wait = min(max(1, self._wait * 2), s.search_wait)
        return None

    def _detect_near(self, image: Image, expected: Box, score: float) -> Box | None:
        """The detection that overlaps `expected` most, from a region around it."""
        s = self._settings
        scale = min(1.0, s.detection_px / expected.w)
        detections = self._detector.detect(image, part=grown(expected, s.region), scale=scale, score=score)
        best = max((d.box for d in detections), key=expected.iou, default=None)
        return best if best is not None and best.iou(expected) >= s.association_iou else None

    def _larger(self, image: Image, face: Box) -> Box | None:
        """Another face, `takeover` times as wide as `face`; looked for every `search_interval` frames."""
        s = self._settings
        if self._since_search < s.search_interval:
            return None
        self._since_search = 0
        scale = min(1.0, DETECTABLE_PX / (s.takeover * face.w))
        detections = self._detector.detect(image, part=None, scale=scale, score=s.score)
        widest = detections[0].box if detections else face
        return widest if widest.w >= s.takeover * face.w and widest.iou(face) < s.association_iou else None

    def _begin_track(self, face: Box) -> Box:
        self.track += 1
        self._smooth = self._lost = None
        self._since_detection = self._since_search = self._missed = self._wait = 0
        return self._accept(face)

    def _end_track(self, *, lost: Box | None) -> None:
        self._face, self._smooth, self._lost = None, None, lost
        self._missed = self._wait = self._since_search = 0

    def _accept(self, face: Box) -> Box:
        """Keep `face` as it is for tracking, and give it smoothed."""
        self._face = face
        if self._smooth is None:
            self._smooth = face
            return face
        (x, y), (old_x, old_y) = face.center, self._smooth.center
        x = old_x + self._settings.position_gain * (x - old_x)
        y = old_y + self._settings.position_gain * (y - old_y)
        w = self._smooth.w + self._settings.size_gain * (face.w - self._smooth.w)
        h = self._smooth.h + self._settings.size_gain * (face.h - self._smooth.h)
        self._smooth = Box(x=x - w / 2, y=y - h / 2, w=w, h=h)
        return self._smooth


def _ladder(image: Image, smallest_px: float) -> list[float]:
    """Scales for a search, coarse to fine: each doubles the one before, the last shows `smallest_px` well."""
    finest = min(1.0, DETECTABLE_PX / smallest_px)
    scales = [finest]
    while max(image.shape[:2]) * scales[-1] > COARSE_PX:
        scales.append(scales[-1] / 2)
    return scales[::-1]
