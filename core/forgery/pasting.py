"""Where a pasted picture lies, how far it reaches, and how its colours meet the frame's.

Masks are feathered, deformed ellipses about the face box: no landmarks, which would need a model that may not be
shipped.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.preprocess import Box

Mask = npt.NDArray[np.float32]
"""float32 [H, W], 0-1: the share of the pasted picture in every pixel."""

Placement = npt.NDArray[np.float64]
"""float64 [2, 3]: where a pixel (x, y, 1) of the pasted picture lies in the forged frame."""

Offsets = npt.NDArray[np.float32]
"""float32 [GRID, GRID, 2]: over the region about a face, how far to the right and below, in face widths, the forged
frame takes the placed picture from."""

Patch = tuple[slice, slice]
"""Rows and columns of a frame."""

GRID = 17
REGION = 1.6
"""Side of the square that a warp covers, in face widths."""

_SEAM_POINTS = 64
_SEAM_WAVES = 5
"""Waves around the outline that colours along the seam are told apart by."""
_SEAM_LEVELS = 40.0
"""Larger differences along the seam are hair, hands or background, not the skin's colour."""
_SEAM_PX = 48
"""Width of the picture in which colours along the seam are compared."""


@dataclass(frozen=True, kw_only=True)
class Warp:
    """A smooth deformation of a placed picture, in the forged frame."""

    offsets: Offsets
    region: Box
    """What `offsets` cover, their outermost on its border; beyond it they repeat."""

    @classmethod
    def about(cls, box: Box, offsets: Offsets) -> "Warp":
        """`offsets` over the square of REGION face widths about `box`."""
        cx, cy = box.center
        side = REGION * box.w
        return cls(offsets=offsets, region=Box(x=cx - side / 2, y=cy - side / 2, w=side, h=side))

    def displacement_px(self, patch: Patch) -> npt.NDArray[np.float32]:
        """float32 [H, W, 2] at every pixel of `patch`: right and below, px."""
        rows, columns = patch
        step = self.region.w / (GRID - 1)
        onto_patch = np.array([[step, 0, self.region.x - columns.start], [0, step, self.region.y - rows.start]])
        size = (columns.stop - columns.start, rows.stop - rows.start)
        flags, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
        spread = cv2.warpAffine(self.offsets, onto_patch, size, flags=flags, borderMode=border)
        return np.asarray(spread * np.float32(self.region.w / REGION), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The deformed ellipse of a clip's masks, relative to the face box."""

    radii: npt.NDArray[np.float64]
    """[2]: half axes, in face widths and face heights."""
    centre: npt.NDArray[np.float64]
    """[2]: from the box's, in face widths and heights."""
    bulges: npt.NDArray[np.float64]
    """[2, 4]: amplitude (share of the radius) and phase of the outline's harmonics 2 to 5."""
    feather: float
    """Width of the seam, as a share of the radius."""

    def reduced(self, size: float, offset: float) -> "Outline":
        """One `size` as large, `offset` face heights lower."""
        return replace(self, radii=self.radii * size, centre=self.centre + np.array([0, offset]))

    def patch(self, box: Box, inside: Patch) -> Patch:
        """What the mask may reach of `inside`; empty where it lies outside."""
        reach = self.radii * (1 + self.bulges[0].sum()) * (box.w, box.h)
        centre = np.array(box.center) + self.centre * (box.w, box.h)
        low, high = np.floor(centre - reach), np.ceil(centre + reach) + 1
        rows, columns = inside
        left, right = (int(edge) for edge in np.clip((low[0], high[0]), columns.start, columns.stop))
        top, bottom = (int(edge) for edge in np.clip((low[1], high[1]), rows.start, rows.stop))
        return slice(top, bottom), slice(left, right)

    def mask(self, patch: Patch, box: Box, opacity: float) -> Mask:
        """`opacity` inside, 0 outside, a smooth step between: float32 [H, W] of the patch."""
        rows, columns = patch
        across = np.arange(columns.start, columns.stop, dtype=np.float32)
        down = np.arange(rows.start, rows.stop, dtype=np.float32)
        radius, _ = self.polar(across, down, box)
        step = np.clip((1 - radius) / self.feather, 0, 1)
        return np.asarray(opacity * step * step * (3 - 2 * step), dtype=np.float32)

    def polar(
        self, across: npt.NDArray[np.float32], down: npt.NDArray[np.float32], box: Box
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Distance from the centre over the outline's, and angle, float32 [H, W], of columns [W] and rows [H]."""
        x = (across - (box.center[0] + self.centre[0] * box.w))[None, :] / (self.radii[0] * box.w)
        y = (down - (box.center[1] + self.centre[1] * box.h))[:, None] / (self.radii[1] * box.h)
        distance, angle = np.hypot(x, y), np.arctan2(y, x)
        return distance / self.reach(angle), angle

    def reach(self, angle: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The outline's distance from the centre over the ellipse's, at angles of any shape."""
        outline = np.ones_like(angle)
        for harmonic, (amplitude, phase) in enumerate(self.bulges.T, start=2):
            outline += np.float32(amplitude) * np.cos(harmonic * angle + np.float32(phase))
        return outline


def placement_onto(
    source: Box, target: Box, *, shift: npt.NDArray[np.float64] | tuple[float, float] = (0.0, 0.0), scale: float = 1.0
) -> Placement:
    """Similarity that carries box `source` onto box `target`, off by `shift` (in face widths) and `scale`."""
    factor = math.sqrt(target.w * target.h / (source.w * source.h)) * scale
    (from_x, from_y), (to_x, to_y) = source.center, target.center
    to_x += shift[0] * target.w
    to_y += shift[1] * target.h
    return np.array([[factor, 0, to_x - factor * from_x], [0, factor, to_y - factor * from_y]])


def placed(
    picture: npt.NDArray[Any], placement: Placement, patch: Patch, warp: Warp | None = None
) -> npt.NDArray[np.float32]:
    """`picture` [H', W'(, C)] as `patch` of the forged frame shows it, float32; its edge samples repeat outside it."""
    rows, columns = patch
    size = (columns.stop - columns.start, rows.stop - rows.start)
    # What is scaled down would show jagged edges, so it is averaged first.
    picture, placement = _averaged(picture, placement)
    onto_patch = placement - np.array([[0, 0, columns.start], [0, 0, rows.start]])
    if warp is None:
        moved = cv2.warpAffine(picture, onto_patch, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    else:
        off = warp.displacement_px(patch)
        x = np.arange(size[0], dtype=np.float32)[None, :] + off[..., 0]
        y = np.arange(size[1], dtype=np.float32)[:, None] + off[..., 1]
        factor = placement[0, 0]
        from_x = ((x - onto_patch[0, 2]) / factor).astype(np.float32)
        from_y = ((y - onto_patch[1, 2]) / factor).astype(np.float32)
        moved = cv2.remap(picture, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.float32)


def _averaged(picture: npt.NDArray[Any], placement: Placement) -> tuple[npt.NDArray[np.float32], Placement]:
    """The picture in float32, averaged over as many pixels as one of the frame holds, and its placement."""
    factor = math.floor(1 / placement[0, 0])
    height, width = picture.shape[0] // max(1, factor), picture.shape[1] // max(1, factor)
    pixels = picture.astype(np.float32)
    if factor < 2 or min(height, width) < 1:
        return pixels, placement
    whole = pixels[: height * factor, : width * factor]
    reduced = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    # The middle of the first block lies at (factor - 1) / 2.
    onto = placement @ np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])
    return np.asarray(reduced, dtype=np.float32), onto


def seam_colours(
    frame: npt.NDArray[Any], pasted: npt.NDArray[np.float32], outline: Outline, patch: Patch, box: Box
) -> npt.NDArray[np.float32]:
    """By how much `frame` differs from `pasted` along the middle of the seam: float32 [11, 3], waves of the angle.

    Both are [H, W, 3], what the patch shows; compared is what a small picture of them shows.
    """
    height, width = pasted.shape[:2]
    small = (_SEAM_PX, max(1, round(_SEAM_PX * height / width)))
    wanted, present = (
        cv2.resize(picture.astype(np.float32), small, interpolation=cv2.INTER_AREA) for picture in (frame, pasted)
    )
    difference = cv2.blur(np.asarray(wanted - present), (3, 3))
    angle = np.arange(_SEAM_POINTS, dtype=np.float32) * np.float32(2 * math.pi / _SEAM_POINTS)
    reach = (1 - outline.feather / 2) * outline.reach(angle)
    x = box.center[0] + (outline.centre[0] + outline.radii[0] * reach * np.cos(angle)) * box.w - patch[1].start
    y = box.center[1] + (outline.centre[1] + outline.radii[1] * reach * np.sin(angle)) * box.h - patch[0].start
    found = cv2.remap(
        np.asarray(difference),
        ((x + 0.5) * small[0] / width - 0.5).astype(np.float32)[None],
        ((y + 0.5) * small[1] / height - 0.5).astype(np.float32)[None],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )[0]
    waves = _waves(np.ones_like(angle), angle)
    share = np.where(np.arange(waves.shape[1]) == 0, 1, 2) / np.float32(_SEAM_POINTS)
    bounded = np.clip(found, -_SEAM_LEVELS, _SEAM_LEVELS)
    return np.asarray((waves[:, :, None] * bounded[:, None, :]).sum(axis=0) * share[:, None], dtype=np.float32)


def membrane(colours: npt.NDArray[np.float32], outline: Outline, patch: Patch, box: Box) -> npt.NDArray[np.float32]:
    """What to add to the pasted picture so that its colours meet the frame's: float32 [H, W, 3] of the patch.

    Harmonic inside the seam, which is what keeps a picture's gradients while its border is given (Pérez, Gangnet and
    Blake, "Poisson Image Editing", SIGGRAPH 2003): `colours` are the waves around the seam, and in a disc a wave of
    n periods fades with the n-th power of the radius. No system is solved, and no pixel decides by itself, which
    would flicker.
    """
    rows, columns = patch
    size = (columns.stop - columns.start, rows.stop - rows.start)
    coarse = (min(32, size[0]), min(32, size[1]))
    across, down = (
        ((np.arange(n, dtype=np.float32) + 0.5) * (whole / n) - 0.5 + part.start).astype(np.float32)
        for n, whole, part in zip(coarse, size, (columns, rows), strict=True)
    )
    radius, angle = outline.polar(across, down, box)
    waves = _waves(np.minimum(radius / (1 - outline.feather / 2), 1), angle)
    field = (waves[..., None] * colours).sum(axis=2)
    smooth = cv2.resize(np.asarray(field, dtype=np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, dtype=np.float32)


def _waves(radius: npt.NDArray[np.floating], angle: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """float32 [..., 11]: 1, and r^n cos(n a), r^n sin(n a) for n of 1 to 5."""
    columns = [np.ones_like(radius)]
    for n in range(1, _SEAM_WAVES + 1):
        columns += [radius**n * np.cos(n * angle), radius**n * np.sin(n * angle)]
    return np.stack(columns, axis=-1).astype(np.float32)
