"""Light, colour and quality of pictures, against torchvision, hand-worked numbers and what each step promises."""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torchvision.transforms.v2 import functional as V

from core.recompress import recompressed
from core.transforms import Colour, Erasure, Quality
from core.transforms.degradation import Frames, colour_matrix, degraded, erased, erased_part, tone_curves

PLAIN, UNCHANGED = Quality(), Colour()


def generators(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, index)) for index in range(count)]


def smooth(count: int = 3, side: int = 64) -> Frames:
    source = np.random.default_rng(0)
    coarse = source.integers(0, 256, (count, 6, 6, 3), np.uint8)
    return np.stack([cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC) for picture in coarse])


def done(
    frames: Frames, quality: Quality = PLAIN, colour: Colour = UNCHANGED, *, scale: float = 1.0, seed: int = 0
) -> npt.NDArray[np.int64]:
    own: Sequence[np.random.Generator] = generators(len(frames), seed)
    found = degraded(frames.copy(), quality, colour, scale=scale, generators=own)
    assert found.dtype == np.uint8
    assert found.shape == frames.shape
    return found.astype(np.int64)


def tensor(frames: Frames) -> torch.Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def array(frames: torch.Tensor) -> npt.NDArray[np.uint8]:
    return frames.permute(0, 2, 3, 1).numpy()


def test_no_draws_change_nothing() -> None:
    np.testing.assert_array_equal(done(smooth()), smooth())


def test_levels_follow_gamma_gain_offset_and_contrast_worked_by_hand() -> None:
    # Level 102 is 0.4: 0.4² = 0.16; · 1.5 · (1, 0.5, 2) = 0.24, 0.12, 0.48; + 0.1 on green alone = 0.22;
    # about 0.5, twice as steep: -0.02, -0.06, 0.46 -> 0, 0, 117.3.
    colour = Colour(gamma=2.0, brightness=1.5, gain=(1.0, 0.5, 2.0), offset=(0.0, 0.1, 0.0), contrast=2.0)
    assert tone_curves(colour)[0, 102].tolist() == [0, 0, 117]


def test_brightness_is_torchvision_s() -> None:
    frames = smooth()
    wanted = array(V.adjust_brightness(tensor(frames), 1.3))
    np.testing.assert_allclose(done(frames, colour=Colour(brightness=1.3)), wanted, atol=1)


@pytest.mark.parametrize("gamma", [0.6, 1.6])
def test_gamma_is_torchvision_s(gamma: float) -> None:
    frames = smooth()
    np.testing.assert_allclose(
        done(frames, colour=Colour(gamma=gamma)), array(V.adjust_gamma(tensor(frames), gamma)), atol=1
    )


@pytest.mark.parametrize("saturation", [0.0, 0.5, 1.6])
def test_saturation_is_torchvision_s(saturation: float) -> None:
    frames = smooth()
    wanted = array(V.adjust_saturation(tensor(frames), saturation))
    np.testing.assert_allclose(done(frames, colour=Colour(saturation=saturation)), wanted, atol=2)


def test_without_saturation_all_is_grey() -> None:
    grey = done(smooth(), colour=Colour(saturation=0.0))
    assert np.ptp(grey, axis=3).max() == 0


@pytest.mark.parametrize("degrees", [-8, 8])
def test_hue_turns_by_the_drawn_angle_and_leaves_grey_and_luma_alone(degrees: float) -> None:
    matrix = colour_matrix(Colour(hue_degrees=degrees))
    colours = np.random.default_rng(0).uniform(60, 200, (500, 3))

    hues = [[360 * colorsys.rgb_to_hsv(*colour)[0] for colour in row] for row in (colours, colours @ matrix.T)]

    turns = (np.subtract(hues[1], hues[0]) + 180) % 360 - 180
    assert np.mean(turns) == pytest.approx(degrees, abs=0.5)
    assert np.all(np.sign(turns) == np.sign(degrees))
    np.testing.assert_allclose(matrix @ np.ones(3), np.ones(3))
    luma = np.array([0.2989, 0.587, 0.114])
    np.testing.assert_allclose(colours @ matrix.T @ luma, colours @ luma)


@pytest.mark.parametrize("sigma", [0.6, 1.5])
@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_blur_is_torchvision_s_in_pixels_of_the_model_s_input(sigma: float, scale: float) -> None:
    frames = smooth()
    wanted = array(V.gaussian_blur(tensor(frames), [21, 21], [sigma * scale] * 2))
    np.testing.assert_allclose(done(frames, Quality(blur_px=sigma), scale=scale), wanted, atol=2)


def test_sharpening_adds_the_detail_once_more() -> None:
    frames = smooth()
    low = array(V.gaussian_blur(tensor(frames), [11, 11], [1.0, 1.0])).astype(float)
    wanted = (frames + 1.5 * (frames - low)).clip(0, 255)
    np.testing.assert_allclose(done(frames, Quality(sharpening=1.5)), wanted, atol=4)


def test_scaling_down_loses_what_is_finer_and_keeps_the_mean() -> None:
    chequered = np.repeat((np.indices((1, 64, 64)).sum(axis=0) % 2 * 100 + 50)[..., None], 3, axis=3).astype(np.uint8)
    found = done(chequered, Quality(reduction=0.5))
    assert found.std() < 2
    assert found.mean() == pytest.approx(100, abs=1)


def test_scaling_down_is_told_in_pixels_of_the_model_s_input() -> None:
    """At two pixels to one of the input, half of the input's resolution is a quarter of the picture's."""
    frames = smooth()
    np.testing.assert_array_equal(
        done(frames, Quality(reduction=0.5), scale=2.0), done(frames, Quality(reduction=0.25), scale=1.0)
    )
    # A picture that has less than the input's resolution cannot lose what it lacks.
    np.testing.assert_array_equal(done(frames, Quality(reduction=0.9), scale=0.8), frames)


def test_kernels_leave_traces_of_their_own() -> None:
    frames = smooth()
    blocky = done(frames, Quality(reduction=0.5, kernels=("bilinear", "nearest")))
    np.testing.assert_array_equal(blocky[:, ::2, ::2], blocky[:, 1::2, 1::2])
    assert not np.array_equal(done(frames, Quality(reduction=0.5, kernels=("bilinear", "bicubic"))), blocky)


def test_noise_has_the_drawn_strength_and_is_new_in_each_frame() -> None:
    grey = np.full((3, 64, 64, 3), 128, np.uint8)

    noise = done(grey, Quality(noise=0.03)) - 128

    assert noise.std() == pytest.approx(0.03 * 255, rel=0.03)
    assert abs(noise.mean()) < 0.2
    for one, other in ((0, 1), (1, 2)):
        assert abs(np.corrcoef(noise[one].ravel(), noise[other].ravel())[0, 1]) < 0.05
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05


def test_noise_depends_on_its_seed_and_on_no_other_frame() -> None:
    grey = np.full((3, 32, 32, 3), 128, np.uint8)
    noisy = done(grey, Quality(noise=0.03))
    np.testing.assert_array_equal(done(grey, Quality(noise=0.03)), noisy)
    np.testing.assert_array_equal(done(grey[:1], Quality(noise=0.03)), noisy[:1])
    assert not np.array_equal(done(grey, Quality(noise=0.03), seed=1), noisy)


def test_a_worse_jpeg_is_further_off_and_colours_stay_red_green_blue() -> None:
    frames = smooth()
    errors = [np.abs(done(frames, Quality(jpeg_quality=quality)) - frames).mean() for quality in (98, 70, 45)]
    assert errors == sorted(errors)
    red = np.full((1, 32, 32, 3), (220, 40, 20), np.uint8)
    np.testing.assert_allclose(done(red, Quality(jpeg_quality=95)), red, atol=4)


def test_a_video_codec_takes_the_frames_as_one_short_video() -> None:
    frames = smooth(6)
    np.testing.assert_array_equal(done(frames, Quality(h264_crf=30)), np.stack(list(recompressed(frames, crf=30))))


def test_steps_come_in_order_colour_before_noise_and_noise_before_jpeg() -> None:
    frames = smooth()
    blurred = done(frames, Quality(blur_px=1.0)).astype(np.uint8)
    coloured = done(blurred, colour=Colour(gamma=1.4, saturation=0.5)).astype(np.uint8)
    noisy = done(coloured, Quality(noise=0.02)).astype(np.uint8)
    wanted = done(noisy, Quality(jpeg_quality=60))
    at_once = done(frames, Quality(blur_px=1.0, noise=0.02, jpeg_quality=60), Colour(gamma=1.4, saturation=0.5))
    np.testing.assert_array_equal(at_once, wanted)


def test_what_is_covered_is_one_colour_in_every_frame_and_the_rest_stays() -> None:
    frames = smooth()
    # Of 64 px: columns 16 to 32, rows 32 to 48.
    erasure = Erasure(x=0.25, y=0.5, w=0.25, h=0.25, level=(9, 8, 7))
    found = erased(frames, erasure)
    assert erased_part(erasure, 64) == (slice(32, 48), slice(16, 32))
    assert set(map(tuple, found[:, 32:48, 16:32].reshape(-1, 3).tolist())) == {(9, 8, 7)}
    found[:, 32:48, 16:32] = frames[:, 32:48, 16:32]
    np.testing.assert_array_equal(found, frames)


@pytest.mark.parametrize(("x", "w"), [(0.999, 0.001), (0.0, 0.001), (0.0, 1.0)])
def test_something_is_always_covered_and_never_beyond_the_picture(x: float, w: float) -> None:
    rows, columns = erased_part(Erasure(x=x, y=x, w=w, h=w, level=(0, 0, 0)), 32)
    assert 0 <= rows.start < rows.stop <= 32
    assert 0 <= columns.start < columns.stop <= 32
