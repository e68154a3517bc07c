"""From a frame and a face box to the tensor that every model and every runtime sees.

The arithmetic below is a contract: the Kotlin, Swift and C++ readers of an artefact repeat it and agree within
1/255 of full scale. Change it only together with them and with the manifest's schema version.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Image = npt.NDArray[np.uint8]
"""uint8 [H, W, 3], RGB, upright."""

Part = tuple[slice, slice]
"""Rows and columns of a picture."""

DepthImage = npt.NDArray[np.uint16]
"""uint16 [H, W], relative inverse depth: larger is nearer."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A face box in pixels of its frame: left, top, width, height. It may reach outside the frame."""

    x: float
    y: float
    w: float
    h: float

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x + self.w / 2, self.y + self.h / 2

    def shifted(self, dx: float, dy: float) -> "Box":
        """The same box seen from an origin at (-dx, -dy), in pixels."""
        return Box(x=self.x + dx, y=self.y + dy, w=self.w, h=self.h)

    def scaled(self, factor: float) -> "Box":
        """The same box in a picture `factor` times as large."""
        return Box(x=self.x * factor, y=self.y * factor, w=self.w * factor, h=self.h * factor)

    def iou(self, other: "Box") -> float:
        """Intersection over union with `other`, in [0, 1]."""
        across = min(self.x + self.w, other.x + other.w) - max(self.x, other.x)
        down = min(self.y + self.h, other.y + other.h) - max(self.y, other.y)
        shared = max(across, 0.0) * max(down, 0.0)
        union = self.w * self.h + other.w * other.h - shared
        return shared / union if union > 0 else 0.0


class PreprocessSpec(BaseModel):
    """How a face becomes a model's input: a square around the box, never stretched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=32, le=1024, multiple_of=32, description="side S of the square input, px")
    margin: float = Field(ge=1.0, le=3.0, description="side of the square over the longer side of the face box")
    padding: int = Field(default=0, ge=0, le=255, description="value of every channel outside the frame")
    fit: Literal["scale", "pad"] = Field(
        default="scale", description="pad: never scaled, larger faces centre-cropped; for training and comparison only"
    )


@dataclass(frozen=True, kw_only=True)
class Square:
    """The square of whole pixels that the spec cuts: top-left corner and side, possibly outside the frame."""

    x0: int
    y0: int
    side: int


def square_around(box: Box, margin: float) -> Square:
    """The square of side floor(margin * max(w, h) + 0.5) centred on `box`, on the pixel grid."""
    side = max(1, math.floor(margin * max(box.w, box.h) + 0.5))
    cx, cy = box.center
    return Square(x0=math.floor(cx - side / 2 + 0.5), y0=math.floor(cy - side / 2 + 0.5), side=side)


def cut(image: npt.NDArray[Any], square: Square, padding: int) -> npt.NDArray[Any]:
    """`square` of `image` ([H, W] or [H, W, C], any dtype); pixels outside the image are `padding`."""
    height, width = image.shape[:2]
    out = np.full((square.side, square.side, *image.shape[2:]), padding, dtype=image.dtype)
    left, top = max(square.x0, 0), max(square.y0, 0)
    right, bottom = min(square.x0 + square.side, width), min(square.y0 + square.side, height)
    if left < right and top < bottom:
        inside = image[top:bottom, left:right]
        out[top - square.y0 : bottom - square.y0, left - square.x0 : right - square.x0] = inside
    return out


def shown_part(square: Square, frame_size: tuple[int, int]) -> Part:
    """The rows and columns of a crop that lie in a frame of (width, height)."""
    columns, rows = (
        slice(min(max(0, -start), square.side), max(0, min(square.side, length - start)))
        for start, length in zip((square.x0, square.y0), frame_size, strict=True)
    )
    return rows, columns


def resample(square_image: npt.NDArray[Any], size: int, padding: int) -> npt.NDArray[np.float32]:
    """Scale a square [N, N] or [N, N, C] to [size, size(, C)] in float32, without rounding between steps.

    f = max(1, floor(N / size)); the square is padded right and below with `padding` to a multiple of f and averaged
    over f x f blocks; then bilinear at half-pixel centres, edge samples clamped.
    """
    pixels = reduced(square_image, max(1, square_image.shape[0] // size), padding)
    if pixels.shape[0] != size:
        pixels = _float32(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR))
    return pixels


def reduced(square_image: npt.NDArray[Any], factor: int, padding: int = 0) -> npt.NDArray[np.float32]:
    """A square [N, N] or [N, N, C] averaged over `factor` x `factor` blocks: float32 [M, M(, C)], M = ceil(N / factor).

    The square is padded right and below with `padding` to a multiple of `factor`.
    """
    short = -square_image.shape[0] % factor
    pixels = square_image.astype(np.float32)
    if short:
        border = (float(padding),) * 4
        pixels = _float32(cv2.copyMakeBorder(pixels, 0, short, 0, short, cv2.BORDER_CONSTANT, value=border))
    if factor > 1:
        side = pixels.shape[0] // factor
        pixels = _float32(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA))
    return pixels


def padded(square_image: npt.NDArray[Any], size: int, padding: int) -> npt.NDArray[np.float32]:
    """Fit a square [N, N] or [N, N, C] into [size, size(, C)] without scaling it, as the reference does.

    c = floor((N - size) / 2); pixel (y, x) of the result is pixel (y + c, x + c) of the square where that exists,
    else `padding`. So a smaller square is padded on all sides, one pixel more on the left and above where the sides
    differ by an odd number, and a larger one is cropped about its centre.
    """
    corner = (square_image.shape[0] - size) // 2
    return _float32(cut(square_image, Square(x0=corner, y0=corner, side=size), padding))


def fitted(square_image: npt.NDArray[Any], spec: PreprocessSpec, padding: int) -> npt.NDArray[np.float32]:
    """A square [N, N] or [N, N, C] at the spec's size: float32 [S, S(, C)], by `resample` or `padded`."""
    fit = resample if spec.fit == "scale" else padded
    return fit(square_image, spec.size, padding)


def preprocess(image: Image, box: Box, spec: PreprocessSpec) -> npt.NDArray[np.float32]:
    """Cut and fit the face: float32 [3, S, S], RGB, 0-255 (normalisation is inside the model's graph).

    `image` is uint8 [H, W, 3], RGB. Depends only on pixels inside the square, so a wider crop of the same frame with
    the box moved accordingly gives the same tensor.
    """
    square = cut(image, square_around(box, spec.margin), spec.padding)
    return np.ascontiguousarray(fitted(square, spec, spec.padding).transpose(2, 0, 1))


def _float32(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.asarray(pixels, dtype=np.float32)
