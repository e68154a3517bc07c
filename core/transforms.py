"""Random variants of a clip: drawn once for (clip, k) and held over its frames, so that nothing flickers.

Applied after the split, never before: copies of one video must not fall on both sides.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from core.preprocess import Box


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The draws of one variant. The identity is `Variant()`."""

    flip: bool = False
    box_scale: float = 1.0
    box_shift: tuple[float, float] = (0.0, 0.0)
    """Of the box's sides: a phone's detector gives other boxes than the one used for training."""
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0

    def moved(self, box: Box) -> Box:
        """`box` as another detector might have seen it."""
        cx, cy = box.center
        w, h = box.w * self.box_scale, box.h * self.box_scale
        dx, dy = self.box_shift
        return Box(x=cx + dx * box.w - w / 2, y=cy + dy * box.h - h / 2, w=w, h=h)

    def coloured(self, frames: Tensor) -> Tensor:
        """Change the light of frames uint8 [N, 3, S, S]."""
        frames = V.adjust_brightness(frames, self.brightness)
        frames = V.adjust_contrast(frames, self.contrast)
        coloured: Tensor = V.adjust_saturation(frames, self.saturation)
        return coloured

    def mirrored(self, maps: Tensor) -> Tensor:
        """Flip [..., W] where the variant flips: the same for RGB and depth."""
        return torch.flip(maps, dims=(-1,)) if self.flip else maps


def seeded_generator(*parts: object) -> np.random.Generator:
    """A generator of its own for everything that `parts` tell apart, on every machine the same."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def draw_variant(clip: str, k: int, *, seed: int) -> Variant:
    """The k-th variant of the clip with that key; always the same for the same arguments."""
    generator = seeded_generator("variant", seed, clip, k)
    return Variant(
        flip=bool(generator.random() < 0.5),
        box_scale=float(generator.uniform(0.9, 1.1)),
        box_shift=(float(generator.uniform(-0.05, 0.05)), float(generator.uniform(-0.05, 0.05))),
        brightness=float(generator.uniform(0.8, 1.2)),
        contrast=float(generator.uniform(0.8, 1.2)),
        saturation=float(generator.uniform(0.7, 1.3)),
    )
