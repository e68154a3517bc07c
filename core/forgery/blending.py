"""Forging a clip as it was drawn, one frame after another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.forgery.draws import Draw
from core.forgery.pasting import Mask, Offsets, Patch, Placement, Warp, membrane, placed, placement_onto, seam_colours
from core.forgery.retouching import ColourMatch, colour_match, retouched
from core.preprocess import Box, Image

Method = Literal["swap", "self_blend"]

_SEAM_GAIN = 0.4
"""Weight of the newest frame in the colours along the seam: a hand that passes does not make the face flash."""


@dataclass(frozen=True, kw_only=True)
class Forgery:
    """A forged clip of T frames, and how it was made."""

    method: Method
    frames: list[Image]
    """T x uint8 [H, W, 3], RGB. A pixel whose mask is 0 is the base's: the original's, or where `strength` names
    "base_..." values the original's under that change of the whole frame. Without a box a frame is the original."""
    masks: list[Mask]
    """T x float32 [H, W], 0-1: the share of the pasted picture; all 0 where the frame has no box."""
    placements: list[Placement | None]
    """T; None where the frame has no box."""
    warps: list[Warp | None]
    """T: how the placed picture is deformed; None where it is not."""
    sources: list[int | None]
    """T: which of the donor's frames (or its own) was pasted; None where the frame has no box."""
    strength: dict[str, float]
    """What was drawn for the clip; lengths in face widths, colours in levels of 0-255."""
    visibility: float
    """By how much pasting changed what it covers: mean absolute difference, in levels of 0-255, between the forged
    frames and their base, over the pixels whose mask is above half of the blend's ratio (0.5 for a full one). The
    strength by which metrics are split; 0 where nothing was pasted."""

    def only(self, row: int) -> "Forgery":
        """The forgery of one frame, whose source is the first of a donor that has no other frame."""
        rows = slice(row, row + 1)
        return replace(
            self,
            frames=self.frames[rows],
            masks=self.masks[rows],
            placements=self.placements[rows],
            warps=self.warps[rows],
            sources=[None if self.sources[row] is None else 0],
        )


def blended(
    method: Method,
    draw: Draw,
    *,
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    donor_frames: Sequence[Image],
    donor_boxes: Sequence[Box | None],
    sources: Sequence[int | None],
    offsets: Sequence[Offsets | None],
    padding: int | None,
) -> Forgery:
    """Paste `donor_frames[sources[t]]` into every frame t that has a source.

    Frames are T x uint8 [H_t, W_t, 3], RGB. `offsets` are what aligns the donor's face to each of them. Borders of
    the value `padding` are no part of the pictures; None says that there are none.
    """
    masks: list[Mask] = []
    forged: list[Image] = []
    placements: list[Placement | None] = []
    warps: list[Warp | None] = []
    match: ColourMatch | None = None
    seam: npt.NDArray[np.float32] | None = None
    changed, covered_values = 0.0, 0
    for index, (frame, box, source) in enumerate(zip(frames, boxes, sources, strict=True)):
        donor_box = None if source is None else donor_boxes[source]
        mask = np.zeros(frame.shape[:2], dtype=np.float32)
        masks.append(mask)
        if box is None or source is None or donor_box is None:
            forged.append(frame.copy())
            placements.append(None)
            warps.append(None)
            continue
        unrest = draw.unrest[index]
        inside = picture_inside(frame, padding)
        base = _base(frame, inside, draw, box)
        warp = _warp(draw, box, offsets[index], unrest[4])
        placement = placement_onto(donor_box, box, shift=draw.shift + unrest[:2], scale=draw.scale)
        forged.append(base)
        placements.append(placement)
        warps.append(warp)
        patch = draw.outline.patch(box, inside)
        mask[patch] = draw.outline.mask(patch, box, min(1.0, draw.opacity + unrest[3]))
        covered = mask[patch] > 0.5 * draw.ratio
        if not covered.any():
            continue
        original = base[patch].copy()
        pasted = _donated(donor_frames[source], placement, patch, warp, padding)
        if draw.matching:
            # Once a clip, from its first face: matching every frame by itself makes the colours flicker.
            match = match or colour_match(pasted[covered], original[covered], kind=draw.match, matching=draw.matching)
            pasted = match.applied(pasted)
        pasted = retouched(pasted, draw.pasted, face_px=box.w, brightness=unrest[2])
        if draw.seamless:
            newest = seam_colours(original, pasted, draw.outline, patch, box)
            seam = newest if seam is None else seam + _SEAM_GAIN * (newest - seam)
            pasted += membrane(seam, draw.outline, patch, box)
        share = mask[patch][..., None]
        mixed = np.rint(np.clip(original + (pasted - original) * share, 0, 255)).astype(np.uint8)
        base[patch] = np.where(share > 0, mixed, original)
        changed += float(np.abs(base[patch][covered].astype(np.int16) - original[covered]).sum())
        covered_values += 3 * int(covered.sum())
    return Forgery(
        method=method,
        frames=forged,
        masks=masks,
        placements=placements,
        warps=warps,
        sources=list(sources),
        strength=draw.strength(),
        visibility=changed / max(1, covered_values),
    )


def picture_inside(frame: Image, padding: int | None) -> Patch:
    """The smallest patch of `frame` outside which all is `padding`; all of it for None, or where it is nothing else."""
    everything = slice(0, frame.shape[0]), slice(0, frame.shape[1])
    if padding is None:
        return everything
    shown = frame != padding
    rows = np.flatnonzero(shown.reshape(len(frame), -1).any(axis=1))
    columns = np.flatnonzero(shown.any(axis=0).any(axis=1))
    if not len(rows):
        return everything
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _base(frame: Image, inside: Patch, draw: Draw, box: Box) -> Image:
    """A new picture: the frame that is pasted onto."""
    base = frame.copy()
    if draw.base is not None:
        pixels = retouched(frame[inside].astype(np.float32), draw.base, face_px=box.w, brightness=0.0)
        base[inside] = np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)
    return base


def _warp(draw: Draw, box: Box, offsets: Offsets | None, unrest: float) -> Warp | None:
    """What was drawn, `unrest` times more of it, and what aligns the donor's face."""
    if draw.elastic is not None:
        elastic = np.asarray(draw.elastic * (1 + unrest), dtype=np.float32)
        offsets = elastic if offsets is None else offsets + elastic
    return None if offsets is None else Warp.about(box, offsets)


def _donated(
    frame: Image, placement: Placement, patch: Patch, warp: Warp | None, padding: int | None
) -> npt.NDArray[np.float32]:
    """The donor's picture as the patch shows it; where its own borders would show, its edge is repeated."""
    rows, columns = inside = picture_inside(frame, padding)
    from_inside = placement @ np.array([[1, 0, columns.start], [0, 1, rows.start], [0, 0, 1]])
    return placed(frame[inside], from_inside, patch, warp)
