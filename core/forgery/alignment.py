"""A donor's face moved onto another's by dense optical flow: smooth, bounded, and steady over the clip.

Flow is computed in every frame, since heads turn and speak by themselves, and then smoothed over time: one field for
the whole clip would leave the donor's features sliding over the head, and fields of single frames would shake.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from core.forgery.pasting import GRID, REGION, Offsets, Placement, placed, placement_onto
from core.preprocess import Box, Image

_WORK_PX = 96
"""Side of the pictures that flow is computed between; they show the region that a warp covers."""
_SMOOTH_FACES = 0.1
"""Sigma of the smoothing, in face widths: features move as wholes, and no pore is matched with another's."""
_SMOOTH_FRAMES = 2.5
"""Sigma of the smoothing over time, in frames."""


def aligned(
    frames: Sequence[Image],
    boxes: Sequence[Box | None],
    donor_frames: Sequence[Image],
    donor_boxes: Sequence[Box | None],
    sources: Sequence[int | None],
    limit: float,
) -> list[Offsets | None]:
    """For every frame t with a source, the offsets that bring the donor's frame sources[t] onto its face.

    No displacement is longer than `limit`, in face widths.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    start = np.zeros((_WORK_PX, _WORK_PX, 2), dtype=np.float32)
    found: dict[int, Offsets] = {}
    for index, (box, source) in enumerate(zip(boxes, sources, strict=True)):
        donor_box = None if source is None else donor_boxes[source]
        if box is None or source is None or donor_box is None:
            continue
        placement = placement_onto(donor_box, box)
        wanted, present = _seen(frames[index], np.eye(2, 3), box), _seen(donor_frames[source], placement, box)
        found[index] = _smoothed(np.asarray(flow.calc(wanted, present, start.copy()), dtype=np.float32))
    if not found:
        return [None] * len(frames)
    fields = np.stack(list(found.values())).reshape(len(found), -1)
    taps = 2 * round(3 * _SMOOTH_FRAMES) + 1
    steady = cv2.GaussianBlur(
        fields, (1, taps), sigmaX=1, sigmaY=_SMOOTH_FRAMES, borderType=cv2.BORDER_REPLICATE
    ).reshape(-1, GRID, GRID, 2)
    length = np.linalg.norm(steady, axis=3, keepdims=True)
    bounded = np.asarray(steady * np.minimum(1, limit / np.maximum(length, 1e-6)), dtype=np.float32)
    by_frame = dict(zip(found, bounded, strict=True))
    return [by_frame.get(index) for index in range(len(frames))]


def _seen(picture: Image, placement: Placement, box: Box) -> npt.NDArray[np.uint8]:
    """The region about `box` of the frame that `picture` is placed in: grey, uint8 [96, 96], of one mean and spread."""
    side, (cx, cy) = REGION * box.w, box.center
    onto = (placement - np.array([[0, 0, cx - side / 2], [0, 0, cy - side / 2]])) * ((_WORK_PX - 1) / side)
    grey = placed(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), onto, (slice(0, _WORK_PX), slice(0, _WORK_PX)))
    face = grey[_WORK_PX // 4 : -_WORK_PX // 4, _WORK_PX // 4 : -_WORK_PX // 4]
    return np.asarray(np.clip(128 + 45 * (grey - face.mean()) / max(float(face.std()), 1.0), 0, 255), dtype=np.uint8)


def _smoothed(flow: npt.NDArray[np.float32]) -> Offsets:
    """`flow` [96, 96, 2], in pixels, as offsets: only the face counts, as hair and background flow by themselves."""
    place = (np.arange(_WORK_PX, dtype=np.float32) + 0.5) / _WORK_PX - 0.5
    distance = REGION * np.hypot(place[None, :], place[:, None])
    weight = np.clip((0.55 - distance) / 0.15, 1e-4, 1).astype(np.float32)
    sigma = _SMOOTH_FACES * _WORK_PX / REGION
    smooth = (
        cv2.GaussianBlur(flow * weight[..., None], (0, 0), sigma) / cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
    )
    # Both grids put their outermost samples on the region's border.
    place = np.linspace(0, _WORK_PX - 1, GRID, dtype=np.float32)
    across, down = np.meshgrid(place, place)
    sampled = cv2.remap(np.asarray(smooth, dtype=np.float32), across, down, cv2.INTER_LINEAR)
    return np.asarray(sampled * np.float32(REGION / (_WORK_PX - 1)), dtype=np.float32)
