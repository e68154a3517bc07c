"""Forging clips: what changes, where, and what stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.forgery import DEMO, FOOTAGE, Forgery, ForgerySettings, forged_depth, self_blended_clip, swapped_clip
from core.forgery.draws import draw_forgery
from core.forgery.retouching import retouched
from core.preprocess import Box, DepthImage, Image

SIDE = 96
BOX = Box(x=26, y=24, w=44, h=44)


def picture(seed: int, side: int = SIDE) -> Image:
    """Smooth colours with some texture, away from black and white so that no change is clipped."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    waves = np.stack([np.sin(x / generator.uniform(5, 20) + y / generator.uniform(5, 20)) for _ in range(3)], axis=2)
    return np.rint(120 + 30 * waves + generator.normal(0, 4, waves.shape)).astype(np.uint8)


def forge(
    method: str, frames: list[Image], boxes: list[Box | None], seed: int, kind: ForgerySettings = DEMO
) -> Forgery:
    generator = np.random.default_rng(seed)
    if method == "self_blend":
        return self_blended_clip(frames, boxes, generator, kind)
    return swapped_clip(frames, boxes, [picture(100 + n) for n in range(3)], [BOX] * 3, generator, kind)


both_methods = pytest.mark.parametrize("method", ["self_blend", "swap"])
both_kinds = pytest.mark.parametrize("kind", [DEMO, FOOTAGE], ids=["demo", "footage"])


def base_of(frame: Image, method: str, seed: int, kind: ForgerySettings, face_px: float) -> Image:
    """What a one-frame clip shows where nothing is pasted."""
    ranges = kind.self_blend if method == "self_blend" else kind.swap
    look = draw_forgery(1, ranges, kind, np.random.default_rng(seed)).base
    if look is None:
        return frame
    pixels = retouched(frame.astype(np.float32), look, face_px=face_px, brightness=0.0)
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


@both_methods
@both_kinds
@given(
    seed=st.integers(0, 2**32 - 1),
    x=st.floats(-60, 120),
    y=st.floats(-60, 120),
    w=st.floats(4, 90),
    h=st.floats(4, 90),
)
@settings(max_examples=40, deadline=None)
def test_masks_lie_within_0_and_1_and_what_they_leave_out_is_the_base(
    method: str, kind: ForgerySettings, seed: int, x: float, y: float, w: float, h: float
) -> None:
    frame = picture(0)

    forgery = forge(method, [frame], [Box(x=x, y=y, w=w, h=h)], seed, kind)

    (mask,), (forged,) = forgery.masks, forgery.frames
    assert mask.dtype == np.float32
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert (forged[mask == 0] == base_of(frame, method, seed, kind, face_px=w)[mask == 0]).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_demo_and_every_swap_change_no_pixel_outside_the_mask(seed: int) -> None:
    frame = picture(0)
    assert base_of(frame, "self_blend", seed, DEMO, BOX.w) is frame
    assert base_of(frame, "swap", seed, DEMO, BOX.w) is frame
    assert base_of(frame, "swap", seed, FOOTAGE, BOX.w) is frame


@both_methods
def test_the_mask_is_one_patch_on_the_face_and_reaches_well_less_than_the_crop(method: str) -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    for seed in range(20):
        mask = forge(method, [picture(0)], [BOX], seed).masks[0]
        rows, columns = y[mask > 0], x[mask > 0]
        assert mask[int(BOX.center[1]), int(BOX.center[0])] > 0.8
        assert 0.4 * BOX.w < np.ptp(columns) < 1.1 * BOX.w
        assert 0.5 * BOX.h < np.ptp(rows) < 1.4 * BOX.h


@pytest.mark.parametrize(
    ("method", "kind", "least"),
    [("self_blend", DEMO, 8), ("swap", DEMO, 8), ("self_blend", FOOTAGE, 1), ("swap", FOOTAGE, 5)],
)
def test_every_forgery_changes_the_face_enough_to_be_seen(method: str, kind: ForgerySettings, least: float) -> None:
    for seed in range(30):
        assert least < forge(method, [picture(0)], [BOX], seed, kind).visibility < 60


@both_kinds
def test_visibility_is_the_mean_change_from_the_base_under_the_mask(kind: ForgerySettings) -> None:
    frame = picture(0)
    for seed in range(5):
        forgery = forge("self_blend", [frame], [BOX], seed, kind)
        ratio = forgery.strength["opacity"] if kind is FOOTAGE else 1.0
        covered = forgery.masks[0] > 0.5 * ratio
        base = base_of(frame, "self_blend", seed, kind, BOX.w).astype(float)
        assert forgery.visibility == pytest.approx(np.abs(forgery.frames[0] - base)[covered].mean())


def test_a_clip_that_shows_no_face_has_no_visibility() -> None:
    assert forge("self_blend", [picture(0)], [None], seed=0, kind=FOOTAGE).visibility == 0


@both_methods
@both_kinds
def test_a_frame_without_a_box_stays_as_it_is(method: str, kind: ForgerySettings) -> None:
    frames = [picture(n) for n in range(3)]

    forgery = forge(method, frames, [BOX, None, BOX], seed=1, kind=kind)

    assert (forgery.frames[1] == frames[1]).all()
    assert not forgery.masks[1].any()
    assert forgery.placements[1] is None
    assert forgery.warps[1] is None
    assert forgery.sources[1] is None
    assert all((forgery.frames[n] != frames[n]).any() for n in (0, 2))


def test_a_box_outside_the_frame_leaves_the_frame_as_it_is() -> None:
    frame = picture(0)

    forgery = self_blended_clip([frame], [Box(x=-500, y=300, w=40, h=40)], np.random.default_rng(0), DEMO)

    assert (forgery.frames[0] == frame).all()


@both_methods
@both_kinds
def test_the_seed_alone_decides(method: str, kind: ForgerySettings) -> None:
    frames: list[Image] = [picture(n) for n in range(2)]

    first, again, other = (forge(method, frames, [BOX] * 2, seed, kind) for seed in (5, 5, 6))

    assert all((a == b).all() for a, b in zip(first.frames, again.frames, strict=True))
    assert first.strength == again.strength
    assert any((a != b).any() for a, b in zip(first.frames, other.frames, strict=True))


def test_the_input_is_left_alone() -> None:
    frame = picture(0)
    before = frame.copy()

    self_blended_clip([frame], [BOX], np.random.default_rng(0), FOOTAGE)

    assert (frame == before).all()


@both_kinds
def test_about_half_of_the_clips_are_held_still_and_the_others_flicker(kind: ForgerySettings) -> None:
    frame = picture(0)
    flickering = 0
    for seed in range(60):
        forgery = self_blended_clip([frame] * 4, [BOX] * 4, np.random.default_rng(seed), kind)
        changes = any((forgery.frames[0] != later).any() for later in forgery.frames[1:])
        assert changes == (forgery.strength["unrest"] > 0)
        flickering += changes
    assert 15 <= flickering <= 45


def test_a_shorter_donor_runs_to_and_fro_past_frames_that_show_no_face() -> None:
    frames = [picture(0)] * 7
    donor = [picture(n) for n in (1, 2, 3, 4)]

    forgery = swapped_clip(frames, [BOX] * 7, donor, [BOX, BOX, BOX, None], np.random.default_rng(0), DEMO)

    assert forgery.sources == [0, 1, 2, 2, 2, 1, 0]


@both_kinds
def test_a_swap_shows_the_donor_where_its_box_says_the_face_is(kind: ForgerySettings) -> None:
    grey = np.full((SIDE, SIDE, 3), 120, np.uint8)
    donor = np.full((200, 200, 3), 120, np.uint8)
    donor[95:105, 120:130] = 20  # A mole in the middle of a face twice as large.

    forgery = swapped_clip([grey], [BOX], [donor], [Box(x=81, y=56, w=88, h=88)], np.random.default_rng(3), kind)

    change = np.where(forgery.masks[0] > 0.5, forgery.frames[0].mean(axis=2), 255)
    row, column = np.unravel_index(change.argmin(), change.shape)
    assert abs(column - BOX.center[0]) < 5
    assert abs(row - BOX.center[1]) < 5


def dome(height: float, radius: float, base: float, right: float = 0) -> DepthImage:
    """A bump in the middle of the face, or `right` px to its right."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    distance = ((x - BOX.center[0] - right) ** 2 + (y - BOX.center[1]) ** 2) / radius**2
    return np.asarray(np.rint(base + height * np.exp(-distance)), dtype=np.uint16)


def test_depth_of_a_swap_is_the_shown_face_set_onto_the_head() -> None:
    head, nose = dome(6000, 30, 30000), dome(9000, 12, 20000, right=6)
    forgery = swapped_clip([picture(0)], [BOX], [picture(1)], [BOX], np.random.default_rng(0), DEMO)

    (depth,) = forged_depth([head], [nose], forgery)

    mask = forgery.masks[0]
    # The nearest point is the donor's nose, and at the outline the head goes on without a step.
    assert abs(np.argmax(depth.max(axis=0)) - (BOX.center[0] + 6)) <= 2
    assert (depth[mask == 0] == head[mask == 0]).all()
    seam = (mask > 0) & (mask < 0.3)
    assert np.abs(depth[seam].astype(float) - head[seam]).mean() < 0.03 * np.ptp(head[mask > 0.9])


def test_depth_without_a_box_stays_as_it_is() -> None:
    own, theirs = dome(5000, 12, 30000), dome(9000, 12, 20000)
    forgery = self_blended_clip([picture(0)], [None], np.random.default_rng(0), DEMO)

    (depth,) = forged_depth([own], [theirs], forgery)

    assert (depth == own).all()
