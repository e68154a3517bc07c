"""Forged clips from real ones: a face swapped in from another clip, or a clip blended with a jittered copy of itself.

Both paste through a feathered, deformed ellipse about the face box: no landmarks, which would need a model that may
not be shipped. Blending a frame with itself follows Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended
Images", CVPR 2022; here every draw is held over the clip, so that the forgery is consistent in time as real ones are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from core.preprocess import Box, DepthImage, Image

Mask = npt.NDArray[np.float32]
"""float32 [H, W], 0-1: the share of the pasted picture in every pixel."""

Placement = npt.NDArray[np.float64]
"""float64 [2, 3]: where a pixel (x, y, 1) of the pasted picture lies in the forged frame."""

Method = Literal["swap", "self_blend"]


@dataclass(frozen=True, kw_only=True)
class Forgery:
    """A forged clip of T frames, and how it was made."""

    method: Method
    frames: list[Image]
    """T x uint8 [H, W, 3], RGB; a pixel whose mask is 0 is the original's."""
    masks: list[Mask]
    """T x float32 [H, W], 0-1; all 0 where the frame has no box."""
    placements: list[Placement | None]
    """T; None where the frame has no box."""
    sources: list[int | None]
    """T: which of the donor's frames (of its own, for `self_blend`) was pasted; None where the frame has no box."""
    strength: dict[str, float]
    """What was drawn for the clip; lengths in face widths, colours in levels of 0-255."""


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """Everything a clip's forgery holds over its frames. Lengths are in face widths unless said otherwise."""

    radii: npt.NDArray[np.float64]
    """[2]: half axes of the mask, in face widths and face heights."""
    centre: npt.NDArray[np.float64]
    """[2]: the mask's centre from the box's, in face widths and heights."""
    bulges: npt.NDArray[np.float64]
    """[2, 4]: amplitude (share of the radius) and phase of the outline's harmonics 2 to 5."""
    feather: float
    """Width of the seam, as a share of the radius."""
    opacity: float
    shift: npt.NDArray[np.float64]
    """[2]: how far the pasted picture lies from where it belongs."""
    scale: float
    tint: npt.NDArray[np.float64]
    """[3]: levels added to red, green, blue."""
    contrast: float
    softness: float
    """Sigma of the blur: what a generator paints is softer than what a camera sees."""
    matching: float
    """How much of the way the pasted colours are brought to the target's, 0-1; of no use to `self_blend`."""
    unrest: npt.NDArray[np.float64]
    """[T, 4]: change over time of shift x, shift y, brightness (levels) and opacity."""


def self_blended_clip(
    frames: Sequence[Image], boxes: Sequence[Box | None], generator: np.random.Generator
) -> Forgery:
    """Blend each frame with a copy of itself that is slightly off in place, size, colour and sharpness.

    `frames` are T x uint8 [H, W, 3], RGB, of one size; `boxes` has a face box for each, or None, which leaves that
    frame as it is. All randomness comes from `generator`.
    """
    assert len(frames) == len(boxes), f"{len(frames)} frames, {len(boxes)} boxes"
    draw = _draw(len(frames), generator, misplacement=(0.03, 0.06), matched=False)
    own = [None if box is None else index for index, box in enumerate(boxes)]
    return _forged("self_blend", frames, boxes, frames, boxes, own, draw)


def swapped_clip(
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    donor_frames: Sequence[Image],
    donor_boxes: Sequence[Box | None],
    generator: np.random.Generator,
) -> Forgery:
    """Paste the donor's face over the clip's, aligned by the boxes and roughly matched in colour.

    Frame t takes the donor's frame t (the donor runs to and fro where it is shorter), or the nearest that has a box.
    Shapes as in `self_blended_clip`; the donor's frames may have another size. A donor without any box is a bug.
    """
    assert len(frames) == len(boxes), f"{len(frames)} frames, {len(boxes)} boxes"
    assert len(donor_frames) == len(donor_boxes), f"{len(donor_frames)} frames, {len(donor_boxes)} boxes"
    usable = np.array([index for index, box in enumerate(donor_boxes) if box is not None])
    assert len(usable), "the donor shows no face"
    period = max(1, 2 * (len(donor_frames) - 1))
    sources: list[int | None] = []
    for index, box in enumerate(boxes):
        wanted = min(index % period, period - index % period) if len(donor_frames) > 1 else 0
        sources.append(None if box is None else int(usable[np.abs(usable - wanted).argmin()]))
    draw = _draw(len(frames), generator, misplacement=(0.0, 0.02), matched=True)
    return _forged("swap", frames, boxes, donor_frames, donor_boxes, sources, draw)


def forged_depth(
    depths: Sequence[DepthImage], donor_depths: Sequence[DepthImage], forgery: Forgery
) -> list[DepthImage]:
    """The depth of what a forged clip shows: T x uint16 [H, W].

    `depths` are the clip's own and `donor_depths` those of the pasted clip (its own again, for `self_blend`). Relative
    depth has no scale of its own, so the pasted face is set onto the clip's head: scaled, moved and tilted in depth to
    meet it along the seam, and its own relief kept inside.
    """
    out = []
    for depth, mask, placement, source in zip(
        depths, forgery.masks, forgery.placements, forgery.sources, strict=True
    ):
        if placement is None or source is None:
            out.append(depth.copy())
            continue
        pasted = _placed(donor_depths[source].astype(np.float32), placement, depth.shape)
        seam = (mask > 0.02) & (mask < 0.9)
        rows, columns = np.nonzero(seam)
        ramp = np.stack([pasted[seam], rows, columns, np.ones(len(rows))], axis=1)
        fit = np.linalg.lstsq(ramp, depth[seam], rcond=None)[0] if len(rows) > 4 else np.array([1.0, 0, 0, 0])
        y, x = np.ogrid[0 : depth.shape[0], 0 : depth.shape[1]]
        met = fit[0] * pasted + fit[1] * y + fit[2] * x + fit[3]
        out.append(np.rint(np.clip(depth + (met - depth) * mask, 0, 65535)).astype(np.uint16))
    return out


def wander(length: int, generator: np.random.Generator, *, slowest: float, fastest: float) -> npt.NDArray[np.float64]:
    """A smooth random curve, float64 [length], about within -1 to 1; periods in samples, slowest > fastest."""
    time = np.arange(length)
    periods = generator.uniform(fastest, slowest, 3)
    phases = generator.uniform(0, 2 * math.pi, 3)
    return np.asarray(np.sin(2 * math.pi * time[:, None] / periods + phases).mean(axis=1) * 1.4)


def _draw(
    length: int, generator: np.random.Generator, *, misplacement: tuple[float, float], matched: bool
) -> _Draw:
    """One clip's draw. Every strength keeps away from 0: a forgery nobody can see teaches nothing."""
    # Mostly lighter or darker with some hue, as two cameras differ; a pure hue would make a face green or violet.
    direction = generator.choice((-1, 1)) * np.ones(3) + generator.normal(scale=0.6, size=3)
    direction /= np.linalg.norm(direction)
    angle = generator.uniform(0, 2 * math.pi)
    off = generator.uniform(*misplacement) * np.array([math.cos(angle), math.sin(angle)])
    unrest = np.zeros((length, 4))
    if generator.random() < 0.5:
        for column, amplitude in enumerate((0.012, 0.012, 5.0, 0.08)):
            unrest[:, column] = amplitude * wander(length, generator, slowest=14, fastest=5)
    return _Draw(
        radii=np.array([generator.uniform(0.38, 0.47), generator.uniform(0.48, 0.58)]),
        centre=generator.uniform((-0.03, 0.02), (0.03, 0.08)),
        bulges=np.stack([generator.uniform(0, 0.05, 4), generator.uniform(0, 2 * math.pi, 4)]),
        feather=generator.uniform(0.06, 0.14),
        opacity=generator.uniform(0.9, 1.0),
        shift=off,
        scale=1 + generator.choice((-1, 1)) * generator.uniform(*misplacement),
        tint=direction * generator.uniform(28, 42),
        contrast=1 + generator.choice((-1, 1)) * generator.uniform(0.04, 0.15),
        softness=generator.uniform(0.008, 0.013),
        matching=generator.uniform(0.7, 0.95) if matched else 0.0,
        unrest=unrest,
    )


def _forged(
    method: Method,
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    donor_frames: Sequence[Image],
    donor_boxes: Sequence[Box | None],
    sources: Sequence[int | None],
    draw: _Draw,
) -> Forgery:
    """Paste `donor_frames[sources[t]]` into every frame that has a box."""
    out = Forgery(
        method=method,
        frames=[],
        masks=[],
        placements=[],
        sources=list(sources),
        strength={
            "tint": float(np.linalg.norm(draw.tint)),
            "contrast": draw.contrast,
            "softness": draw.softness,
            "shift": float(np.linalg.norm(draw.shift)),
            "scale": draw.scale,
            "feather": draw.feather,
            "opacity": draw.opacity,
            "matching": draw.matching,
            "unrest": float(np.abs(draw.unrest).max(initial=0.0) > 0),
        },
    )
    gain, offset = np.ones(3), np.zeros(3)
    matched = False
    for index, (frame, box, source) in enumerate(zip(frames, boxes, sources, strict=True)):
        donor_box = None if source is None else donor_boxes[source]
        if box is None or source is None or donor_box is None:
            out.frames.append(frame.copy())
            out.masks.append(np.zeros(frame.shape[:2], dtype=np.float32))
            out.placements.append(None)
            continue
        mask = _mask(frame.shape[:2], box, draw, index)
        placement = _placement(donor_box, box, draw, index)
        pasted = _placed(donor_frames[source].astype(np.float32), placement, frame.shape[:2])
        if not matched and draw.matching > 0:
            # Once a clip, from its first face: matching every frame by itself would make the colours flicker.
            gain, offset = _colour_match(pasted, frame, mask, draw.matching)
            matched = True
        pasted = _retouched(pasted * gain.astype(np.float32) + offset.astype(np.float32), box, draw, index)
        share = mask[..., None]
        mixed = np.rint(np.clip(frame * (1 - share) + pasted * share, 0, 255)).astype(np.uint8)
        out.frames.append(np.where(share > 0, mixed, frame))
        out.masks.append(mask)
        out.placements.append(placement)
    return out


def _mask(shape: tuple[int, ...], box: Box, draw: _Draw, index: int) -> Mask:
    """The deformed ellipse about `box`: 1 inside, 0 outside, a smooth step of `feather` between."""
    cx = box.center[0] + draw.centre[0] * box.w
    cy = box.center[1] + draw.centre[1] * box.h
    x = (np.arange(shape[1], dtype=np.float32) - cx)[None, :] / (draw.radii[0] * box.w)
    y = (np.arange(shape[0], dtype=np.float32) - cy)[:, None] / (draw.radii[1] * box.h)
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    outline = np.ones_like(distance)
    for harmonic, (amplitude, phase) in enumerate(draw.bulges.T, start=2):
        outline += np.float32(amplitude) * np.cos(harmonic * angle + np.float32(phase))
    step = np.clip((1 - distance / outline) / draw.feather, 0, 1)
    opacity = min(1.0, draw.opacity + draw.unrest[index, 3])
    return np.asarray(opacity * step * step * (3 - 2 * step), dtype=np.float32)


def _placement(source: Box, target: Box, draw: _Draw, index: int) -> Placement:
    """Similarity that carries box `source` onto box `target`, off by what was drawn."""
    scale = math.sqrt(target.w * target.h / (source.w * source.h)) * draw.scale
    (from_x, from_y), (to_x, to_y) = source.center, target.center
    to_x += (draw.shift[0] + draw.unrest[index, 0]) * target.w
    to_y += (draw.shift[1] + draw.unrest[index, 1]) * target.h
    return np.array([[scale, 0, to_x - scale * from_x], [0, scale, to_y - scale * from_y]])


def _placed(picture: npt.NDArray[np.float32], placement: Placement, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """`picture` [H', W'(, C)] carried into a frame of `shape` [H, W]; its edge samples repeat outside it."""
    moved = cv2.warpAffine(
        picture, placement, (shape[1], shape[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, dtype=np.float32)


def _colour_match(
    pasted: npt.NDArray[np.float32], frame: Image, mask: Mask, matching: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Gain and offset, each [3], that bring the mean and spread of `pasted` under `mask` towards the frame's."""
    inside = mask > 0.5
    if not inside.any():
        return np.ones(3), np.zeros(3)
    theirs, ours = pasted[inside], frame[inside].astype(np.float64)
    gain = np.clip(ours.std(axis=0) / np.maximum(theirs.std(axis=0), 1.0), 0.6, 1.6)
    gain = 1 + matching * (gain - 1)
    wanted = theirs.mean(axis=0) + matching * (ours.mean(axis=0) - theirs.mean(axis=0))
    return gain, wanted - gain * theirs.mean(axis=0)


def _retouched(
    pasted: npt.NDArray[np.float32], box: Box, draw: _Draw, index: int
) -> npt.NDArray[np.float32]:
    """The drawn change of colour and sharpness, float32 [H, W, 3]; may leave 0-255."""
    pasted = cv2.GaussianBlur(pasted, (0, 0), draw.softness * box.w)
    brightness = draw.tint + draw.unrest[index, 2]
    return np.asarray((pasted - 128) * draw.contrast + 128 + brightness, dtype=np.float32)
