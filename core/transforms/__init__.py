"""Random variants of a clip: drawn once for (clip, k), held over its frames, alike for RGB, depth and boxes."""

from core.transforms.variants import (
    FEW_PEOPLE,
    FULL,
    KERNELS,
    LIGHT,
    Augmentation,
    Colour,
    ColourRanges,
    Erasure,
    Quality,
    QualityRanges,
    Variant,
    draw_variant,
)

__all__ = [
    "FEW_PEOPLE",
    "FULL",
    "KERNELS",
    "LIGHT",
    "Augmentation",
    "Colour",
    "ColourRanges",
    "Erasure",
    "Quality",
    "QualityRanges",
    "Variant",
    "draw_variant",
]
