"""Forged clips from real ones: another clip's face swapped in, or a clip blended with a copy of itself.

Both paste through a feathered, deformed ellipse about the face box: no landmarks, which would need a model
that may not be shipped. Blending a frame with itself follows Shiohara and Yamasaki, "Detecting Deepfakes
with Self-Blended Images", CVPR 2022; here every draw is held over the clip, so that the forgery is
consistent in time as real ones are.
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
    """T: which of the donor's frames (or its own) was pasted; None where the frame has no box."""
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
    """How much of the way the pasted colours are brought to the target's, 0-1; 0 for `self_blend`."""
    unrest: npt.NDArray[np.float64]
    """[T, 4]: change over time of shift x, shift y, brightness (levels) and opacity."""

    def strength(self) -> dict[str, float]:
        """What a report can say of the draw."""
        return {
            "tint": float(np.linalg.norm(self.tint)),
            "contrast": self.contrast,
            "softness": self.softness,
            "shift": float(np.linalg.norm(self.shift)),
            "scale": self.scale,
            "feather": self.feather,
            "opacity": self.opacity,
            "matching": self.matching,
            "unrest": float(np.abs(self.unrest).max(initial=0.0)),
        }


def self_blended_clip(frames: Sequence[Image], boxes: Sequence[Box | None], generator: np.random.Generator) -> Forgery:
    """Blend each frame with a copy of itself that is slightly off in place, size, colour and sharpness.

    `frames` are T x uint8 [H, W, 3], RGB, of one size; `boxes` has a face box for each, or None, which
    leaves that frame as it is. All randomness comes from `generator`.
    """
    assert len(frames) == len(boxes), f"{len(frames)} frames, {len(boxes)} boxes"
    draw = _draw(len(frames), generator, misplacement=(0.015, 0.035), matched=False)
    own = [None if box is None else index for index, box in enumerate(boxes)]
    return _forged(
        "self_blend",
        draw,
        frames=frames,
        boxes=boxes,
        donor_frames=frames,
        donor_boxes=boxes,
        sources=own,
    )


def self_blended_crops(crops: Sequence[Image], boxes: Sequence[Box], generator: np.random.Generator) -> Forgery:
    """`self_blended_clip` of square crops, uint8 [N_t, N_t, 3], whose sides N_t differ.

    They are brought to the largest side by padding right and below, so a box in a crop stays where it is.
    """
    side = max(crop.shape[0] for crop in crops)
    short = [side - crop.shape[0] for crop in crops]
    padded = [np.pad(crop, ((0, by), (0, by), (0, 0))) for crop, by in zip(crops, short, strict=True)]
    return self_blended_clip(padded, boxes, generator)


def swapped_clip(
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    donor_frames: Sequence[Image],
    donor_boxes: Sequence[Box | None],
    generator: np.random.Generator,
) -> Forgery:
    """Paste the donor's face over the clip's, aligned by the boxes and roughly matched in colour.

    Frame t takes the donor's frame t (the donor runs to and fro where it is shorter), or the nearest that
    has a box. Shapes as in `self_blended_clip`; the donor's frames may have another size. A donor without
    any box is a bug.
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
    return _forged(
        "swap",
        draw,
        frames=frames,
        boxes=boxes,
        donor_frames=donor_frames,
        donor_boxes=donor_boxes,
        sources=sources,
    )


def forged_depth(
    depths: Sequence[DepthImage], donor_depths: Sequence[DepthImage], forgery: Forgery
) -> list[DepthImage]:
    """The depth of what a forged clip shows: T x uint16 [H, W].

    `depths` are the clip's own and `donor_depths` those of the pasted clip (its own again, for `self_blend`).
    Relative depth has no scale of its own, so the pasted relief is brought to the spread of the face that it
    covers, and moved and tilted to meet the head along the seam: no step is left that would tell the forgery.
    """
    out = []
    for depth, mask, placement, source in zip(depths, forgery.masks, forgery.placements, forgery.sources, strict=True):
        covered, seam = mask > 0.5, (mask > 0) & (mask < 0.9)
        if placement is None or source is None or not covered.any():
            out.append(depth.copy())
            continue
        everything = (slice(0, depth.shape[0]), slice(0, depth.shape[1]))
        pasted = _placed(donor_depths[source].astype(np.float32), placement, everything)
        # The ratio of spreads favours neither face; a fitted gain would shrink the pasted one, a cue by itself.
        pasted *= np.clip(depth[covered].std() / max(float(pasted[covered].std()), 1.0), 0.1, 10)
        rows, columns = np.nonzero(seam)
        plane = np.stack([rows, columns, np.ones(len(rows))], axis=1)
        down, across, level = np.linalg.lstsq(plane, depth[seam] - pasted[seam], rcond=None)[0]
        y, x = np.ogrid[0 : depth.shape[0], 0 : depth.shape[1]]
        met = pasted + down * y + across * x + level
        out.append(np.rint(np.clip(depth + (met - depth) * _eased(mask), 0, 65535)).astype(np.uint16))
    return out


def _eased(mask: Mask) -> Mask:
    """A ramp of 0-1 from the outline of `mask` inwards: a seam too wide to be seen in depth."""
    inside = np.asarray(cv2.distanceTransform((mask > 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    step = np.clip(inside / (0.6 * inside.max()), 0, 1)
    return np.asarray(step * step * (3 - 2 * step), dtype=np.float32)


def wander(length: int, generator: np.random.Generator, *, slowest: float, fastest: float) -> npt.NDArray[np.float64]:
    """A smooth random curve, float64 [length], within -1.4 to 1.4; periods in samples, slowest > fastest."""
    time = np.arange(length)
    periods = generator.uniform(fastest, slowest, 3)
    phases = generator.uniform(0, 2 * math.pi, 3)
    return np.asarray(np.sin(2 * math.pi * time[:, None] / periods + phases).mean(axis=1) * 1.4)


def _draw(length: int, generator: np.random.Generator, *, misplacement: tuple[float, float], matched: bool) -> _Draw:
    """One clip's draw. Every strength keeps away from 0: a forgery nobody can see teaches nothing."""
    # Paler and cooler, as painted skin is beside lit skin; darker could pass for shade, and warmer for light.
    direction = np.array([0.55, 1.0, 1.25]) + generator.normal(scale=0.12, size=3)
    direction /= np.linalg.norm(direction)
    angle = generator.uniform(0, 2 * math.pi)
    off = generator.uniform(*misplacement) * np.array([math.cos(angle), math.sin(angle)])
    unrest = np.zeros((length, 4))
    if generator.random() < 0.5:
        for column, amplitude in enumerate((0.012, 0.012, 5.0, 0.08)):
            unrest[:, column] = amplitude * wander(length, generator, slowest=14, fastest=5)
    return _Draw(
        radii=np.array([generator.uniform(0.32, 0.40), generator.uniform(0.42, 0.52)]),
        centre=generator.uniform((-0.03, 0.02), (0.03, 0.08)),
        bulges=np.stack([generator.uniform(0, 0.05, 4), generator.uniform(0, 2 * math.pi, 4)]),
        feather=generator.uniform(0.06, 0.13),
        opacity=generator.uniform(0.9, 1.0),
        shift=off,
        scale=1 + float(generator.choice((-1, 1))) * generator.uniform(*misplacement),
        tint=direction * generator.uniform(34, 48),
        contrast=generator.uniform(0.86, 0.98),
        softness=generator.uniform(0.009, 0.014),
        matching=generator.uniform(0.9, 1.0) if matched else 0.0,
        unrest=unrest,
    )


def _forged(
    method: Method,
    draw: _Draw,
    *,
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    donor_frames: Sequence[Image],
    donor_boxes: Sequence[Box | None],
    sources: Sequence[int | None],
) -> Forgery:
    """Paste `donor_frames[sources[t]]` into every frame t that has a source."""
    out = Forgery(method=method, frames=[], masks=[], placements=[], sources=list(sources), strength=draw.strength())
    match: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None = None
    for index, (frame, box, source) in enumerate(zip(frames, boxes, sources, strict=True)):
        donor_box = None if source is None else donor_boxes[source]
        forged, mask, placement = frame.copy(), np.zeros(frame.shape[:2], dtype=np.float32), None
        if box is not None and source is not None and donor_box is not None:
            placement = _placement(donor_box, box, draw, index)
            patch = _patch(frame.shape, box, draw)
            mask[patch] = _mask(patch, box, draw, index)
            covered = mask[patch] > 0.5
            if covered.any():
                original = frame[patch]
                pasted = _placed(donor_frames[source].astype(np.float32), placement, patch)
                # Once a clip, from its first face: matching every frame by itself makes the colours flicker.
                match = match or _colour_match(pasted[covered], original[covered], draw.matching)
                pasted = _retouched(pasted * match[0] + match[1], box, draw, index)
                share = mask[patch][..., None]
                mixed = np.rint(np.clip(original + (pasted - original) * share, 0, 255)).astype(np.uint8)
                forged[patch] = np.where(share > 0, mixed, original)
        out.frames.append(forged)
        out.masks.append(mask)
        out.placements.append(placement)
    return out


def _patch(shape: tuple[int, ...], box: Box, draw: _Draw) -> tuple[slice, slice]:
    """Rows and columns of the frame [H, W, ...] that the mask may reach; empty where it lies outside."""
    reach = draw.radii * (1 + draw.bulges[0].sum()) * (box.w, box.h)
    centre = np.array(box.center) + draw.centre * (box.w, box.h)
    low, high = np.floor(centre - reach), np.ceil(centre + reach) + 1
    left, right = (int(edge) for edge in np.clip((low[0], high[0]), 0, shape[1]))
    top, bottom = (int(edge) for edge in np.clip((low[1], high[1]), 0, shape[0]))
    return slice(top, bottom), slice(left, right)


def _mask(patch: tuple[slice, slice], box: Box, draw: _Draw, index: int) -> Mask:
    """The deformed ellipse about `box` in a patch: `opacity` inside, 0 outside, a smooth step between."""
    cx = box.center[0] + draw.centre[0] * box.w
    cy = box.center[1] + draw.centre[1] * box.h
    rows, columns = patch
    x = (np.arange(columns.start, columns.stop, dtype=np.float32) - cx)[None, :] / (draw.radii[0] * box.w)
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) - cy)[:, None] / (draw.radii[1] * box.h)
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


def _placed(
    picture: npt.NDArray[np.float32], placement: Placement, patch: tuple[slice, slice]
) -> npt.NDArray[np.float32]:
    """`picture` [H', W'(, C)] as `patch` of the forged frame shows it; its edge samples repeat outside it."""
    rows, columns = patch
    onto_patch = placement - np.array([[0, 0, columns.start], [0, 0, rows.start]])
    size = (columns.stop - columns.start, rows.stop - rows.start)
    moved = cv2.warpAffine(picture, onto_patch, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.float32)


def _colour_match(
    pasted: npt.NDArray[np.float32], original: Image, matching: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Gain and offset, each [3], that bring mean and spread of `pasted` [N, 3] towards the original's."""
    mean, wanted_mean = pasted.mean(axis=0), original.mean(axis=0)
    gain = np.clip(original.std(axis=0) / np.maximum(pasted.std(axis=0), 1.0), 0.6, 1.6)
    gain = 1 + matching * (gain - 1)
    offset = mean + matching * (wanted_mean - mean) - gain * mean
    return gain.astype(np.float32), offset.astype(np.float32)


def _retouched(pasted: npt.NDArray[np.float32], box: Box, draw: _Draw, index: int) -> npt.NDArray[np.float32]:
    """The drawn change of colour and sharpness, float32 [H, W, 3]; may leave 0-255."""
    soft = cv2.GaussianBlur(pasted, (0, 0), draw.softness * box.w)
    brightness = draw.tint + draw.unrest[index, 2]
    return np.asarray((soft - 128) * draw.contrast + 128 + brightness, dtype=np.float32)
