"""The draw of one forgery: everything that is held over its clip."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.forgery.pasting import GRID, Offsets, Outline
from core.forgery.retouching import Look, MatchKind
from core.forgery.settings import ForgerySettings, PasteRanges
from core.ranges import Range


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One clip's draw. Lengths are in face widths unless said otherwise."""

    outline: Outline
    ratio: float
    opacity: float
    """Of the pasted picture inside the mask, the ratio included."""
    shift: npt.NDArray[np.float64]
    """[2]: how far the pasted picture lies from where it belongs."""
    scale: float
    elastic: Offsets | None
    alignment: float
    pasted: Look
    base: Look | None
    """Of the whole frame; None where it stays as it is."""
    match: MatchKind
    matching: float
    seamless: bool
    unrest: npt.NDArray[np.float64]
    """[T, 5]: change over time of shift x, shift y, brightness (levels), opacity, and deformation (a share)."""

    def strength(self) -> dict[str, float]:
        """What a report can say of the draw."""
        return {
            **self.pasted.strength(),
            **{f"base_{name}": value for name, value in (self.base.strength() if self.base else {}).items()},
            "shift": float(np.linalg.norm(self.shift)),
            "scale": self.scale,
            "elastic": 0.0 if self.elastic is None else float(np.linalg.norm(self.elastic, axis=2).max()),
            "alignment": self.alignment,
            "size": float(self.outline.radii.mean()),
            "feather": self.outline.feather,
            "opacity": self.opacity,
            "matching": self.matching,
            "seamless": float(self.seamless),
            "unrest": float(np.abs(self.unrest).max(initial=0.0)),
        }


def wander(length: int, generator: np.random.Generator, *, slowest: float, fastest: float) -> npt.NDArray[np.float64]:
    """A smooth random curve, float64 [length], within -1.4 to 1.4; periods in samples, slowest > fastest."""
    time = np.arange(length)
    periods = generator.uniform(fastest, slowest, 3)
    phases = generator.uniform(0, 2 * math.pi, 3)
    return np.asarray(np.sin(2 * math.pi * time[:, None] / periods + phases).mean(axis=1) * 1.4)


def draw_forgery(length: int, ranges: PasteRanges, settings: ForgerySettings, generator: np.random.Generator) -> Draw:
    """The draw of a clip of `length` frames. The order of what is drawn is part of the demo corpus."""
    direction = _direction(ranges, generator)
    angle = generator.uniform(0, 2 * math.pi)
    shift = generator.uniform(*ranges.misplacement) * np.array([math.cos(angle), math.sin(angle)])
    unrest = np.zeros((length, 5))
    if generator.random() < settings.unrest_share:
        still = settings.unrest
        for column, amplitude in enumerate((still.shift, still.shift, still.brightness, still.opacity, still.elastic)):
            if amplitude:
                unrest[:, column] = amplitude * wander(length, generator, slowest=14, fastest=5)
    outline = Outline(
        radii=np.array([generator.uniform(*ranges.radius_x), generator.uniform(*ranges.radius_y)]),
        centre=np.array([generator.uniform(*ranges.centre_x), generator.uniform(*ranges.centre_y)]),
        bulges=np.stack([generator.uniform(*ranges.bulge, 4), generator.uniform(0, 2 * math.pi, 4)]),
        feather=generator.uniform(*ranges.feather),
    )
    opacity = _within(ranges.opacity, generator)
    scale = 1 + float(generator.choice((-1, 1))) * generator.uniform(*ranges.misplacement)
    pasted, base = _look(ranges, direction, generator), None
    matching = _within(ranges.matching, generator)
    ratio = ranges.ratios[0] if len(ranges.ratios) == 1 else float(generator.choice(ranges.ratios))
    if _happens(ranges.part_share, generator):
        outline = outline.reduced(_within(ranges.part_size, generator), _within(ranges.part_offset, generator))
    if ranges.base_share:
        other = _look(ranges, _direction(ranges, generator), generator).weakened(_within(ranges.other, generator))
        pasted, base = (other, pasted) if generator.random() < ranges.base_share else (pasted, other)
    unrest[:, 3] *= ratio
    return Draw(
        outline=outline,
        ratio=ratio,
        opacity=opacity * ratio,
        shift=shift,
        scale=scale,
        elastic=_elastic(ranges, generator),
        alignment=_within(ranges.alignment, generator),
        pasted=pasted,
        base=base,
        match=ranges.match,
        matching=matching,
        seamless=_happens(ranges.seamless_share, generator),
        unrest=unrest,
    )


def _within(pair: Range, generator: np.random.Generator) -> float:
    """Evenly from the range; a range of one value takes no number from the generator."""
    return pair[0] if pair[0] == pair[1] else generator.uniform(*pair)


def _happens(share: float, generator: np.random.Generator) -> bool:
    """True in that share of draws; a share of 0 takes no number from the generator."""
    return share > 0 and generator.random() < share


def _direction(ranges: PasteRanges, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Of the tint: a unit vector [3]."""
    direction = np.array(ranges.tint_bias) + generator.normal(scale=ranges.tint_spread, size=3)
    return np.asarray(direction / np.linalg.norm(direction))


def _look(ranges: PasteRanges, direction: npt.NDArray[np.float64], generator: np.random.Generator) -> Look:
    """How one of the two copies changes."""
    tint = direction * generator.uniform(*ranges.tint)
    contrast = generator.uniform(*ranges.contrast)
    kind = ranges.sharpness[0]
    if len(ranges.sharpness) > 1:
        kind = ranges.sharpness[int(generator.integers(len(ranges.sharpness)))]
    return Look(
        tint=tint,
        contrast=contrast,
        softness=_within(ranges.softness, generator) if kind == "blur" else 0.0,
        sharpening=_within(ranges.sharpening, generator) if kind == "sharpen" else 0.0,
        resolution_px=_within(ranges.resolution_px, generator) if kind == "reduce" else 0.0,
        saturation=_within(ranges.saturation, generator),
        hue_degrees=_within(ranges.hue_degrees, generator),
        gain=np.array([_within(ranges.gain, generator) for _ in range(3)]),
    )


def _elastic(ranges: PasteRanges, generator: np.random.Generator) -> Offsets | None:
    """A smooth deformation whose largest displacement is what was drawn."""
    if ranges.elastic == (0.0, 0.0):
        return None
    largest = _within(ranges.elastic, generator)
    coarse = generator.normal(size=(5, 5, 2)).astype(np.float32)
    warp = np.asarray(cv2.resize(coarse, (GRID, GRID), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    return np.asarray(warp * (largest / np.linalg.norm(warp, axis=2).max()), dtype=np.float32)
