"""Forgeries of real footage: aligned by flow, met along the seam, held over crops whose sides differ."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from core.forgery import (
    DEMO,
    FOOTAGE,
    Forgery,
    ForgerySettings,
    forged_depth,
    self_blended_crops,
    swapped_clip,
    swapped_crops,
)
from core.forgery.blending import picture_inside
from core.forgery.draws import draw_forgery
from core.forgery.retouching import colour_match
from core.forgery.settings import PasteRanges
from core.preprocess import Box, DepthImage, Image

SIDE = 160
BOX = Box(x=40, y=40, w=80, h=80)


def face(
    seed: int, side: int = SIDE, moved: tuple[float, float] = (0, 0), tone: tuple[int, int, int] = (150, 120, 100)
) -> Image:
    """Eyes, nose and mouth on a skin of some texture, `moved` px to the right and below of where the box says."""
    generator = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(generator.normal(0, 30, (side, side)).astype(np.float32), (0, 0), side / 40)
    unit = side / 160
    for x, y, across, down, level in (
        (62, 68, 10, 5, -60),
        (98, 68, 10, 5, -60),
        (80, 84, 4, 14, 25),
        (80, 104, 15, 4, -45),
    ):
        centre = (round((x + moved[0]) * unit), round((y + moved[1]) * unit))
        shape = np.zeros((side, side), np.float32)
        cv2.ellipse(shape, centre, (round(across * unit), round(down * unit)), 0, 0, 360, level, cv2.FILLED)
        texture = texture + cv2.GaussianBlur(shape, (0, 0), 1.5 * unit)
    return np.asarray(np.clip(np.rint(np.array(tone) + texture[..., None]), 1, 255), dtype=np.uint8)


def swap_with(**changes: object) -> ForgerySettings:
    """FOOTAGE with swaps that are exact in all but what is given: in place, unchanged in colour and sharpness."""
    exact = {
        "misplacement": (0.0, 0.0),
        "alignment": (0.0, 0.0),
        "tint": (0.0, 0.0),
        "contrast": (1.0, 1.0),
        "saturation": (1.0, 1.0),
        "hue_degrees": (0.0, 0.0),
        "sharpness": ("blur",),
        "softness": (0.0, 0.0),
        "matching": (0.0, 0.0),
        "opacity": (1.0, 1.0),
        "seamless_share": 0.0,
    }
    swap = PasteRanges(**{**FOOTAGE.swap.model_dump(), **exact, **changes})
    return ForgerySettings(**{**FOOTAGE.model_dump(), "swap": swap.model_dump(), "unrest_share": 0.0})


def swapped(donor: Image, target: Image, settings: ForgerySettings, seed: int = 0) -> Forgery:
    return swapped_clip([target], [BOX], [donor], [BOX], np.random.default_rng(seed), settings)


@pytest.mark.parametrize(("right", "down"), [(3.2, 0.0), (0.0, -3.2), (-2.4, 2.4)])
def test_flow_brings_features_that_are_off_by_4_percent_of_the_face_into_place(right: float, down: float) -> None:
    target, donor = face(0), face(1, moved=(right, down))

    by_boxes = swapped(donor, target, swap_with()).visibility
    by_flow = swapped(donor, target, swap_with(alignment=(0.06, 0.06))).visibility

    perfect = swapped(face(1), target, swap_with()).visibility
    assert by_flow - perfect < 0.5 * (by_boxes - perfect)


def test_flow_moves_no_point_further_than_was_drawn() -> None:
    forgery = swapped(face(1, moved=(9, 0)), face(0), swap_with(alignment=(0.03, 0.03)))

    (warp,) = forgery.warps
    assert warp is not None
    assert 0.02 < np.linalg.norm(warp.offsets, axis=2).max() <= 0.03 + 1e-6


def test_alignment_does_not_shake_where_a_single_frame_is_unlike_the_others() -> None:
    target = [face(0)] * 15
    donor = [face(1, moved=(4.0 if index == 7 else 0.0, 0.0)) for index in range(15)]

    forgery = swapped_clip(
        target, [BOX] * 15, donor, [BOX] * 15, np.random.default_rng(0), swap_with(alignment=(0.1, 0.1))
    )

    offsets = np.stack([warp.offsets for warp in forgery.warps if warp is not None])
    assert np.abs(np.diff(offsets, axis=0)).max() < 0.2 * 4.0 / BOX.w


def along_the_seam(forgery: Forgery, target: Image) -> float:
    """Mean change at the middle of the seam had the pasted picture been opaque there, in levels."""
    mask = forgery.masks[0]
    ring = (mask > 0.3) & (mask < 0.7)
    change = (forgery.frames[0].astype(float) - target)[ring] / mask[ring][:, None]
    return float(np.abs(change).mean())


def test_seamless_blending_leaves_no_step_along_the_seam_and_keeps_what_is_inside() -> None:
    target = np.full((SIDE, SIDE, 3), 120, np.uint8)
    lighter = target.astype(float) + 18 + np.linspace(-8, 8, SIDE)[None, :, None]
    lighter[78:82, 78:82] -= 50
    donor = np.rint(lighter).astype(np.uint8)

    plain = swapped(donor, target, swap_with())
    seamless = swapped(donor, target, swap_with(seamless_share=1.0))

    assert along_the_seam(plain, target) > 15
    assert along_the_seam(seamless, target) < 2
    assert seamless.frames[0][80, 80].max() < 120 - 40


def test_colours_along_the_seam_do_not_flash_when_something_passes_over_it() -> None:
    target = [face(0) for _ in range(7)]
    target[3] = target[3].copy()
    target[3][100:130, 30:130] = 30

    forgery = swapped_clip(
        target, [BOX] * 7, [face(1)] * 7, [BOX] * 7, np.random.default_rng(0), swap_with(seamless_share=1.0)
    )

    eyes = [frame[60:80, 50:110].astype(float).mean() for frame in forgery.frames]
    assert np.abs(np.diff(eyes)).max() < 6


@pytest.mark.parametrize("kind", ["channels", "covariance"])
def test_matched_colours_have_the_mean_and_about_the_spread_of_the_target(kind: str) -> None:
    generator = np.random.default_rng(0)
    pasted = (generator.normal(0, 20, (4000, 1)) * (1.0, 0.9, 0.7) + generator.normal(0, 8, (4000, 3)) + 90).astype(
        np.float32
    )
    target = generator.normal(0, 18, (4000, 1)) * (0.8, 1.0, 1.1) + generator.normal(0, 8, (4000, 3)) + (150, 130, 120)
    target_bytes = np.clip(np.rint(target), 0, 255).astype(np.uint8)

    match = colour_match(pasted, target_bytes, kind="covariance" if kind == "covariance" else "channels", matching=1.0)
    matched = match.applied(pasted[None])[0]

    assert matched.mean(axis=0) == pytest.approx(target_bytes.mean(axis=0), abs=0.5)
    assert matched.std(axis=0) == pytest.approx(target_bytes.std(axis=0), rel=0.05)
    if kind == "covariance":
        assert np.cov(matched.T) == pytest.approx(np.cov(target_bytes.T), rel=0.1, abs=5)


def test_a_swap_takes_the_target_s_tone() -> None:
    target, donor = face(0, tone=(170, 130, 110)), face(1, tone=(110, 90, 85))

    forgery = swapped(donor, target, swap_with(match="covariance", matching=(1.0, 1.0)))

    covered = forgery.masks[0] > 0.9
    assert forgery.frames[0][covered].mean(axis=0) == pytest.approx(target[covered].mean(axis=0), abs=3)


def test_footage_is_tinted_brightened_sharpened_and_saturated_in_both_directions() -> None:
    draws = [draw_forgery(2, FOOTAGE.self_blend, FOOTAGE, np.random.default_rng(seed)) for seed in range(200)]
    looks = [look for draw in draws if draw.base for look in (draw.pasted, draw.base)]
    tints = np.sign([look.tint for look in looks]).astype(int)

    assert len({tuple(signs) for signs in tints}) == 8
    for value in ("contrast", "saturation"):
        signs = {getattr(look, value) > 1 for look in looks}
        assert signs == {True, False}
    assert {look.hue_degrees > 0 for look in looks} == {True, False}
    assert all(any(getattr(look, kind) for look in looks) for kind in ("softness", "sharpening", "resolution_px"))
    assert {draw.ratio for draw in draws} == set(FOOTAGE.self_blend.ratios)
    # Either copy may be the one that changes more.
    stronger = [np.linalg.norm(draw.pasted.tint) > np.linalg.norm(draw.base.tint) for draw in draws if draw.base]
    assert 0.35 < np.mean(stronger) < 0.65


def test_the_demo_draws_what_it_always_drew() -> None:
    for ranges, expected, following in (
        (DEMO.self_blend, {"shift": 0.016883, "scale": 1.030174, "matching": 0.0}, 0.39392733263233515),
        (DEMO.swap, {"shift": 0.001883, "scale": 1.015174, "matching": 0.939393}, 0.47968392351227496),
    ):
        shared = {"tint": 46.298723, "contrast": 0.872278, "softness": 0.013249, "feather": 0.107796}
        generator = np.random.default_rng(3)

        draw = draw_forgery(5, ranges, DEMO, generator)

        strength = draw.strength()
        for name, value in {**shared, **expected, "opacity": 0.982008, "unrest": 3.986259}.items():
            assert strength[name] == pytest.approx(value, abs=1e-6), name
        assert generator.random() == following
        assert draw.base is None
        assert draw.elastic is None
        assert not draw.seamless
        assert not draw.alignment


def test_a_still_clip_is_forged_the_same_in_every_frame() -> None:
    settings = FOOTAGE.model_copy(update={"unrest_share": 0.0})
    for seed in range(4):
        generator = np.random.default_rng(seed)
        forgery = self_blended_crops([face(0)] * 3, [BOX] * 3, generator, settings)
        assert all((frame == forgery.frames[0]).all() for frame in forgery.frames)


def crops_of_sides(*sides: int) -> tuple[list[Image], list[Box]]:
    boxes = [Box(x=side / 4, y=side / 4, w=side / 2, h=side / 2) for side in sides]
    return [face(index, side) for index, side in enumerate(sides)], boxes


@pytest.mark.parametrize("method", ["self_blend", "swap"])
def test_crops_come_back_at_their_own_sides(method: str) -> None:
    crops, boxes = crops_of_sides(120, 133, 90)
    donors, donor_boxes = crops_of_sides(200, 150)
    depths: list[DepthImage] = [np.full(crop.shape[:2], 30000, np.uint16) for crop in crops]
    donor_depths: list[DepthImage] = [np.full(crop.shape[:2], 20000, np.uint16) for crop in donors]

    generator = np.random.default_rng(0)
    if method == "swap":
        forgery = swapped_crops(crops, boxes, donors, donor_boxes, generator)
        depth = forged_depth(depths, donor_depths, forgery)
    else:
        forgery = self_blended_crops(crops, boxes, generator)
        depth = forged_depth(depths, depths, forgery)

    assert [frame.shape for frame in forgery.frames] == [crop.shape for crop in crops]
    assert [mask.shape for mask in forgery.masks] == [crop.shape[:2] for crop in crops]
    assert [picture.shape for picture in depth] == [crop.shape[:2] for crop in crops]
    for mask, box in zip(forgery.masks, boxes, strict=True):
        _, x = np.nonzero(mask)
        assert x.mean() == pytest.approx(box.center[0], abs=0.12 * box.w)


@pytest.mark.parametrize("method", ["self_blend", "swap"])
def test_what_lies_outside_the_frame_stays_padding_and_is_never_pasted(method: str) -> None:
    crop, donor = face(0), face(1)
    crop[:, :70] = 0
    donor[:75] = 0
    for seed in range(8):
        generator = np.random.default_rng(seed)
        if method == "swap":
            forgery = swapped_crops([crop], [BOX], [donor], [BOX], generator)
        else:
            forgery = self_blended_crops([crop], [BOX], generator)
        assert not forgery.frames[0][:, :70].any()
        assert not forgery.masks[0][:, :70].any()
        assert (forgery.frames[0][forgery.masks[0] > 0] > 5).all()


def test_a_picture_that_is_all_padding_has_no_border() -> None:
    assert picture_inside(np.zeros((4, 6, 3), np.uint8), 0) == (slice(0, 4), slice(0, 6))


@pytest.fixture
def opencv_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("opencv_threads")
@pytest.mark.parametrize("seed", range(4))
def test_the_number_of_threads_changes_nothing(seed: int) -> None:
    crops, boxes = crops_of_sides(500, 420, 333)
    donors, donor_boxes = crops_of_sides(250, 610)

    outcomes = []
    for threads in (1, 2, 5):
        cv2.setNumThreads(threads)
        for forgery in (
            self_blended_crops(crops, boxes, np.random.default_rng(seed)),
            swapped_crops(crops, boxes, donors, donor_boxes, np.random.default_rng(seed)),
        ):
            outcomes.append(
                [picture.tobytes() for picture in forgery.frames] + [mask.tobytes() for mask in forgery.masks]
            )

    assert outcomes[0::2] == [outcomes[0]] * 3
    assert outcomes[1::2] == [outcomes[1]] * 3


def test_depth_follows_the_deformation_of_the_picture() -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    nose: DepthImage = np.rint(30000 + 9000 * np.exp(-((x - 84) ** 2 + (y - 80) ** 2) / 150)).astype(np.uint16)
    head: DepthImage = np.rint(30000 + 9000 * np.exp(-((x - 80) ** 2 + (y - 80) ** 2) / 900)).astype(np.uint16)
    forgery = swapped(face(1, moved=(4, 0)), face(0), swap_with(alignment=(0.06, 0.06)))

    (depth,) = forged_depth([head], [nose], forgery)

    # Flow moved the donor's features 4 px to the left, and its nose with them.
    assert abs(np.argmax(depth.max(axis=0)) - 80) <= 2


def test_depth_stays_where_the_pasted_copy_is_half_of_the_picture_or_less() -> None:
    half = FOOTAGE.model_copy(update={"self_blend": FOOTAGE.self_blend.model_copy(update={"ratios": (0.5,)})})
    depth: DepthImage = np.random.default_rng(0).integers(0, 65535, (SIDE, SIDE)).astype(np.uint16)

    forgery = self_blended_crops([face(0)], [BOX], np.random.default_rng(0), half)

    assert (forged_depth([depth], [depth], forgery)[0] == depth).all()


def test_one_frame_of_a_forgery_takes_its_depth_from_one_depth_of_the_donor() -> None:
    crops, boxes = crops_of_sides(120, 133, 90)
    depths = [
        np.random.default_rng(n).integers(0, 65535, crop.shape[:2]).astype(np.uint16) for n, crop in enumerate(crops)
    ]
    forgery = swapped_crops(crops, boxes, crops[::-1], boxes[::-1], np.random.default_rng(0))

    whole = forged_depth(depths, depths[::-1], forgery)
    single = [forged_depth([depths[row]], [depths[::-1][row]], forgery.only(row))[0] for row in range(3)]

    assert forgery.sources == [0, 1, 2]
    assert all((a == b).all() for a, b in zip(whole, single, strict=True))


def test_settings_are_frozen_and_survive_json() -> None:
    assert ForgerySettings.model_validate_json(FOOTAGE.model_dump_json()) == FOOTAGE
    with pytest.raises(ValidationError, match="frozen"):
        FOOTAGE.unrest_share = 0.1
    with pytest.raises(ValidationError, match="from low to high"):
        swap_with(tint=(3.0, 1.0))
