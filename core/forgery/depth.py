"""The depth of what a forged clip shows: depth alone must not give the forgery away."""

from collections.abc import Sequence

import cv2
import numpy as np

from core.forgery.blending import Forgery
from core.forgery.pasting import Mask, Patch, placed
from core.preprocess import DepthImage


def forged_depth(
    depths: Sequence[DepthImage], donor_depths: Sequence[DepthImage], forgery: Forgery
) -> list[DepthImage]:
    """The depth of what a forged clip shows: T x uint16 [H, W], of the sizes of its frames.

    `depths` are the clip's own and `donor_depths` those of the pasted clip (its own again, for `self_blend`).
    Relative depth has no scale of its own, so the pasted relief is brought to the spread of the face that it
    covers, and moved and tilted to meet the head along the seam: no step is left that would tell the forgery.
    Where the pasted picture is no more than half of what a clip shows, its depth stays what it was.
    """
    out = []
    shows = forgery.strength["opacity"] > 0.5
    for depth, mask, placement, warp, source in zip(
        depths, forgery.masks, forgery.placements, forgery.warps, forgery.sources, strict=True
    ):
        covered, seam = mask > 0.5, (mask > 0) & (mask < 0.9)
        if placement is None or source is None or not shows or not covered.any():
            out.append(depth.copy())
            continue
        everything: Patch = (slice(0, depth.shape[0]), slice(0, depth.shape[1]))
        pasted = placed(donor_depths[source], placement, everything, warp)
        # The ratio of spreads favours neither face; a fitted gain would shrink the pasted one, a cue by itself.
        pasted *= np.clip(depth[covered].std() / max(float(pasted[covered].std()), 1.0), 0.1, 10)
        rows, columns = np.nonzero(seam)
        plane = np.stack([rows, columns, np.ones(len(rows))], axis=1)
        down, across, level = np.linalg.lstsq(plane, depth[seam] - pasted[seam], rcond=None)[0]
        y, x = np.ogrid[0 : depth.shape[0], 0 : depth.shape[1]]
        met = pasted + down * y + across * x + level
        out.append(np.rint(np.clip(depth + (met - depth) * _eased(mask), 0, 65535)).astype(np.uint16))
    return out


def known_forged_depth(
    depths: Sequence[DepthImage | None], donor_depths: Sequence[DepthImage | None], forgery: Forgery
) -> list[DepthImage | None]:
    """`forged_depth` of clips whose depth is not known everywhere: None where the clip's or the pasted frame's is."""
    nothing = np.zeros((1, 1), np.uint16)
    out: list[DepthImage | None] = []
    for row, depth in enumerate(depths):
        source = forgery.sources[row]
        pasted = None if source is None else donor_depths[source]
        if depth is None or (source is not None and pasted is None):
            out.append(None)
            continue
        out += forged_depth([depth], [nothing if pasted is None else pasted], forgery.only(row))
    return out


def _eased(mask: Mask) -> Mask:
    """A ramp of 0-1 from the outline of `mask` inwards: a seam too wide to be seen in depth."""
    inside = np.asarray(cv2.distanceTransform((mask > 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    step = np.clip(inside / (0.6 * inside.max()), 0, 1)
    return np.asarray(step * step * (3 - 2 * step), dtype=np.float32)
