"""A variant's geometry: one plane-to-plane map for a clip, relative to the face box, for RGB, depth, masks and boxes.

Points are continuous pixel coordinates, in which pixel i covers [i, i + 1).
"""

import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.preprocess import Box, Square, cut
from core.transforms.variants import Variant

Homography = npt.NDArray[np.float64]
"""float64 [3, 3]: where a point (x, y, 1) of a frame lies in the transformed frame, up to a factor."""

_CORNERS = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


def homography_about(box: Box, variant: Variant) -> Homography:
    """The variant's rotation and perspective about the centre of `box`, in units of its longer side."""
    side, (cx, cy) = max(box.w, box.h), box.center
    return (
        _moved(cx, cy) @ np.diag((side, side, 1)) @ _unit(variant) @ np.diag((1 / side, 1 / side, 1)) @ _moved(-cx, -cy)
    )


def varied_box(box: Box, variant: Variant) -> Box:
    """`box` where the variant's geometry puts it, as another detector might have seen it.

    Its centre follows the map, its sides the map's scale at the centre; then come the variant's own scale and shift.
    """
    (cx, cy), scale = box.center, 1.0
    if variant.turns:
        plane = homography_about(box, variant)
        u, v, depth = plane @ (cx, cy, 1)
        # The determinant of the Jacobian of (u / depth, v / depth).
        scale = math.sqrt(abs(np.linalg.det(plane) / depth**3))
        cx, cy = u / depth, v / depth
    dx, dy = variant.box_shift[0] * box.w * scale, variant.box_shift[1] * box.h * scale
    w, h = box.w * scale * variant.box_scale, box.h * scale * variant.box_scale
    return Box(x=cx + dx - w / 2, y=cy + dy - h / 2, w=w, h=h)


def cut_moved(image: npt.NDArray[Any], box: Box, variant: Variant, square: Square, padding: int) -> npt.NDArray[Any]:
    """`square` of `image` ([H, W] or [H, W, C], uint8 or uint16) after the variant's geometry about `box`, bilinear.

    What lies outside the image is `padding`. Without rotation and perspective it is `core.preprocess.cut`. OpenCV
    warps just the square: torchvision's `perspective` fills a canvas of the image's own size, at ten times the cost.
    """
    if not variant.turns:
        return cut(image, square, padding)
    # OpenCV counts from the centre of the first pixel, and the square from its own corner.
    onto_square = _moved(-0.5 - square.x0, -0.5 - square.y0) @ homography_about(box, variant) @ _moved(0.5, 0.5)
    warped = cv2.warpPerspective(
        image,
        onto_square,
        (square.side, square.side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(float(padding),) * 4,
    )
    return np.asarray(warped, dtype=image.dtype)


def _moved(dx: float, dy: float) -> Homography:
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], dtype=np.float64)


@lru_cache(maxsize=64)
def _unit(variant: Variant) -> Homography:
    """The map for a box of side 1 about the origin: its corners are turned, and then each is shifted."""
    turn = math.radians(variant.rotation_degrees)
    # y points down, so that this is counter-clockwise to the eye.
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    ends = _CORNERS @ rotation.T + np.array(variant.perspective or np.zeros((4, 2)))
    rows = [
        row
        for (x, y), (u, v) in zip(_CORNERS, ends, strict=True)
        for row in ((x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y))
    ]
    return np.append(np.linalg.solve(np.array(rows), ends.ravel()), 1.0).reshape(3, 3)
