"""A variant's light, colour and picture quality, carried out on a clip's frames at once."""

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as V

from core.recompress import recompressed
from core.transforms.variants import Colour, Erasure, Quality

Frames = npt.NDArray[np.uint8]
"""uint8 [T, H, W, 3], RGB."""

Frame = npt.NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""

_GREY = np.array([0.2989, 0.587, 0.114])
"""Torchvision's weights."""
_GRAINS = 1 << 21


def degraded(
    frames: Frames,
    quality: Quality,
    colour: Colour,
    *,
    scale: float,
    generators: Sequence[np.random.Generator],
) -> Frames:
    """Down and up again, sharpen or blur, colour, noise, JPEG, H.264: each where `quality` and `colour` say so.

    `scale` is how many of the frames' pixels make one of the model's input, in which lengths are told. `generators`
    give every frame a grain of its own. `frames` are used up: most steps write into them.
    """
    frames = _reduced(frames, quality, scale)
    curves, matrix = tone_curves(colour), colour_matrix(colour)
    for frame, generator in zip(frames, generators, strict=True):
        _sharpen(frame, quality, scale)
        if colour != Colour():
            cv2.LUT(frame, curves, dst=frame)
        if colour.saturation != 1 or colour.hue_degrees:
            cv2.transform(frame, matrix, dst=frame)
        if quality.noise:
            cv2.add(frame, _noise(frame.shape, quality.noise, generator), dst=frame, dtype=cv2.CV_8U)
        if quality.jpeg_quality is not None:
            frame[:] = _jpeg(frame, quality.jpeg_quality)
    if quality.h264_crf is not None:
        for frame, coded in zip(frames, recompressed(frames, crf=quality.h264_crf), strict=True):
            frame[:] = coded
    return frames


def erased(frames: Frames, erasure: Erasure) -> Frames:
    """Cover the same rectangle of every frame with one colour."""
    rows, columns = erased_part(erasure, frames.shape[1])
    level = torch.tensor(erasure.level, dtype=torch.uint8)[:, None, None]
    size = rows.stop - rows.start, columns.stop - columns.start
    return _numpy(V.erase(_tensor(frames), rows.start, columns.start, *size, level))


def erased_part(erasure: Erasure, side: int) -> tuple[slice, slice]:
    """Rows and columns that it covers in a picture of that side, at least one of each."""
    top, left = min(side - 1, round(erasure.y * side)), min(side - 1, round(erasure.x * side))
    bottom, right = round((erasure.y + erasure.h) * side), round((erasure.x + erasure.w) * side)
    return slice(top, min(side, max(top + 1, bottom))), slice(left, min(side, max(left + 1, right)))


def tone_curves(colour: Colour) -> Frames:
    """What gamma, brightness, gain, offset and contrast make of every level: uint8 [1, 256, 3].

    One curve for a clip, about the middle of the scale: about each frame's own mean it would flicker.
    """
    levels = np.linspace(0, 1, 256)[:, None] ** colour.gamma
    levels = levels * colour.brightness * np.array(colour.gain) + np.array(colour.offset)
    levels = (levels - 0.5) * colour.contrast + 0.5
    return np.asarray(np.rint(levels.clip(0, 1) * 255)[None], dtype=np.uint8)


def colour_matrix(colour: Colour) -> npt.NDArray[np.float64]:
    """Saturation and hue as float64 [3, 3] on (red, green, blue); what torchvision calls grey stays what it was.

    Hue turns what differs from grey about the grey axis: for the few degrees that are drawn that is what a turn of
    HSV does, in one pass of small cost.
    """
    turn = np.deg2rad(colour.hue_degrees)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    rotation = np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * (cross @ cross)
    grey = np.ones((3, 1)) * _GREY / _GREY.sum()
    chroma = np.eye(3) - grey
    return np.asarray(grey + colour.saturation * chroma @ rotation @ chroma, dtype=np.float64)


def _reduced(frames: Frames, quality: Quality, scale: float) -> Frames:
    height, width = frames.shape[1:3]
    share = quality.reduction / scale
    if quality.reduction == 1 or share >= 1:
        return frames
    down, up = (InterpolationMode(kernel) for kernel in quality.kernels)
    small = [max(1, round(height * share)), max(1, round(width * share))]
    there = V.resize(_tensor(frames), small, interpolation=down, antialias=True)
    return _numpy(V.resize(there, [height, width], interpolation=up, antialias=True))


def _sharpen(frame: Frame, quality: Quality, scale: float) -> None:
    """OpenCV, frame by frame: torchvision's blur takes four times as long."""
    if quality.blur_px:
        cv2.GaussianBlur(frame, (0, 0), scale * quality.blur_px, dst=frame)
    if quality.sharpening:
        low = cv2.GaussianBlur(frame, (0, 0), scale)
        cv2.addWeighted(frame, 1 + quality.sharpening, low, -quality.sharpening, 0, dst=frame)


def _noise(shape: tuple[int, ...], sigma: float, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Its grain is a stretch of one long draw, from a place of its own: as good as new, at a tenth of the cost."""
    grains, size = _grains(), math.prod(shape)
    if size > len(grains):
        grain = generator.standard_normal(size, dtype=np.float32)
    else:
        first = int(generator.integers(len(grains) - size + 1))
        grain = grains[first : first + size]
    return grain.reshape(shape) * np.float32(255 * sigma)


def _jpeg(frame: Frame, quality: int) -> Frame:
    """OpenCV's: torchvision warns that its own will be removed, and takes twice as long."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, quality))
    assert done
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


@lru_cache(maxsize=1)
def _grains() -> npt.NDArray[np.float32]:
    """Standard normal numbers, the same in every process."""
    return np.random.default_rng(0).standard_normal(_GRAINS, dtype=np.float32)


def _tensor(frames: Frames) -> torch.Tensor:
    """A view, uint8 [T, 3, H, W] in channels-last order, which torchvision scales fastest."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def _numpy(frames: torch.Tensor) -> Frames:
    return np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy())
