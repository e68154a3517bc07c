"""Other hair, clothes and backgrounds: whatever is around the skin of a face, changed by itself and held over a clip.

Hair that is sharper than skin and walls of another light are no sign of a forgery, yet few people show few of them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.preprocess import Box

Share = npt.NDArray[np.float32]
"""float32 [H, W], 0-1."""

_SPREAD = np.array([2.0, 1.6, 1.6], np.float32)
"""Standard deviations of the face's own lightness, green-red and blue-yellow that are skin like it."""
_LEAST = np.array([6.0, 2.0, 2.0], np.float32)
"""Units of CIELAB that are added to them."""
_DETAIL_PX = 1.2
"""Sigma of what is sharpened, px of the model's input."""
_FEW = 50
"""Pixels of a face too small to know the colour of its skin by."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """One draw of `SurroundingsRanges`. Levels are of 0-255, lengths in px of the model's input."""

    gain: float = 1.0
    """About the middle of the scale."""
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)
    blur_px: float = 0.0
    sharpening: float = 0.0
    grain: float = 0.0
    grain_px: float = 1.0

    def words(self) -> str:
        """What is done to them."""
        said = [f"times {self.gain:.2f}", "tint " + "/".join(f"{value:+.0f}" for value in self.tint)]
        if self.blur_px:
            said.append(f"blur {self.blur_px:.1f} px")
        if self.sharpening:
            said.append(f"sharpened {self.sharpening:.1f}")
        if self.grain:
            said.append(f"grain {self.grain:.0f} of {self.grain_px:.1f} px")
        return "surroundings " + ", ".join(said)


def changed(
    picture: npt.NDArray[np.uint8], skin: Share, drawn: Surroundings, *, scale: float, generator: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """`picture`, uint8 [H, W, 3], with all that is not `skin` changed. `scale`: its pixels to one of the input's."""
    there = (picture.astype(np.float32) - 128) * drawn.gain + (128 + np.array(drawn.tint, np.float32))
    if drawn.blur_px:
        there = _blurred(there, scale * drawn.blur_px)
    if drawn.sharpening:
        there += drawn.sharpening * (there - _blurred(there, _DETAIL_PX * scale))
    if drawn.grain:
        grain = _blurred(generator.standard_normal(picture.shape[:2], dtype=np.float32), scale * drawn.grain_px)
        there += drawn.grain / grain.std() * grain[..., None]
    mixed = there + skin[..., None] * (picture - there)
    return np.asarray(np.rint(mixed).clip(0, 255), dtype=np.uint8)


def skin_of(picture: npt.NDArray[np.uint8], box: Box) -> Share:
    """How much of every pixel of `picture`, uint8 [H, W, 3], RGB, is skin of the face in `box`.

    Skin is what has the colours of the middle of the face and is near it, and all of its oval; the border follows the
    picture's own edges (He et al., "Guided Image Filtering", ECCV 2010). All of it where a face is too small to tell.
    """
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    # In halves of the box from its middle.
    across, down = (x - box.x - box.w / 2) / (box.w / 2), (y - box.y - box.h / 2) / (box.h / 2)
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    core = lab[np.hypot(across / 0.6, down / 0.65) < 1]
    if len(core) < _FEW:
        return np.ones((height, width), np.float32)
    middle = np.median(core, axis=0)
    deviation = 1.48 * np.median(np.abs(core - middle), axis=0)
    off = (lab - middle) / (_SPREAD * deviation + _LEAST)
    alike = ((np.exp(-0.5 * (off**2).sum(axis=2)) - 0.1) / 0.4).clip(0, 1)
    near = ((1.2 - np.hypot(across / 1.2, (down - 0.35) / 1.7)) / 0.4).clip(0, 1)
    oval = ((0.85 - np.hypot(across / 0.8, (down - 0.05) / 0.95)) / 0.2).clip(0, 1)
    skin = np.maximum(alike * near, oval).astype(np.float32)
    light = lab[..., 0] / np.float32(100)
    return _guided(skin, light, round(0.06 * box.w))


def _blurred(picture: Share, sigma: float) -> Share:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _guided(share: Share, guide: Share, side: int) -> Share:
    """`share` smoothed over squares of about `side` px, but not across the edges of `guide`."""
    size = (max(3, side | 1),) * 2

    def mean(picture: Share) -> Share:
        return np.asarray(cv2.blur(picture, size), np.float32)

    of_guide, of_share = mean(guide), mean(share)
    slope = (mean(guide * share) - of_guide * of_share) / (mean(guide * guide) - of_guide**2 + 2e-3)
    level = of_share - slope * of_guide
    return np.asarray((mean(slope) * guide + mean(level)).clip(0, 1), dtype=np.float32)
