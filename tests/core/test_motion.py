"""Motion between two frames: a known shift, a known growth, and no answer where there is none."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut, chelsea

from core.motion import moved_box, part_of, scene_thumbnail
from core.preprocess import Box, Image

FACE = Box(x=170, y=60, w=110, h=110)


@pytest.fixture(scope="module")
def image() -> Image:
    return np.ascontiguousarray(astronaut())  # type: ignore[no-untyped-call]


def warped(image: Image, *, dx: float, dy: float, growth: float) -> Image:
    """`image` shifted by (dx, dy) px and grown about the centre of FACE."""
    cx, cy = FACE.center
    matrix = np.array([[growth, 0, cx * (1 - growth) + dx], [0, growth, cy * (1 - growth) + dy]])
    return np.asarray(cv2.warpAffine(image, matrix, image.shape[1::-1]), np.uint8)


@pytest.mark.parametrize(("dx", "dy", "growth"), [(0, 0, 1), (9, -6, 1), (-30, 20, 1), (0, 0, 1.1), (12, 5, 0.92)])
def test_a_box_follows_what_is_in_it(image: Image, dx: float, dy: float, growth: float) -> None:
    box, confidence = moved_box(image, warped(image, dx=dx, dy=dy, growth=growth), FACE)
    cx, cy = FACE.center
    assert box.center == pytest.approx((cx + dx, cy + dy), abs=2)
    assert box.w == pytest.approx(FACE.w * growth, rel=0.03)
    assert box.h == pytest.approx(FACE.h * growth, rel=0.03)
    assert confidence > 0.6


def test_another_scene_leaves_no_confidence(image: Image) -> None:
    texture = np.random.default_rng(0).integers(0, 255, image.shape, dtype=np.uint8)
    assert moved_box(image, texture, FACE)[1] < 0.3


def test_a_box_outside_the_frame_stays_and_has_no_confidence(image: Image) -> None:
    outside = Box(x=900, y=900, w=100, h=100)
    assert moved_box(image, image, outside) == (outside, 0.0)


def test_a_part_is_clipped_to_the_image(image: Image) -> None:
    left, top, pixels = part_of(image, Box(x=-20.5, y=500, w=100, h=100))
    assert (left, top) == (0, 500)
    assert np.array_equal(pixels, image[500:512, 0:80])
    assert part_of(image, Box(x=600, y=0, w=10, h=10))[2].size == 0


def test_a_thumbnail_tells_scenes_apart_and_not_frames(image: Image) -> None:
    reference = scene_thumbnail(image)
    assert reference.shape == (16, 16, 3)
    moved = scene_thumbnail(warped(image, dx=4, dy=3, growth=1.02))
    other = scene_thumbnail(np.ascontiguousarray(chelsea()[:, :300]))  # type: ignore[no-untyped-call]
    assert np.abs(moved - reference).mean() < 12
    assert np.abs(other - reference).mean() > 40
