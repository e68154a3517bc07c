"""What moved between two frames of a video: a box by sparse optical flow, or the whole scene at a cut.

A box moves with the median flow of a grid of its points, counting only those where flow forth and back agree
(Kalal, Mikolajczyk and Matas, "Forward-Backward Error: Automatic Detection of Tracking Failures", ICPR 2010).
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from core.preprocess import Box, Image

FLOW_PX = 64.0
"""Width of the box in the images that optical flow sees: enough for a face's features, and cheap."""
FLOW_REGION = 1.8
"""Side of the region that optical flow sees, over the box's: room for the box to move into."""
FLOW_GRID = 7
FLOW_WINDOW_PX = 11
FLOW_LEVELS = 3
"""Halvings above the finest: with the window they let the box move by about its half."""
FLOW_ERROR_PX = 1.0
"""How far from its start a point may come back and count as tracked, in pixels that optical flow sees."""


def part_of(image: Image, part: Box | None) -> tuple[int, int, Image]:
    """The pixels of `part` that lie inside the image, and their left and top."""
    if part is None:
        return 0, 0, image
    height, width = image.shape[:2]
    left, right = max(0, math.floor(part.x)), min(width, math.ceil(part.x + part.w))
    top, bottom = max(0, math.floor(part.y)), min(height, math.ceil(part.y + part.h))
    return left, top, image[top : max(top, bottom), left : max(left, right)]


# The outer tenth of the box is left out: there the background moves.
_GRID = np.stack(np.meshgrid(*[0.1 + 0.8 * (np.arange(FLOW_GRID) + 0.5) / FLOW_GRID] * 2), axis=-1).reshape(-1, 2)
"""float64 [49, 2]: x and y of the followed points over the box, 0-1."""


def moved_box(before: Image, after: Image, face: Box) -> tuple[Box, float]:
    """Where `face` went from `before` to `after` (uint8 [H, W, 3], RGB), and how sure that is.

    The second value is the share of its points that flow forth and back keeps, in [0, 1]; at 0 the box has
    not moved.
    """
    part = grown(face, FLOW_REGION)
    scale = min(1.0, FLOW_PX / face.w)
    left, top, old = _grey(before, part, scale)
    _, _, new = _grey(after, part, scale)
    if min(old.shape) < FLOW_WINDOW_PX:
        return face, 0.0
    corner = np.array([face.x - left, face.y - top]) * scale
    start = np.asarray(corner + _GRID * (np.array([face.w, face.h]) * scale), np.float32)
    end, forth = _flow(old, new, start)
    back, again = _flow(new, old, end)
    kept = forth & again & (_lengths(back - start) <= FLOW_ERROR_PX)
    count = int(np.count_nonzero(kept))
    confidence = count / len(kept)
    if count < FLOW_GRID:
        return face, 0.0
    start, end = start[kept], end[kept]
    dx, dy = (_middle(end - start) / scale).tolist()
    # Growth is the median ratio of distances from the median point: a few points gone astray do not matter.
    spread = _lengths(start - _middle(start))
    apart = spread > FLOW_WINDOW_PX / 2
    growth = 1.0
    if apart.any():
        growth = float(_middle(_lengths(end - _middle(end))[apart] / spread[apart]))
    cx, cy = face.center
    w, h = face.w * growth, face.h * growth
    return Box(x=cx + dx - w / 2, y=cy + dy - h / 2, w=w, h=h), confidence


def _flow(
    before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], points: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Where `points` (float32 [N, 2], x and y in px) of one grey image are in the next; bool [N]: found."""
    end, found, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        points,
        np.empty_like(points),
        winSize=(FLOW_WINDOW_PX, FLOW_WINDOW_PX),
        maxLevel=FLOW_LEVELS,
    )
    return np.asarray(end, np.float32), np.asarray(found)[:, 0] == 1


def _middle(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The median over the first axis, as numpy's at a third of its time."""
    ordered, half = np.sort(values, axis=0), len(values) // 2
    return ordered[half] if len(values) % 2 else np.asarray((ordered[half - 1] + ordered[half]) / 2, np.float32)


def _lengths(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Of [N, 2]: [N]."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), np.float32)


def grown(box: Box, factor: float) -> Box:
    """`box` with both sides times `factor`, about the same centre."""
    cx, cy = box.center
    return Box(x=cx - box.w * factor / 2, y=cy - box.h * factor / 2, w=box.w * factor, h=box.h * factor)


def _grey(image: Image, part: Box, scale: float) -> tuple[int, int, npt.NDArray[np.uint8]]:
    left, top, pixels = part_of(image, part)
    if not pixels.size:
        return left, top, pixels[..., 0]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    # Halved as often as can be, then the rest: OpenCV averages whole blocks several times faster than parts of them.
    while scale <= 0.5 and min(grey.shape) > 1:
        height, width = grey.shape
        even = grey[: height // 2 * 2, : width // 2 * 2]
        grey, scale = cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA), scale * 2
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return left, top, np.asarray(grey, np.uint8)


def scene_thumbnail(image: Image) -> npt.NDArray[np.float32]:
    """`image` (uint8 [H, W, 3], RGB) at float32 [16, 16, 3], 0-255: two of one scene differ little.

    Only every few rows and columns are read: all of a large frame would cost more than following its face.
    """
    step = max(1, min(image.shape[:2]) // 96)
    small = cv2.resize(image[::step, ::step], (16, 16), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)
