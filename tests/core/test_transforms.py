"""What is drawn for a variant: always the same, within its ranges, and told in words."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.transforms import (
    FULL,
    KERNELS,
    LIGHT,
    Augmentation,
    Colour,
    ColourRanges,
    Erasure,
    Quality,
    QualityRanges,
    Variant,
    draw_variant,
)

MANY = [draw_variant(f"clip {number}", k, seed=0, augmentation=FULL) for number in range(150) for k in range(4)]


@pytest.mark.parametrize("augmentation", [LIGHT, FULL])
@given(clip=st.text("0123456789abcdef", max_size=8), k=st.integers(0, 100), seed=st.integers(0, 1000))
def test_a_variant_is_the_same_for_the_same_clip_number_and_seed(
    augmentation: Augmentation, clip: str, k: int, seed: int
) -> None:
    variant = draw_variant(clip, k, seed=seed, augmentation=augmentation)
    assert variant == draw_variant(clip, k, seed=seed, augmentation=augmentation)
    assert variant != draw_variant(clip, k + 1, seed=seed, augmentation=augmentation)
    assert variant != draw_variant(clip, k, seed=seed + 1, augmentation=augmentation)
    assert variant != draw_variant(clip + "x", k, seed=seed, augmentation=augmentation)


@pytest.mark.parametrize(
    ("drawn", "low", "high"),
    [
        (lambda v: [v.box_scale], 0.85, 1.15),
        (lambda v: list(v.box_shift), -0.1, 0.1),
        (lambda v: [v.rotation_degrees], -10, 10),
        (lambda v: [value for corner in v.perspective for value in corner], -0.05, 0.05),
        (lambda v: [v.colour.gamma], 0.6, 1.6),
        (lambda v: [v.colour.brightness], 0.8, 1.2),
        (lambda v: list(v.colour.gain), 0.9, 1.1),
        (lambda v: list(v.colour.offset), -0.05, 0.05),
        (lambda v: [v.colour.contrast], 0.7, 1.4),
        (lambda v: [v.colour.saturation], 0.0, 1.6),
        (lambda v: [v.colour.hue_degrees], -8, 8),
        (lambda v: [v.camera.reduction] if v.camera.reduction < 1 else [], 0.3, 0.9),
        (lambda v: [v.camera.sharpening] if v.camera.sharpening else [], 0.2, 2.5),
        (lambda v: [v.camera.blur_px] if v.camera.blur_px else [], 0.4, 1.6),
        (lambda v: [v.camera.noise] if v.camera.noise else [], 0.005, 0.04),
        (lambda v: [v.camera.jpeg_quality] if v.camera.jpeg_quality is not None else [], 45, 98),
        (lambda v: [v.delivery.h264_crf] if v.delivery.h264_crf is not None else [], 18, 38),
        (lambda v: [v.erasure.w, v.erasure.h] if v.erasure else [], 0.1, 0.3),
    ],
)
def test_draws_fill_their_ranges(drawn: Callable[[Variant], list[float]], low: float, high: float) -> None:
    values = [value for variant in MANY for value in drawn(variant)]
    slack = 0.06 * (high - low)
    assert low <= min(values) <= low + slack
    assert high - slack <= max(values) <= high


@pytest.mark.parametrize(
    ("happens", "share"),
    [
        (lambda v: v.flip, 0.5),
        (lambda v: bool(v.perspective), 0.5),
        (lambda v: v.camera.reduction != 1, 0.6),
        (lambda v: v.camera.kernels[0] == "bicubic", 0.2),
        (lambda v: v.camera.sharpening > 0, 0.5),
        (lambda v: v.camera.noise > 0, 0.5),
        (lambda v: v.camera.jpeg_quality is not None, 0.5),
        (lambda v: v.delivery.jpeg_quality is not None, 0.3),
        (lambda v: v.delivery.h264_crf is not None, 0.3),
        (lambda v: v.colour.saturation == 0, 0.05),
        (lambda v: v.erasure is not None, 0.15),
    ],
)
def test_draws_happen_as_often_as_they_should(happens: Callable[[Variant], bool], share: float) -> None:
    assert np.mean([happens(variant) for variant in MANY]) == pytest.approx(share, abs=0.06)


def test_pictures_are_never_both_sharpened_and_blurred() -> None:
    for variant in MANY:
        assert bool(variant.camera.sharpening) != bool(variant.camera.blur_px)
        assert not variant.delivery.sharpening


def test_every_kernel_is_drawn_both_ways() -> None:
    reduced = [variant.camera.kernels for variant in MANY if variant.camera.reduction != 1]
    assert {down for down, _ in reduced} == {up for _, up in reduced} == set(KERNELS)


def test_what_is_covered_lies_within_the_picture() -> None:
    for erasure in (variant.erasure for variant in MANY):
        if erasure is not None:
            assert 0 <= erasure.x <= 1 - erasure.w
            assert 0 <= erasure.y <= 1 - erasure.h


def test_the_light_draws_touch_nothing_but_the_box_and_the_light() -> None:
    for k in range(50):
        variant = draw_variant("clip", k, seed=0, augmentation=LIGHT)
        plain = Colour(
            brightness=variant.colour.brightness,
            contrast=variant.colour.contrast,
            saturation=variant.colour.saturation,
        )
        assert variant == Variant(
            flip=variant.flip,
            box_scale=variant.box_scale,
            box_shift=variant.box_shift,
            colour=plain,
            grain=variant.grain,
        )
        assert 0.9 <= variant.box_scale <= 1.1
        assert max(map(abs, variant.box_shift)) <= 0.05


def test_a_share_of_nothing_leaves_the_other_draws_as_they_were() -> None:
    """A setting that is off takes no number from the generator."""
    light = draw_variant("clip", 0, seed=0, augmentation=LIGHT)
    with_noise = LIGHT.model_copy(update={"camera": QualityRanges(noise_share=1.0, noise=(0.01, 0.02))})
    noisy = draw_variant("clip", 0, seed=0, augmentation=with_noise)
    assert replace(noisy, camera=Quality(), grain=light.grain) == light


def test_a_variant_can_be_written_down() -> None:
    for variant in (Variant(), *MANY[:20]):
        document = json.loads(json.dumps(asdict(variant)))
        assert document["box_shift"] == list(variant.box_shift)
        assert document["camera"]["jpeg_quality"] == variant.camera.jpeg_quality


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        (Variant(), "as stored"),
        (Variant(flip=True, rotation_degrees=-4.2, camera=Quality(jpeg_quality=62)), "flip, rotate -4°, JPEG 62"),
        (
            Variant(
                perspective=((0.01, 0), (0, -0.043), (0, 0), (0, 0)),
                box_scale=1.08,
                box_shift=(0.04, -0.1),
                colour=Colour(saturation=0, gamma=1.2, hue_degrees=5, offset=(0.01, 0, -0.02)),
                camera=Quality(reduction=0.5, kernels=("bicubic", "nearest"), noise=0.021, sharpening=1.24),
            ),
            "perspective 4.3%, box 1.08, moved +4 / -10 %, down to 50% (bicubic, up nearest), sharpened 1.2, "
            "gamma 1.20, offset +1/0/-2 %, grey, noise 2.1%",
        ),
        (
            Variant(
                delivery=Quality(blur_px=0.55, h264_crf=30),
                erasure=Erasure(x=0, y=0, w=0.1, h=0.1, level=(0, 0, 0)),
            ),
            "then a part covered, blur 0.6 px, H.264 crf 30",
        ),
    ],
)
def test_a_variant_tells_itself_in_words(variant: Variant, words: str) -> None:
    assert variant.words() == words


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: ColourRanges(gamma=(1.6, 0.6)), "1.6 is above 0.6"),
        (lambda: QualityRanges(jpeg_quality=(98, 45)), "98 is above 45"),
        (lambda: QualityRanges(noise_share=1.5), "less than or equal to 1"),
        (lambda: QualityRanges.model_validate({"grain": 1}), "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_drawn_from_are_refused(settings: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings()
