"""Walls with heads on them, and what dlib itself finds there: what tests of detection and tracking share."""

from functools import cache
from typing import Any

import cv2
import dlib
import numpy as np

from core.preprocess import Box, Image


@cache
def reference_detector() -> Any:
    return dlib.get_frontal_face_detector()


def widest_face(image: Image) -> Box | None:
    """What dlib finds on the whole image at full scale: the reference."""
    faces = reference_detector()(image, 0)
    widest = max(faces, key=lambda face: face.width(), default=None)
    if widest is None:
        return None
    return Box(x=widest.left(), y=widest.top(), w=widest.width(), h=widest.height())


def scene(*heads: tuple[Image, int, int, float], size: tuple[int, int] = (400, 640)) -> Image:
    """A plain wall with heads on it: each is an image, where its left and top come to lie, and its scale."""
    canvas = np.full((*size, 3), 120, np.uint8)
    for head, left, top, scale in heads:
        pixels = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x0, y0 = max(left, 0), max(top, 0)
        shown = pixels[y0 - top : size[0] - top, x0 - left : max(size[1] - left, 0)]
        canvas[y0 : y0 + shown.shape[0], x0 : x0 + shown.shape[1]] = shown
    return canvas
