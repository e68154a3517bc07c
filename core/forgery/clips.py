"""Forged clips from real ones: another clip's face swapped in, or a clip blended with a copy of itself.

Blending a frame with itself follows Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022:
two copies of it change in colour and sharpness, one is moved a little and pasted onto the other. Here every draw is
held over the clip, so that the forgery is consistent in time as real ones are; half of the clips shake and flicker
a little besides, as real ones do.
"""

from collections.abc import Sequence

import numpy as np

from core.forgery.alignment import aligned
from core.forgery.blending import Forgery, blended
from core.forgery.draws import draw_forgery
from core.forgery.pasting import Offsets
from core.forgery.settings import FOOTAGE, ForgerySettings
from core.preprocess import Box, Image


def self_blended_clip(
    frames: Sequence[Image], boxes: Sequence[Box | None], generator: np.random.Generator, settings: ForgerySettings
) -> Forgery:
    """Blend each frame with a copy of itself that is slightly off in place, size, shape, colour and sharpness.

    `frames` are T x uint8 [H, W, 3], RGB; `boxes` has a face box for each, or None, which leaves that frame as it
    is. All randomness comes from `generator`.
    """
    return _self_blended(frames, boxes, generator, settings, padding=None)


def self_blended_crops(
    crops: Sequence[Image],
    boxes: Sequence[Box],
    generator: np.random.Generator,
    settings: ForgerySettings = FOOTAGE,
    *,
    padding: int = 0,
) -> Forgery:
    """`self_blended_clip` of square crops, uint8 [N_t, N_t, 3], whose sides N_t differ; each comes back at its own.

    Borders of the value `padding` are no part of the picture: nothing is pasted there, nor changed.
    """
    return _self_blended(crops, boxes, generator, settings, padding=padding)


def swapped_clip(
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    donor_frames: Sequence[Image],
    donor_boxes: Sequence[Box | None],
    generator: np.random.Generator,
    settings: ForgerySettings,
) -> Forgery:
    """Paste the donor's face over the clip's: aligned by the boxes and by optical flow, and matched in colour.

    Frame t takes the donor's frame t (the donor runs to and fro where it is shorter), or the nearest that has a
    box. Shapes as in `self_blended_clip`; the donor's frames may have another size. A donor without any box is a
    bug.
    """
    return _swapped(frames, boxes, donor_frames, donor_boxes, generator, settings, padding=None)


def swapped_crops(
    crops: Sequence[Image],
    boxes: Sequence[Box],
    donor_crops: Sequence[Image],
    donor_boxes: Sequence[Box],
    generator: np.random.Generator,
    settings: ForgerySettings = FOOTAGE,
    *,
    padding: int = 0,
) -> Forgery:
    """`swapped_clip` of square crops whose sides differ, with `padding` as in `self_blended_crops`."""
    return _swapped(crops, boxes, donor_crops, donor_boxes, generator, settings, padding=padding)


def _self_blended(
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    generator: np.random.Generator,
    settings: ForgerySettings,
    *,
    padding: int | None,
) -> Forgery:
    assert len(frames) == len(boxes), f"{len(frames)} frames, {len(boxes)} boxes"
    return blended(
        "self_blend",
        draw_forgery(len(frames), settings.self_blend, settings, generator),
        frames=frames,
        boxes=boxes,
        donor_frames=frames,
        donor_boxes=boxes,
        sources=[None if box is None else index for index, box in enumerate(boxes)],
        offsets=[None] * len(frames),
        padding=padding,
    )


def _swapped(
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    donor_frames: Sequence[Image],
    donor_boxes: Sequence[Box | None],
    generator: np.random.Generator,
    settings: ForgerySettings,
    *,
    padding: int | None,
) -> Forgery:
    assert len(frames) == len(boxes), f"{len(frames)} frames, {len(boxes)} boxes"
    assert len(donor_frames) == len(donor_boxes), f"{len(donor_frames)} frames, {len(donor_boxes)} boxes"
    usable = np.array([index for index, box in enumerate(donor_boxes) if box is not None])
    assert len(usable), "the donor shows no face"
    period = max(1, 2 * (len(donor_frames) - 1))
    sources: list[int | None] = []
    for index, box in enumerate(boxes):
        wanted = min(index % period, period - index % period) if len(donor_frames) > 1 else 0
        sources.append(None if box is None else int(usable[np.abs(usable - wanted).argmin()]))
    draw = draw_forgery(len(frames), settings.swap, settings, generator)
    offsets: list[Offsets | None] = [None] * len(frames)
    if draw.alignment:
        offsets = aligned(frames, boxes, donor_frames, donor_boxes, sources, draw.alignment)
    return blended(
        "swap",
        draw,
        frames=frames,
        boxes=boxes,
        donor_frames=donor_frames,
        donor_boxes=donor_boxes,
        sources=sources,
        offsets=offsets,
        padding=padding,
    )
