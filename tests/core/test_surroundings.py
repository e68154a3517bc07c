"""What of a picture is skin of its face, and how everything else is changed by itself."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from core.preprocess import Box
from core.transforms import Surroundings
from core.transforms.surroundings import changed, skin_of

SIDE = 160
BOX = Box(x=50, y=40, w=60, h=70)
SKIN, HAIR, WALL = (205, 160, 135), (60, 42, 30), (90, 130, 165)

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def ellipse(centre: tuple[int, int], radii: tuple[int, int]) -> Mask:
    picture = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(picture, centre, radii, 0, 0, 360, 255, cv2.FILLED)
    return picture > 0


FACE = ellipse((80, 78), (27, 36))
EYES = ellipse((69, 68), (4, 2)) | ellipse((91, 68), (4, 2))
NECK = np.zeros((SIDE, SIDE), bool)
NECK[105:135, 70:90] = True
HEAD = ellipse((80, 66), (40, 46))


def head(skin: tuple[int, int, int] = SKIN) -> Picture:
    """A face with eyes and a neck under dark hair before a wall, with a little noise."""
    picture = np.full((SIDE, SIDE, 3), WALL, np.int16)
    picture[HEAD] = HAIR
    picture[NECK | FACE] = skin
    picture[EYES] = (30, 30, 40)
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def skin() -> npt.NDArray[np.float32]:
    return skin_of(head(), BOX)


def within(mask: Mask, margin: int) -> Mask:
    """`mask` without what is nearer than `margin` px to its border."""
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((2 * margin + 1,) * 2, np.uint8)) > 0)


@pytest.mark.parametrize("tone", [SKIN, (110, 74, 52), (236, 196, 178)])
def test_face_and_neck_are_skin_and_hair_and_wall_are_not(tone: tuple[int, int, int]) -> None:
    skin = skin_of(head(tone), BOX)

    assert skin.dtype == np.float32
    assert skin.shape == (SIDE, SIDE)
    assert 0 <= skin.min() <= skin.max() <= 1
    assert skin[within(FACE, 4)].mean() > 0.95
    assert skin[within(NECK, 4)][:100].mean() > 0.7
    assert skin[within(HEAD & ~FACE & ~NECK, 4)].mean() < 0.1
    assert skin[within(~HEAD & ~NECK, 4)].mean() < 0.02


def test_eyes_belong_to_the_face(skin: npt.NDArray[np.float32]) -> None:
    assert skin[EYES].min() > 0.8


def test_of_a_face_too_small_to_tell_everything_is_kept() -> None:
    assert skin_of(head(), Box(x=50, y=40, w=6, h=7)).min() == 1


def test_a_box_beyond_the_picture_is_no_reason_to_fail() -> None:
    assert np.isfinite(skin_of(head(), Box(x=-30, y=120, w=60, h=70))).all()


@pytest.mark.parametrize(
    "drawn",
    [
        Surroundings(tint=(20.0, -10.0, 5.0)),
        Surroundings(gain=1.4),
        Surroundings(blur_px=1.5),
        Surroundings(sharpening=2.0),
        Surroundings(grain=12.0, grain_px=1.0),
    ],
)
def test_every_draw_changes_the_surroundings_and_leaves_the_face(
    drawn: Surroundings, skin: npt.NDArray[np.float32]
) -> None:
    picture = head()
    found = changed(picture, skin, drawn, scale=1.0, generator=np.random.default_rng(0))

    apart = np.abs(found.astype(int) - picture)
    assert found.dtype == np.uint8
    assert apart[within(FACE, 8)].mean() < 0.3
    assert apart[within(~FACE & ~NECK, 4)].mean() > 1


def test_a_tint_and_a_gain_worked_by_hand(skin: npt.NDArray[np.float32]) -> None:
    # (90 - 128) · 1.5 + 128 + 10 = 81.
    picture = np.full((SIDE, SIDE, 3), 90, np.uint8)
    drawn = Surroundings(gain=1.5, tint=(10.0, 0.0, 0.0))
    found = changed(picture, np.zeros_like(skin), drawn, scale=1.0, generator=np.random.default_rng(0))
    assert found[3, 3].tolist() == [81, 71, 71]


def test_grain_is_as_strong_as_it_says_and_the_same_in_all_channels() -> None:
    picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
    none = np.zeros((SIDE, SIDE), np.float32)
    drawn = Surroundings(grain=10.0, grain_px=1.5)

    found = changed(picture, none, drawn, scale=1.0, generator=np.random.default_rng(0)).astype(float)
    coarse = changed(picture, none, replace(drawn, grain_px=6.0), scale=1.0, generator=np.random.default_rng(0))

    assert found.std() == pytest.approx(10, abs=0.2)
    assert np.ptp(found, axis=2).max() == 0
    assert np.diff(coarse[..., 0].astype(float)).std() < 0.5 * np.diff(found[..., 0]).std()


def test_lengths_are_in_pixels_of_the_models_input() -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[:, SIDE // 2 :] = 200
    none = np.zeros((SIDE, SIDE), np.float32)

    def rise(scale: float) -> int:
        """Pixels in which the step goes from dark to light."""
        drawn = Surroundings(blur_px=2.0)
        found = changed(picture, none, drawn, scale=scale, generator=np.random.default_rng(0))
        return int(((found[0, :, 0] > 20) & (found[0, :, 0] < 180)).sum())

    assert rise(3.0) == pytest.approx(3 * rise(1.0), abs=2)


def test_a_draw_is_told_in_words() -> None:
    drawn = Surroundings(gain=1.2, tint=(4.0, -3.0, 0.0), blur_px=1.5, grain=8.0, grain_px=1.0)
    assert drawn.words() == "surroundings times 1.20, tint +4/-3/+0, blur 1.5 px, grain 8 of 1.0 px"
