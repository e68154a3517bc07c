"""How a picture's colours and sharpness change when it is pasted, or when it is matched to another."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from core.colours import saturating
from core.preprocess import Image

Pixels = npt.NDArray[np.float32]
"""float32 [H, W, 3], RGB, levels of 0-255 and possibly beyond."""

MatchKind = Literal["channels", "covariance"]

GREY = 128.0
"""The level that contrast turns about."""

_DETAIL_FACES = 0.01
"""Sigma that sharpening tells detail by, in face widths."""
_GAINS = (0.6, 1.6)
"""A match that asks for more than this would bring up noise."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A change of colour and sharpness, the same for every frame of a clip. At most one of the sharpnesses is not 0."""

    tint: npt.NDArray[np.float64]
    """[3]: levels added to red, green, blue."""
    contrast: float
    softness: float
    """Sigma of the blur, in face widths: what a generator paints is softer than what a camera sees."""
    sharpening: float
    """Share of the detail that is added once more."""
    resolution_px: float
    """Width in px that the face was scaled down to and up again from."""
    saturation: float
    hue_degrees: float
    gain: npt.NDArray[np.float64]
    """[3]: factors of red, green, blue."""

    def strength(self) -> dict[str, float]:
        """What a report can say of it."""
        return {
            "tint": float(np.linalg.norm(self.tint)),
            "contrast": self.contrast,
            "softness": self.softness,
            "sharpening": self.sharpening,
            "resolution_px": self.resolution_px,
            "saturation": self.saturation,
            "hue_degrees": self.hue_degrees,
        }

    def weakened(self, share: float) -> "Look":
        """The same change, `share` (0-1) as strong."""
        return Look(
            tint=self.tint * share,
            contrast=1 + share * (self.contrast - 1),
            softness=self.softness * share,
            sharpening=self.sharpening * share,
            resolution_px=self.resolution_px / share if share > 0 else 0.0,
            saturation=1 + share * (self.saturation - 1),
            hue_degrees=self.hue_degrees * share,
            gain=1 + share * (self.gain - 1),
        )

    @cached_property
    def mixing(self) -> npt.NDArray[np.float32] | None:
        """[3, 3]: gain, saturation and hue as one product with (red, green, blue); None where they change nothing."""
        if self.saturation == 1 and self.hue_degrees == 0 and (self.gain == 1).all():
            return None
        angle = math.radians(self.hue_degrees)
        # A turn about the axis of greys, by Rodrigues' formula.
        across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
        turned = math.cos(angle) * np.eye(3) + math.sin(angle) * across + (1 - math.cos(angle)) * np.full((3, 3), 1 / 3)
        return np.asarray(np.diag(self.gain) @ saturating(self.saturation) @ turned, dtype=np.float32)


def retouched(pixels: Pixels, look: Look, *, face_px: float, brightness: float) -> Pixels:
    """`pixels` as `look` changes them, `brightness` levels lighter; a face in them is `face_px` wide."""
    if look.softness:
        pixels = _blurred(pixels, look.softness * face_px)
    elif look.sharpening:
        pixels = pixels + np.float32(look.sharpening) * (pixels - _blurred(pixels, _DETAIL_FACES * face_px))
    elif 0 < look.resolution_px < face_px:
        pixels = _reduced(pixels, look.resolution_px / face_px)
    if look.mixing is None:
        return _float32((pixels - GREY) * look.contrast + GREY + (look.tint + brightness))
    offset = GREY * (1 - look.contrast) + look.tint + brightness
    return _float32(cv2.transform(pixels, np.column_stack([look.mixing * look.contrast, offset])))


@dataclass(frozen=True, kw_only=True)
class ColourMatch:
    """What brings the colours of one picture to another's: gain (or a mixing of channels) and offset."""

    gain: npt.NDArray[np.float32]
    """[3], or [3, 3] for "covariance"."""
    offset: npt.NDArray[np.float32]
    """[3], levels."""

    def applied(self, pixels: Pixels) -> Pixels:
        """`pixels` with the other's colours."""
        if self.gain.ndim == 1:
            return _float32(pixels * self.gain + self.offset)
        return _float32(cv2.transform(pixels, np.column_stack([self.gain, self.offset])))


def colour_match(pasted: npt.NDArray[np.float32], original: Image, *, kind: MatchKind, matching: float) -> ColourMatch:
    """What brings `pasted` [N, 3] towards `original` [M, 3] by the share `matching`.

    "channels" matches mean and spread of each channel; "covariance" the mean and all three channels' covariance by
    the one symmetric map that moves colours least (Pitié and Kokaram, "The Linear Monge-Kantorovitch Linear Colour
    Mapping for Example-Based Colour Transfer", CVMP 2007). Skin varies along one direction of colour, which channels
    by themselves do not see, nor do those of LAB.
    """
    mean, wanted_mean = pasted.mean(axis=0), original.mean(axis=0)
    if kind == "channels":
        gain = np.clip(original.std(axis=0) / np.maximum(pasted.std(axis=0), 1.0), *_GAINS)
        gain = 1 + matching * (gain - 1)
        offset = mean + matching * (wanted_mean - mean) - gain * mean
    else:
        spread, wanted = _covariance(pasted), _covariance(original)
        root = _power(spread, 0.5)
        back = _power(spread, -0.5)
        values, axes = np.linalg.eigh(back @ _power(root @ wanted @ root, 0.5) @ back)
        gain = axes @ np.diag(1 + matching * (np.clip(values, *_GAINS) - 1)) @ axes.T
        offset = mean + matching * (wanted_mean - mean) - gain @ mean
    return ColourMatch(gain=gain.astype(np.float32), offset=offset.astype(np.float32))


def _covariance(pixels: npt.NDArray[np.float32] | Image) -> npt.NDArray[np.float64]:
    """[3, 3] of `pixels` [N, 3], as if they had 3 levels of noise: grey pictures have none across the greys."""
    centred = pixels.astype(np.float64) - pixels.mean(axis=0, dtype=np.float64)
    # Sums of products, not a matrix product: a BLAS may add up in an order that its threads decide.
    products = (centred[:, :, None] * centred[:, None, :]).mean(axis=0)
    return np.asarray(products + 9 * np.eye(3))


def _power(matrix: npt.NDArray[np.float64], exponent: float) -> npt.NDArray[np.float64]:
    """Of a symmetric positive matrix [3, 3]."""
    values, axes = np.linalg.eigh(matrix)
    return np.asarray(axes @ np.diag(np.maximum(values, 1e-9) ** exponent) @ axes.T)


def _blurred(pixels: Pixels, sigma_px: float) -> Pixels:
    return _float32(cv2.GaussianBlur(pixels, (0, 0), sigma_px))


def _reduced(pixels: Pixels, share: float) -> Pixels:
    """Scaled down and up again."""
    height, width = pixels.shape[:2]
    size = (max(1, round(width * share)), max(1, round(height * share)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return _float32(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _float32(pixels: npt.NDArray[Any]) -> Pixels:
    return np.asarray(pixels, dtype=np.float32)
