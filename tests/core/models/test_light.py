"""The light and sharpness that frames are brought to, against torchvision's grey and OpenCV's Gaussian."""

import cv2
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from core.models import Standard
from core.models.light import crisp, standardised
from tests.core.models.conftest import pictures


@pytest.mark.parametrize(("size", "border"), [(160, 24), (96, 14), (64, 10), (32, 5)])
def test_a_standardised_frame_has_the_light_of_all_others_inside_its_border(size: int, border: int) -> None:
    frames = pictures(2, size)
    darker = frames * 0.3 + 20

    for found in (standardised(frames), standardised(darker)):
        inside = V.rgb_to_grayscale(found[..., border : size - border, border : size - border])
        assert inside.mean((1, 2, 3)).tolist() == pytest.approx([115.0, 115.0], abs=0.05)
        assert inside.std((1, 2, 3), correction=0).tolist() == pytest.approx([45.0, 45.0], abs=0.05)

    torch.testing.assert_close(standardised(darker), standardised(frames), atol=0.05, rtol=0)


def test_all_of_a_frame_is_standardised_by_one_factor_and_one_offset() -> None:
    frame = pictures(1, 64)
    found = standardised(frame)

    factor = float(found.std() / frame.std())
    torch.testing.assert_close(found, (frame - frame.mean()) * factor + found.mean(), atol=0.01, rtol=0)


def test_what_shows_next_to_nothing_is_not_blown_up() -> None:
    flat = torch.full((1, 3, 32, 32), 90.0)
    flat[..., 16, 16] = 98.0

    found = standardised(flat)

    assert float(found[..., 16, 16].mean() - found[..., 0, 0].mean()) == pytest.approx(8 * 45 / 8, abs=0.05)
    assert torch.isfinite(standardised(torch.zeros(1, 3, 32, 32))).all()


def detail_of(frame: Tensor) -> tuple[Tensor, float]:
    """What OpenCV's Gaussian leaves of a frame [3, S, S], and the root mean square of its grey inside the border."""
    pixels = frame.permute(1, 2, 0).numpy()
    left = torch.from_numpy(pixels - cv2.GaussianBlur(pixels, (9, 9), 1.0, borderType=cv2.BORDER_REFLECT_101))
    border = round(0.15 * len(pixels))
    inside = V.rgb_to_grayscale(left.permute(2, 0, 1))[
        ..., border : len(pixels) - border, border : len(pixels) - border
    ]
    return left.permute(2, 0, 1), float(inside.square().mean().sqrt())


@pytest.mark.parametrize("size", [64, 160])
def test_a_soft_frame_is_sharpened_until_it_has_as_much_detail_as_others(size: int) -> None:
    grain = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    frames = standardised(pictures(1, size) + 20 * grain)
    detail, strength = detail_of(frames[0])
    assert 0.14 * 45 / 2.5 < strength < 0.14 * 45

    torch.testing.assert_close(crisp(frames)[0], frames[0] + (0.14 * 45 / strength - 1) * detail, atol=0.05, rtol=0)


def test_a_frame_is_sharpened_so_far_and_no_further_and_a_crisp_one_not_at_all() -> None:
    soft = standardised(F.interpolate(pictures(1, 16), size=(160, 160), mode="bicubic"))
    sharp = standardised(torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(0)) * 255)

    torch.testing.assert_close(crisp(soft)[0], soft[0] + 1.5 * detail_of(soft[0])[0], atol=0.05, rtol=0)
    torch.testing.assert_close(crisp(sharp), sharp)


@pytest.mark.parametrize(("name", "value"), [("blur_px", 1e9), ("border", 0.5), ("contrast", float("nan"))])
def test_a_standard_that_no_program_could_hold_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        Standard.model_validate({name: value})
