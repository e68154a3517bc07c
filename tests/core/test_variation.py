"""A variant's geometry from a stored crop to a model's input, for RGB, depth and masks, against torchvision's."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as V

from core.clips import ClipWindow, read_slots
from core.preprocess import Box, PreprocessSpec
from core.records import ForgeryRecord, Sample, VideoRecord
from core.store import ClipStore, encode_png
from core.transforms import Erasure, Variant

LOW, HIGH = 1000, 5000
MARK_SIDE = 200
MARK_BOX = Box(x=60, y=64, w=80, h=72)
MARK_SPEC = PreprocessSpec(size=64, margin=1.6)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ClipStore, VideoRecord]]:
    """A forged clip that is black, far and untouched but for one bright, near, forged spot at (118, 84)."""
    spot = np.zeros((MARK_SIDE, MARK_SIDE), np.uint8)
    cv2.circle(spot, (118 * 16 - 8, 84 * 16 - 8), 7 * 16, 255, cv2.FILLED, cv2.LINE_AA, shift=4)
    row = VideoRecord(
        key="marked",
        path="fake/marked.mp4",
        label="fake",
        identity="m",
        method="self_blend",
        split="train",
        frame_size=(MARK_SIDE, MARK_SIDE),
        samples=(
            Sample(
                index=0,
                time_ms=0.0,
                face=(MARK_BOX.x, MARK_BOX.y, MARK_BOX.w, MARK_BOX.h),
                kept=True,
                depth_valid=True,
            ),
        ),
        windows=((0, 1),),
        depth_range=(LOW, HIGH),
        forgery=ForgeryRecord(visibility=9.0, draws={}),
    )
    depth = (LOW + (HIGH - LOW) * (spot / 255)).astype(np.uint16)
    with ClipStore.write(tmp_path_factory.mktemp("marked"), {}) as store:
        store.add(
            row,
            [
                ("crop", 0, encode_png(np.repeat(spot[..., None], 3, axis=2))),
                ("depth", 0, encode_png(depth)),
                ("mask", 0, encode_png(spot)),
            ],
        )
        yield store, row


def centroid(picture: Tensor) -> tuple[float, float]:
    """x, y of what is bright, in continuous pixels."""
    weights = picture.double().numpy()
    y, x = np.indices(weights.shape) + 0.5
    return float((x * weights).sum() / weights.sum()), float((y * weights).sum() / weights.sum())


CORNERS = ((0.05, -0.04), (-0.05, 0.03), (0.02, 0.05), (-0.03, -0.05))


@pytest.mark.parametrize(
    "variant",
    [
        Variant(),
        Variant(rotation_degrees=10.0),
        Variant(perspective=CORNERS),
        Variant(flip=True, rotation_degrees=-7.0, perspective=CORNERS),
        Variant(flip=True, rotation_degrees=7.0, perspective=CORNERS, box_scale=1.12, box_shift=(-0.08, 0.06)),
    ],
)
def test_a_spot_moves_alike_in_rgb_depth_and_mask_and_where_torchvision_says(
    marked: tuple[ClipStore, VideoRecord], variant: Variant
) -> None:
    store, row = marked
    slots = read_slots(store, ClipWindow(record=row, start=0, end=1), [19], MARK_SPEC, variant)

    # By hand in the whole crop: torchvision moves the spot and the box's centre, jitter moves the box.
    angle, side, (cx, cy) = np.deg2rad(variant.rotation_degrees), MARK_BOX.w, MARK_BOX.center
    unit = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    turned = unit @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = turned + np.array(variant.perspective or np.zeros((4, 2)))
    start, end = ((points * side + (cx, cy)).tolist() for points in (unit, turned))
    ring = [(118, 84), (cx, cy), (cx + 1, cy), (cx, cy + 1), (cx - 1, cy), (cx, cy - 1)]
    keypoints = tv_tensors.KeyPoints(torch.tensor(ring, dtype=torch.float64), canvas_size=(MARK_SIDE, MARK_SIDE))
    spot, centre, right, below, left, above = V.perspective(keypoints, start, end).numpy()
    across, down = (right - left) / 2, (below - above) / 2
    scale = np.sqrt(abs(across[0] * down[1] - across[1] * down[0]))
    seen = 1.6 * max(MARK_BOX.w, MARK_BOX.h) * scale * variant.box_scale
    middle = centre + np.array(variant.box_shift) * (MARK_BOX.w * scale, MARK_BOX.h * scale)
    x, y = (spot - middle + seen / 2) / seen * 64
    wanted = (64 - x if variant.flip else x, y)

    found = [centroid(picture) for picture in (slots.frames[0, 0], slots.depth[0, 0], slots.masks[0, 0])]
    # A square begins on a whole pixel, half a pixel off at most in x and in y: about half a pixel here.
    for place in found:
        assert place == pytest.approx(wanted, abs=0.6)
        assert place == pytest.approx(found[0], abs=0.15)


def test_a_covered_forgery_is_not_in_the_mask(marked: tuple[ClipStore, VideoRecord]) -> None:
    store, row = marked
    window = ClipWindow(record=row, start=0, end=1)
    hidden = Variant(erasure=Erasure(x=0.0, y=0.0, w=1.0, h=1.0, level=(9, 9, 9)))
    assert read_slots(store, window, [19], MARK_SPEC, Variant()).masks.any()
    assert not read_slots(store, window, [19], MARK_SPEC, hidden).masks.any()
