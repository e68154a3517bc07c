"""Random variants of a clip: drawn once for (clip, k) and held over its frames, so that nothing flickers.

Applied after the split, never before: copies of one video must not fall on both sides. Here is what may be drawn and
what was drawn; `geometry` and `degradation` carry it out.
"""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.ranges import Range, Share, Whole
from core.seeding import seeded_generator

Kernel = Literal["nearest", "bilinear", "bicubic"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)


class QualityRanges(BaseModel):
    """How a camera, or whatever passes its pictures on, may spoil them. A share of 0: never."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reduce_share: Share = 0.0
    reduction: Range = Field(default=(1.0, 1.0), description="size it is scaled down to, over the model's input")
    sharpen_share: Share = Field(default=0.0, description="at most one of sharpening and blur is drawn")
    sharpening: Range = Field(default=(0.0, 0.0), description="share of the detail that is added once more")
    blur_share: Share = 0.0
    blur_px: Range = Field(default=(0.0, 0.0), description="sigma, px of the model's input")
    noise_share: Share = 0.0
    noise: Range = Field(default=(0.0, 0.0), description="sigma, of full scale")
    jpeg_share: Share = 0.0
    jpeg_quality: Whole = (100, 100)
    h264_share: Share = Field(default=0.0, description="the clip's frames as one short video")
    h264_crf: Whole = (18, 18)


class ColourRanges(BaseModel):
    """How light and colour may change. Levels are of full scale, 0-1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brightness: Range = Field(default=(1.0, 1.0), description="factor of all channels")
    contrast: Range = Field(default=(1.0, 1.0), description="about the middle of the scale")
    saturation: Range = Field(default=(1.0, 1.0), description="0 is grey")
    gamma: Range = (1.0, 1.0)
    gain: Range = Field(default=(1.0, 1.0), description="factor of each channel by itself")
    offset: Range = Field(default=(0.0, 0.0), description="added to each channel by itself")
    hue_degrees: Range = (0.0, 0.0)
    grey_share: Share = Field(default=0.0, description="clips without colour, beside those drawn so")


class Augmentation(BaseModel):
    """What may be drawn for a variant. Every clip draws evenly from each range; equal ends draw nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip_share: Share = 0.5
    box_scale: Range = Field(description="a phone's detector gives other boxes than the one used for training")
    box_shift: Range = Field(description="of the box's sides, in x and in y")
    rotation_degrees: Range = (0.0, 0.0)
    perspective_share: Share = 0.0
    perspective: Range = Field(default=(0.0, 0.0), description="shift of each corner of the box, in box sides")
    colour: ColourRanges = ColourRanges()
    camera: QualityRanges = Field(default=QualityRanges(), description="before a forgery is made")
    delivery: QualityRanges = Field(default=QualityRanges(), description="after it, on the model's input")
    erase_share: Share = 0.0
    erase_side: Range = Field(default=(0.0, 0.0), description="sides of what is covered, of the input's side")

    def room(self, margin: float) -> float:
        """Side, in box sides, of a square about the box in which every variant's square of `margin` lies."""
        across = margin * self.box_scale[1] + 2 * max(map(abs, self.box_shift))
        turn = math.radians(max(map(abs, self.rotation_degrees)))
        # A turned square needs a larger upright one around it; a corner pulled out pulls the square's own with it.
        return across * (math.cos(turn) + math.sin(turn) + 2 * max(map(abs, self.perspective)))


LIGHT = Augmentation(
    box_scale=(0.9, 1.1),
    box_shift=(-0.05, 0.05),
    colour=ColourRanges(brightness=(0.8, 1.2), contrast=(0.8, 1.2), saturation=(0.7, 1.3)),
)
"""For the demo: its people all come from one camera, and its schedule is too short to learn from more."""

FULL = Augmentation(
    box_scale=(0.85, 1.15),
    box_shift=(-0.1, 0.1),
    rotation_degrees=(-10.0, 10.0),
    perspective_share=0.5,
    perspective=(-0.05, 0.05),
    colour=ColourRanges(
        brightness=(0.8, 1.2),
        contrast=(0.7, 1.4),
        saturation=(0.0, 1.6),
        gamma=(0.6, 1.6),
        gain=(0.9, 1.1),
        offset=(-0.05, 0.05),
        hue_degrees=(-8.0, 8.0),
        grey_share=0.05,
    ),
    camera=QualityRanges(
        reduce_share=0.6,
        reduction=(0.3, 0.9),
        sharpen_share=0.5,
        sharpening=(0.2, 2.5),
        blur_share=0.5,
        blur_px=(0.4, 1.6),
        noise_share=0.5,
        noise=(0.005, 0.04),
        jpeg_share=0.5,
        jpeg_quality=(45, 98),
    ),
    delivery=QualityRanges(
        reduce_share=0.2,
        reduction=(0.5, 0.9),
        blur_share=0.2,
        blur_px=(0.3, 0.8),
        noise_share=0.2,
        noise=(0.003, 0.015),
        jpeg_share=0.3,
        jpeg_quality=(60, 98),
        h264_share=0.3,
        h264_crf=(18, 38),
    ),
    erase_share=0.15,
    erase_side=(0.1, 0.3),
)
"""For footage: where cameras are few, a model that saw no variety of them calls every unknown one fake."""

FEW_PEOPLE = FULL.model_copy(
    update={
        "perspective_share": 0.0,
        "colour": FULL.colour.model_copy(update={"grey_share": 0.3}),
        "camera": QualityRanges(
            reduce_share=0.5,
            reduction=(0.4, 0.95),
            sharpen_share=0.3,
            sharpening=(0.2, 1.5),
            blur_share=0.3,
            blur_px=(0.3, 1.0),
            noise_share=0.4,
            noise=(0.004, 0.025),
            jpeg_share=0.5,
            jpeg_quality=(55, 98),
        ),
        "delivery": QualityRanges(jpeg_share=0.3, jpeg_quality=(60, 98)),
        "erase_share": 0.0,
    }
)
"""FULL with a milder camera, since most pictures that people take are clean, with little after the forgery, which in a
small picture would hide what is left of it, and with more pictures without colour, by which a model would know its few
people's skins."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """One draw of `QualityRanges`. `Quality()` leaves pictures as they are."""

    reduction: float = 1.0
    kernels: tuple[Kernel, Kernel] = ("bilinear", "bilinear")
    """On the way down, and up again."""
    sharpening: float = 0.0
    blur_px: float = 0.0
    noise: float = 0.0
    jpeg_quality: int | None = None
    h264_crf: int | None = None

    def optics(self) -> list[str]:
        """In words, what comes before a change of colour."""
        said = []
        if self.reduction != 1:
            said.append(f"down to {self.reduction:.0%} ({self.kernels[0]}, up {self.kernels[1]})")
        if self.sharpening:
            said.append(f"sharpened {self.sharpening:.1f}")
        if self.blur_px:
            said.append(f"blur {self.blur_px:.1f} px")
        return said

    def coding(self) -> list[str]:
        """In words, what comes after it."""
        said = []
        if self.noise:
            said.append(f"noise {self.noise:.1%}")
        if self.jpeg_quality is not None:
            said.append(f"JPEG {self.jpeg_quality}")
        if self.h264_crf is not None:
            said.append(f"H.264 crf {self.h264_crf}")
        return said


@dataclass(frozen=True, kw_only=True)
class Colour:
    """One draw of `ColourRanges`. `Colour()` leaves pictures as they are."""

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    gamma: float = 1.0
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hue_degrees: float = 0.0

    def words(self) -> list[str]:
        """What it does, in the order in which it is done."""
        said = []
        if self.gamma != 1:
            said.append(f"gamma {self.gamma:.2f}")
        if self.brightness != 1:
            said.append(f"brightness {self.brightness:.2f}")
        if self.gain != (1, 1, 1):
            said.append("gain " + "/".join(f"{value:.2f}" for value in self.gain))
        if self.offset != (0, 0, 0):
            said.append("offset " + "/".join(_signed(100 * value) for value in self.offset) + " %")
        if self.contrast != 1:
            said.append(f"contrast {self.contrast:.2f}")
        if self.hue_degrees and self.saturation:
            said.append(f"hue {_signed(self.hue_degrees)}°")
        if self.saturation != 1:
            said.append(f"saturation {self.saturation:.2f}" if self.saturation else "grey")
        return said


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """A rectangle that something else covers, in shares of the input's side."""

    x: float
    y: float
    w: float
    h: float
    level: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Every draw of one variant; `dataclasses.asdict` of it is JSON. The identity is `Variant()`."""

    flip: bool = False
    box_scale: float = 1.0
    box_shift: tuple[float, float] = (0.0, 0.0)
    """Of the box's sides."""
    rotation_degrees: float = 0.0
    """Counter-clockwise, as torchvision counts."""
    perspective: tuple[tuple[float, float], ...] = ()
    """Shifts of the four corners (clockwise from the top left) in box sides; empty for none."""
    colour: Colour = field(default_factory=Colour)
    camera: Quality = field(default_factory=Quality)
    delivery: Quality = field(default_factory=Quality)
    erasure: Erasure | None = None
    grain: int = 0
    """Seeds the noise, which is another one in each frame."""

    @property
    def turns(self) -> bool:
        """Whether straight lines of the frame end up elsewhere than a cut of it would have them."""
        return bool(self.rotation_degrees or self.perspective)

    def words(self) -> str:
        """The draws as a person reads them, such as "flip, rotate -4°, JPEG 62"."""
        said = ["flip"] if self.flip else []
        if self.rotation_degrees:
            said.append(f"rotate {_signed(self.rotation_degrees)}°")
        if self.perspective:
            largest = max(abs(value) for corner in self.perspective for value in corner)
            said.append(f"perspective {largest:.1%}")
        if self.box_scale != 1 or self.box_shift != (0, 0):
            across, down = (_signed(100 * value) for value in self.box_shift)
            said.append(f"box {self.box_scale:.2f}, moved {across} / {down} %")
        said += [*self.camera.optics(), *self.colour.words(), *self.camera.coding()]
        later = ["a part covered"] if self.erasure else []
        later += [*self.delivery.optics(), *self.delivery.coding()]
        if later:
            said.append("then " + ", ".join(later))
        return ", ".join(said) or "as stored"


def draw_variant(clip: str, k: int, *, seed: int, augmentation: Augmentation) -> Variant:
    """The k-th variant of the clip with that key; always the same for the same arguments."""
    draw = _Draw(seeded_generator("variant", seed, clip, k))
    flip = draw.happens(augmentation.flip_share)
    box_scale = draw.within(augmentation.box_scale)
    box_shift = (draw.within(augmentation.box_shift), draw.within(augmentation.box_shift))
    colour = _drawn_colour(draw, augmentation.colour)
    rotation = draw.within(augmentation.rotation_degrees)
    perspective: tuple[tuple[float, float], ...] = ()
    if draw.happens(augmentation.perspective_share):
        reach = augmentation.perspective
        perspective = tuple((draw.within(reach), draw.within(reach)) for _ in range(4))
    return Variant(
        flip=flip,
        box_scale=box_scale,
        box_shift=box_shift,
        rotation_degrees=rotation,
        perspective=perspective,
        colour=colour,
        camera=_drawn_quality(draw, augmentation.camera),
        delivery=_drawn_quality(draw, augmentation.delivery),
        erasure=_drawn_erasure(draw, augmentation) if draw.happens(augmentation.erase_share) else None,
        grain=draw.whole((0, 2**31 - 1)),
    )


class _Draw:
    """Takes no number from the generator where nothing is left to chance."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def within(self, pair: Range) -> float:
        return pair[0] if pair[0] == pair[1] else float(self._generator.uniform(*pair))

    def whole(self, pair: Whole) -> int:
        return int(self._generator.integers(pair[0], pair[1], endpoint=True))

    def happens(self, share: float) -> bool:
        return share > 0 and bool(self._generator.random() < share)

    def three(self, pair: Range) -> tuple[float, float, float]:
        return self.within(pair), self.within(pair), self.within(pair)

    def kernel(self) -> Kernel:
        return KERNELS[self.whole((0, len(KERNELS) - 1))]


def _drawn_colour(draw: _Draw, ranges: ColourRanges) -> Colour:
    brightness, contrast = draw.within(ranges.brightness), draw.within(ranges.contrast)
    saturation = draw.within(ranges.saturation)
    return Colour(
        brightness=brightness,
        contrast=contrast,
        gamma=draw.within(ranges.gamma),
        gain=draw.three(ranges.gain),
        offset=draw.three(ranges.offset),
        hue_degrees=draw.within(ranges.hue_degrees),
        saturation=0.0 if draw.happens(ranges.grey_share) else saturation,
    )


def _drawn_quality(draw: _Draw, ranges: QualityRanges) -> Quality:
    reduction, kernels = 1.0, Quality().kernels
    if draw.happens(ranges.reduce_share):
        reduction, kernels = draw.within(ranges.reduction), (draw.kernel(), draw.kernel())
    # One number for both, so that shares of 0.5 and 0.5 always give one of them and never two.
    edge = draw.within((0.0, 1.0)) if ranges.sharpen_share or ranges.blur_share else 1.0
    sharpens = edge < ranges.sharpen_share
    blurs = ranges.sharpen_share <= edge < ranges.sharpen_share + ranges.blur_share
    return Quality(
        reduction=reduction,
        kernels=kernels,
        sharpening=draw.within(ranges.sharpening) if sharpens else 0.0,
        blur_px=draw.within(ranges.blur_px) if blurs else 0.0,
        noise=draw.within(ranges.noise) if draw.happens(ranges.noise_share) else 0.0,
        jpeg_quality=draw.whole(ranges.jpeg_quality) if draw.happens(ranges.jpeg_share) else None,
        h264_crf=draw.whole(ranges.h264_crf) if draw.happens(ranges.h264_share) else None,
    )


def _drawn_erasure(draw: _Draw, augmentation: Augmentation) -> Erasure:
    w, h = draw.within(augmentation.erase_side), draw.within(augmentation.erase_side)
    levels = (0, 255)
    return Erasure(
        x=draw.within((0.0, 1.0)) * (1 - w),
        y=draw.within((0.0, 1.0)) * (1 - h),
        w=w,
        h=h,
        level=(draw.whole(levels), draw.whole(levels), draw.whole(levels)),
    )


def _signed(value: float) -> str:
    """+4, -10; a value that rounds to nothing has no sign."""
    return f"{value:+.0f}" if round(value) else "0"
