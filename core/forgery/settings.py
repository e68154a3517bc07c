"""How forgeries may look: the ranges that their draws come from, as part of a store's key."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.forgery.retouching import MatchKind
from core.ranges import Range, Share


class PasteRanges(BaseModel):
    """What is drawn for one method. Lengths are in face widths and colours in levels of 0-255 unless said otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    radius_x: Range = Field(description="half the mask's width, in face widths")
    radius_y: Range = Field(description="half the mask's height, in face heights")
    centre_x: Range = Field(description="the mask's centre from the box's, in face widths")
    centre_y: Range = Field(description="likewise, in face heights; positive is down")
    bulge: Range = Field(description="amplitude of the outline's harmonics 2 to 5, as a share of the radius")
    part_share: Share = Field(default=0.0, description="clips whose mask is over a part of the face, such as the mouth")
    part_size: Range = Field(default=(1.0, 1.0), description="radii of such a mask over those of a whole one")
    part_offset: Range = Field(default=(0.0, 0.0), description="how far below the centre it lies, in face heights")
    feather: Range = Field(description="width of the seam, as a share of the radius")
    opacity: Range
    ratios: tuple[float, ...] = Field(default=(1.0,), description="one is picked, and times opacity is the blend's")

    misplacement: Range = Field(description="how far the pasted picture is off, in place and (as a share) in size")
    elastic: Range = Field(default=(0.0, 0.0), description="largest displacement of its smooth deformation")
    alignment: Range = Field(default=(0.0, 0.0), description="how far optical flow may move it onto the face; 0: none")

    tint_bias: tuple[float, float, float] = Field(description="preferred direction of the tint: red, green, blue")
    tint_spread: float = Field(gt=0.0, description="how far directions stray from it")
    tint: Range = Field(description="length of what is added to red, green and blue")
    contrast: Range
    gain: Range = Field(default=(1.0, 1.0), description="factor of each channel by itself")
    saturation: Range = Field(default=(1.0, 1.0))
    hue_degrees: Range = Field(default=(0.0, 0.0))
    sharpness: tuple[Literal["blur", "sharpen", "reduce"], ...] = Field(description="one is picked")
    softness: Range = Field(description="sigma of the blur")
    sharpening: Range = Field(default=(0.0, 0.0), description="share of the detail that is added once more")
    resolution_px: Range = Field(default=(0.0, 0.0), description="width of the face after it was scaled down")

    base_share: Share = Field(default=0.0, description="clips in which the frame changes and the pasted copy hardly")
    other: Range = Field(default=(0.0, 0.0), description="how much less the other copy changes, as a share")
    match: MatchKind = Field(default="channels", description="how pasted colours are brought to the target's")
    matching: Range = Field(default=(0.0, 0.0), description="how much of the way they are brought")
    seamless_share: Share = Field(default=0.0, description="clips whose colours are made to meet along the seam")


class UnrestAmplitudes(BaseModel):
    """How far the draw wanders over time, in clips that are not held still."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: float
    brightness: float
    opacity: float
    elastic: float = Field(default=0.0, description="as a share of the deformation")


class ForgerySettings(BaseModel):
    """All that a forgery depends on beside its pictures and its generator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    self_blend: PasteRanges
    swap: PasteRanges
    unrest_share: Share = 0.5
    unrest: UnrestAmplitudes


_DEMO_SWAP = PasteRanges(
    radius_x=(0.32, 0.40),
    radius_y=(0.42, 0.52),
    centre_x=(-0.03, 0.03),
    centre_y=(0.02, 0.08),
    bulge=(0.0, 0.05),
    feather=(0.06, 0.13),
    opacity=(0.9, 1.0),
    misplacement=(0.0, 0.02),
    # Paler and cooler, as painted skin is beside lit skin; darker could pass for shade, and warmer for light.
    tint_bias=(0.55, 1.0, 1.25),
    tint_spread=0.12,
    tint=(34, 48),
    contrast=(0.86, 0.98),
    sharpness=("blur",),
    softness=(0.009, 0.014),
    matching=(0.9, 1.0),
)

DEMO = ForgerySettings(
    self_blend=_DEMO_SWAP.model_copy(update={"misplacement": (0.015, 0.035), "matching": (0.0, 0.0)}),
    swap=_DEMO_SWAP,
    unrest=UnrestAmplitudes(shift=0.012, brightness=5.0, opacity=0.08),
)
"""For the demo's synthetic people: strong, so that little training finds it. Another draw is another demo corpus."""

FOOTAGE = ForgerySettings(
    self_blend=PasteRanges(
        radius_x=(0.28, 0.48),
        radius_y=(0.36, 0.58),
        centre_x=(-0.05, 0.05),
        centre_y=(-0.04, 0.08),
        bulge=(0.0, 0.05),
        part_share=0.25,
        part_size=(0.5, 0.8),
        part_offset=(-0.15, 0.25),
        feather=(0.08, 0.7),
        opacity=(1.0, 1.0),
        ratios=(0.35, 0.5, 0.75, 1.0, 1.0, 1.0),
        misplacement=(0.006, 0.022),
        elastic=(0.004, 0.014),
        tint_bias=(0.0, 0.0, 0.0),
        tint_spread=1.0,
        tint=(5, 14),
        contrast=(0.88, 1.14),
        gain=(0.95, 1.05),
        saturation=(0.75, 1.3),
        hue_degrees=(-6.0, 6.0),
        sharpness=("blur", "sharpen", "reduce"),
        softness=(0.003, 0.010),
        sharpening=(0.2, 0.9),
        resolution_px=(50, 110),
        base_share=0.5,
        other=(0.0, 0.4),
    ),
    swap=PasteRanges(
        radius_x=(0.35, 0.44),
        radius_y=(0.48, 0.60),
        centre_x=(-0.03, 0.03),
        centre_y=(-0.05, 0.02),
        bulge=(0.0, 0.04),
        feather=(0.1, 0.4),
        opacity=(0.92, 1.0),
        misplacement=(0.0, 0.015),
        alignment=(0.03, 0.08),
        tint_bias=(0.0, 0.0, 0.0),
        tint_spread=1.0,
        tint=(0, 8),
        contrast=(0.92, 1.08),
        saturation=(0.85, 1.15),
        hue_degrees=(-3.0, 3.0),
        sharpness=("blur", "sharpen", "reduce"),
        softness=(0.002, 0.012),
        sharpening=(0.0, 0.6),
        resolution_px=(48, 110),
        match="covariance",
        matching=(0.85, 1.0),
        seamless_share=0.6,
    ),
    unrest=UnrestAmplitudes(shift=0.006, brightness=2.5, opacity=0.05, elastic=0.5),
)
"""For real footage: mostly subtle, in both directions of every change, as Shiohara and Yamasaki draw theirs."""

PASTED = FOOTAGE.model_copy(update={"self_blend": FOOTAGE.self_blend.model_copy(update={"base_share": 0.0})})
"""As FOOTAGE, with the frame around the face left as it was: for stored clips, whose real ones had no look drawn."""

STRONG = FOOTAGE.model_copy(
    update={
        "self_blend": FOOTAGE.self_blend.model_copy(
            update={
                "feather": (0.04, 0.3),
                "ratios": (1.0,),
                "misplacement": (0.02, 0.06),
                "elastic": (0.01, 0.03),
                "tint": (12, 36),
                "contrast": (0.75, 1.3),
                "saturation": (0.5, 1.5),
                "gain": (0.88, 1.12),
                "softness": (0.01, 0.03),
                "sharpening": (0.5, 2.0),
                "resolution_px": (22, 55),
            }
        )
    }
)
"""Nothing subtle: for a model that knows nothing to begin with."""
