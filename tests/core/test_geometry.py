"""One geometry for pixels and boxes, against torchvision's."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as V

from core.preprocess import Box, Image, Square, cut
from core.transforms import Variant
from core.transforms.geometry import cut_moved, homography_about, varied_box

SIDE = 120
BOX = Box(x=38, y=44, w=40, h=32)
CORNER = ((0.03, -0.02), (-0.05, 0.04), (0.01, 0.05), (-0.04, -0.03))
TURNED = Variant(rotation_degrees=8.0)
TILTED = Variant(rotation_degrees=-6.0, perspective=CORNER)


def smooth(seed: int = 0) -> Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def corners(box: Box, variant: Variant) -> tuple[list[list[float]], list[list[float]]]:
    """Start and end points as torchvision takes them: the square about the box, turned by hand, and shifted."""
    (cx, cy), side = box.center, max(box.w, box.h)
    start, end = [], []
    shifts = variant.perspective or ((0.0, 0.0),) * 4
    for (x, y), (dx, dy) in zip(((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)), shifts, strict=True):
        angle = math.radians(variant.rotation_degrees)
        u, v = x * math.cos(angle) + y * math.sin(angle), -x * math.sin(angle) + y * math.cos(angle)
        start.append([cx + side * x, cy + side * y])
        end.append([cx + side * (u + dx), cy + side * (v + dy)])
    return start, end


def torchvision_points(points: Sequence[tuple[float, float]], box: Box, variant: Variant) -> list[tuple[float, float]]:
    keypoints = tv_tensors.KeyPoints(torch.tensor(points, dtype=torch.float64), canvas_size=(SIDE, SIDE))
    moved = V.perspective(keypoints, *corners(box, variant))
    return [(float(x), float(y)) for x, y in moved]


@pytest.mark.parametrize("variant", [TURNED, TILTED])
def test_pixels_move_as_torchvision_moves_them(variant: Variant) -> None:
    image = smooth()
    wanted = V.perspective(
        torch.from_numpy(image).permute(2, 0, 1),
        *corners(BOX, variant),
        interpolation=V.InterpolationMode.BILINEAR,
        fill=9,
    )

    found = cut_moved(image, BOX, variant, Square(x0=0, y0=0, side=SIDE), 9)

    difference = np.abs(found.astype(int) - wanted.permute(1, 2, 0).numpy())
    # Along the picture's edge, where a step to the fill lies, the two round differently.
    assert difference[20:-20, 20:-20].max() <= 3
    assert difference.mean() < 0.6


def test_a_rotation_is_counter_clockwise_as_torchvision_counts() -> None:
    image = smooth()
    (cx, cy) = BOX.center
    wanted = V.rotate(
        torch.from_numpy(image).permute(2, 0, 1), 8.0, V.InterpolationMode.BILINEAR, center=[cx, cy], fill=0
    )
    found = cut_moved(image, BOX, TURNED, Square(x0=0, y0=0, side=SIDE), 0)
    difference = np.abs(found.astype(int) - wanted.permute(1, 2, 0).numpy())
    assert difference[24:-24, 24:-24].max() <= 4


@settings(deadline=None)
@given(
    rotation=st.floats(-15, 15),
    shifts=st.lists(st.floats(-0.06, 0.06), min_size=8, max_size=8),
    x=st.floats(0, SIDE),
    y=st.floats(0, SIDE),
)
def test_points_move_as_torchvision_s_key_points(rotation: float, shifts: list[float], x: float, y: float) -> None:
    variant = Variant(rotation_degrees=rotation, perspective=tuple(zip(shifts[::2], shifts[1::2], strict=True)))
    u, v, depth = homography_about(BOX, variant) @ (x, y, 1)
    ((wanted_x, wanted_y),) = torchvision_points([(x, y)], BOX, variant)
    assert (u / depth, v / depth) == pytest.approx((wanted_x, wanted_y), abs=1e-3)


@pytest.mark.parametrize("variant", [TURNED, TILTED])
def test_a_box_follows_its_centre_and_the_scale_there(variant: Variant) -> None:
    cx, cy = BOX.center
    step = 0.5
    ring = [(cx + step, cy), (cx, cy + step), (cx - step, cy), (cx, cy - step)]
    (centre, *moved) = torchvision_points([(cx, cy), *ring], BOX, variant)
    (ax, ay), (bx, by) = ((moved[i][0] - moved[i + 2][0], moved[i][1] - moved[i + 2][1]) for i in (0, 1))
    scale = math.sqrt(abs(ax * by - ay * bx))

    box = varied_box(BOX, variant)

    assert box.center == pytest.approx(centre, abs=1e-3)
    assert (box.w, box.h) == pytest.approx((BOX.w * scale, BOX.h * scale), rel=1e-3)


def test_a_rotation_alone_leaves_the_box_where_it_is() -> None:
    box = varied_box(BOX, TURNED)
    assert (box.x, box.y, box.w, box.h) == pytest.approx((BOX.x, BOX.y, BOX.w, BOX.h))


def test_jitter_scales_and_shifts_the_box_by_hand() -> None:
    # 40 * 1.1 = 44 and 32 * 1.1 = 35.2 about the centre (58 + 2, 60 - 0.8).
    box = varied_box(BOX, Variant(box_scale=1.1, box_shift=(0.05, -0.025)))
    assert (box.x, box.y, box.w, box.h) == pytest.approx((38, 41.6, 44, 35.2))


@given(w=st.floats(10, 200), h=st.floats(10, 200), rotation=st.floats(-10, 10))
def test_geometry_is_relative_to_the_box(w: float, h: float, rotation: float) -> None:
    """A face twice as large, at another place, moves by twice as much: the draw is one for a whole clip."""
    variant = Variant(rotation_degrees=rotation, perspective=CORNER)
    once, twice = Box(x=0, y=0, w=w, h=h), Box(x=50, y=-30, w=2 * w, h=2 * h)
    x, y, depth = homography_about(once, variant) @ (w / 3, h / 4, 1)
    u, v, other = homography_about(twice, variant) @ (50 + 2 * w / 3, -30 + h / 2, 1)
    assert (u / other, v / other) == pytest.approx((50 + 2 * x / depth, -30 + 2 * y / depth), abs=1e-6 * max(w, h))


def test_without_rotation_and_perspective_a_cut_is_a_cut() -> None:
    image, square = smooth(), Square(x0=-7, y0=30, side=60)
    np.testing.assert_array_equal(cut_moved(image, BOX, Variant(flip=True), square, 5), cut(image, square, 5))


def test_a_square_of_the_moved_picture_is_a_part_of_it() -> None:
    image = smooth()
    whole = cut_moved(image, BOX, TILTED, Square(x0=0, y0=0, side=SIDE), 0)
    part = cut_moved(image, BOX, TILTED, Square(x0=-10, y0=25, side=70), 0)
    np.testing.assert_allclose(part[:, 10:].astype(int), whole[25:95, :60].astype(int), atol=2)


def test_depth_keeps_its_sixteen_bits_and_continues_as_told() -> None:
    depth = np.full((SIDE, SIDE), 40_000, np.uint16)
    moved = cut_moved(depth, BOX, TURNED, Square(x0=-30, y0=-30, side=180), 1234)
    assert moved.dtype == np.uint16
    assert set(np.unique(moved[60:120, 60:120])) == {40_000}
    assert moved[0, 0] == moved[-1, -1] == 1234
