"""Bands of even strength, against a wavelet written with OpenCV, and what they make a student blind to."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.models import Student, StudentConfig, Teacher, TeacherConfig
from core.models.bands import BANDS, FLOOR, EvenBands
from tests.core.models.conftest import randomise_statistics, relative_error

SIDE = 64


def picture(seed: int, finest: float = 1.5) -> Tensor:
    """float32 [1, 3, 64, 64], 0-255: noise with detail of all sizes from sigma `finest` on, px."""
    noise = np.random.default_rng(seed).normal(size=(SIDE, SIDE, 3))
    mixed = np.sum([cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (finest, 4.0, 12.0)], axis=0)
    return to_tensor(np.clip(128 + 60 * mixed / mixed.std(), 0, 255))


def to_tensor(pixels: npt.NDArray[Any]) -> Tensor:
    """[H, W, 3] to [1, 3, H, W]."""
    return torch.from_numpy(pixels).float().permute(2, 0, 1)[None]


def smoothed(image: Tensor) -> Tensor:
    """As a camera that evens out noise leaves it."""
    return to_tensor(cv2.GaussianBlur(image[0].permute(1, 2, 0).double().numpy(), (0, 0), 1.0))


@pytest.fixture(scope="module")
def bands() -> EvenBands:
    return EvenBands()


def test_they_are_the_wavelet_s_each_over_its_root_mean_square(bands: EvenBands) -> None:
    image = picture(0)
    rest = image[0].permute(1, 2, 0).double().numpy()
    rest = rest - rest.mean(axis=(0, 1))
    expected = np.zeros_like(rest)
    for step, share, floor in zip((1, 2, 4, None), BANDS, FLOOR, strict=True):
        band = rest
        if step is not None:
            kernel = np.zeros(2 * step + 1)
            kernel[[0, step, 2 * step]] = (0.25, 0.5, 0.25)
            smooth = cv2.sepFilter2D(rest, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
            band, rest = rest - smooth, smooth
        expected += share * band / (np.sqrt((band**2).mean()) + floor)

    torch.testing.assert_close(bands(image), to_tensor(expected), atol=1e-4, rtol=0)


def test_light_contrast_and_a_shift_of_each_channel_change_little(bands: EvenBands) -> None:
    image = 60 + picture(1) / 2
    shift = torch.tensor([12.0, -9.0, 4.0]).view(1, 3, 1, 1)

    for changed in (image + 20, 0.6 * image, 1.3 * image - 30, image + shift):
        assert relative_error(bands(changed), bands(image)) < 0.1


def test_little_is_left_of_a_camera_that_smooths_everywhere(bands: EvenBands) -> None:
    image = picture(2, finest=0.7)

    def detail(shown: Tensor) -> float:
        """Root mean square of what neighbours differ by."""
        return float((shown[..., 1:] - shown[..., :-1]).square().mean().sqrt())

    assert detail(smoothed(image)) < 0.45 * detail(image)
    assert detail(bands(smoothed(image))) > 0.6 * detail(bands(image))


def test_smoothing_in_one_place_stays_to_be_seen(bands: EvenBands) -> None:
    image = picture(3, finest=0.7)
    forged = image.clone()
    forged[..., 20:44, 20:44] = smoothed(image)[..., 20:44, 20:44]
    inside, around = (slice(24, 40), slice(24, 40)), (slice(0, 16), slice(0, 16))

    def ratio(shown: Tensor) -> float:
        fine = (shown - F.avg_pool2d(shown, 3, 1, 1))[0]
        return float(fine[:, *inside].std() / fine[:, *around].std())

    assert ratio(bands(forged)) < 0.6 * ratio(bands(image))


@pytest.mark.parametrize("level", [0.0, 77.0, 255.0])
def test_what_is_flat_stays_flat(bands: EvenBands, level: float) -> None:
    assert float(bands(torch.full((2, 3, SIDE, SIDE), level)).abs().max()) < 1e-3


def test_faint_bands_survive_a_trainer_in_bfloat16(bands: EvenBands) -> None:
    image = picture(4)
    with torch.autocast("cpu", torch.bfloat16):
        evened = bands(image)

    assert evened.dtype == torch.float32
    assert torch.equal(evened, bands(image))


def test_pictures_of_a_batch_do_not_know_of_each_other(bands: EvenBands) -> None:
    both = torch.cat([picture(5), 0.2 * picture(6)])

    for row in range(2):
        assert relative_error(bands(both[row : row + 1])[0], bands(both)[row]) < 1e-5


def test_a_student_that_sees_bands_is_fused_to_the_same() -> None:
    torch.manual_seed(0)
    student = Student(StudentConfig(trunk="repvit_m0_6", sees="bands")).eval()
    randomise_statistics(student)
    image = picture(7)
    expected = student.encode(image)

    student.fuse()

    for found, wanted in zip(student.encode(image), expected, strict=True):
        assert relative_error(found, wanted) < 1e-4
    # Darker, and with less contrast: nearly the same to it.
    assert relative_error(student.encode(0.6 * image)[0], expected[0]) < 0.1


def test_a_teacher_sees_depth_as_it_is() -> None:
    teacher = Teacher(TeacherConfig(trunk="repvit_m0_6", sees="bands"))

    assert teacher.rgb_trunk.bands is not None
    assert teacher.depth_trunk.bands is None
