"""Forging clips: what changes, where, and what stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.forgery import Forgery, forged_depth, self_blended_clip, swapped_clip
from core.preprocess import Box, DepthImage, Image

SIDE = 96
BOX = Box(x=26, y=24, w=44, h=44)


def picture(seed: int, side: int = SIDE) -> Image:
    """Smooth colours with some texture, away from black and white so that no change is clipped."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    waves = np.stack([np.sin(x / generator.uniform(5, 20) + y / generator.uniform(5, 20)) for _ in range(3)], axis=2)
    return np.rint(120 + 30 * waves + generator.normal(0, 4, waves.shape)).astype(np.uint8)


def forge(method: str, frames: list[Image], boxes: list[Box | None], seed: int) -> Forgery:
    generator = np.random.default_rng(seed)
    if method == "self_blend":
        return self_blended_clip(frames, boxes, generator)
    return swapped_clip(frames, boxes, [picture(100 + n) for n in range(3)], [BOX] * 3, generator)


@pytest.mark.parametrize("method", ["self_blend", "swap"])
@given(
    seed=st.integers(0, 2**32 - 1),
    x=st.floats(-60, 120),
    y=st.floats(-60, 120),
    w=st.floats(4, 90),
    h=st.floats(4, 90),
)
@settings(max_examples=40, deadline=None)
def test_masks_lie_within_0_and_1_and_what_they_leave_out_is_untouched(
    method: str, seed: int, x: float, y: float, w: float, h: float
) -> None:
    frame = picture(0)

    forgery = forge(method, [frame], [Box(x=x, y=y, w=w, h=h)], seed)

    (mask,), (forged,) = forgery.masks, forgery.frames
    assert mask.dtype == np.float32
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert (forged[mask == 0] == frame[mask == 0]).all()


@pytest.mark.parametrize("method", ["self_blend", "swap"])
def test_the_mask_is_one_patch_on_the_face_and_reaches_well_less_than_the_crop(method: str) -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    for seed in range(20):
        mask = forge(method, [picture(0)], [BOX], seed).masks[0]
        rows, columns = y[mask > 0], x[mask > 0]
        assert mask[int(BOX.center[1]), int(BOX.center[0])] > 0.8
        assert 0.4 * BOX.w < np.ptp(columns) < 1.1 * BOX.w
        assert 0.5 * BOX.h < np.ptp(rows) < 1.4 * BOX.h


@pytest.mark.parametrize("method", ["self_blend", "swap"])
def test_every_forgery_changes_the_face_enough_to_be_seen(method: str) -> None:
    frame = picture(0)
    for seed in range(20):
        forgery = forge(method, [frame], [BOX], seed)
        face = forgery.masks[0] > 0.8
        assert np.abs(forgery.frames[0].astype(float) - frame)[face].mean() > 8


@pytest.mark.parametrize("method", ["self_blend", "swap"])
def test_a_frame_without_a_box_stays_as_it_is(method: str) -> None:
    frames = [picture(n) for n in range(3)]

    forgery = forge(method, frames, [BOX, None, BOX], seed=1)

    assert (forgery.frames[1] == frames[1]).all()
    assert not forgery.masks[1].any()
    assert forgery.placements[1] is None
    assert forgery.sources[1] is None
    assert all((forgery.frames[n] != frames[n]).any() for n in (0, 2))


def test_a_box_outside_the_frame_leaves_the_frame_as_it_is() -> None:
    frame = picture(0)

    forgery = self_blended_clip([frame], [Box(x=-500, y=300, w=40, h=40)], np.random.default_rng(0))

    assert (forgery.frames[0] == frame).all()


@pytest.mark.parametrize("method", ["self_blend", "swap"])
def test_the_seed_alone_decides(method: str) -> None:
    frames: list[Image] = [picture(n) for n in range(2)]

    first, again, other = (forge(method, frames, [BOX] * 2, seed) for seed in (5, 5, 6))

    assert all((a == b).all() for a, b in zip(first.frames, again.frames, strict=True))
    assert first.strength == again.strength
    assert any((a != b).any() for a, b in zip(first.frames, other.frames, strict=True))


def test_the_input_is_left_alone() -> None:
    frame = picture(0)
    before = frame.copy()

    self_blended_clip([frame], [BOX], np.random.default_rng(0))

    assert (frame == before).all()


def test_about_half_of_the_clips_are_held_still_and_the_others_flicker() -> None:
    frame = picture(0)
    flickering = 0
    for seed in range(60):
        forgery = self_blended_clip([frame] * 4, [BOX] * 4, np.random.default_rng(seed))
        changes = any((forgery.frames[0] != later).any() for later in forgery.frames[1:])
        assert changes == (forgery.strength["unrest"] > 0)
        flickering += changes
    assert 15 <= flickering <= 45


def test_a_shorter_donor_runs_to_and_fro_past_frames_that_show_no_face() -> None:
    frames = [picture(0)] * 7
    donor = [picture(n) for n in (1, 2, 3, 4)]

    forgery = swapped_clip(frames, [BOX] * 7, donor, [BOX, BOX, BOX, None], np.random.default_rng(0))

    assert forgery.sources == [0, 1, 2, 2, 2, 1, 0]


def test_a_swap_shows_the_donor_where_its_box_says_the_face_is() -> None:
    grey = np.full((SIDE, SIDE, 3), 120, np.uint8)
    donor = np.full((200, 200, 3), 120, np.uint8)
    donor[95:105, 120:130] = 20  # A mole in the middle of a face twice as large.

    forgery = swapped_clip([grey], [BOX], [donor], [Box(x=81, y=56, w=88, h=88)], np.random.default_rng(3))

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
    forgery = swapped_clip([picture(0)], [BOX], [picture(1)], [BOX], np.random.default_rng(0))

    (depth,) = forged_depth([head], [nose], forgery)

    mask = forgery.masks[0]
    # The nearest point is the donor's nose, and at the outline the head goes on without a step.
    assert abs(np.argmax(depth.max(axis=0)) - (BOX.center[0] + 6)) <= 2
    assert (depth[mask == 0] == head[mask == 0]).all()
    seam = (mask > 0) & (mask < 0.3)
    assert np.abs(depth[seam].astype(float) - head[seam]).mean() < 0.03 * np.ptp(head[mask > 0.9])


def test_depth_without_a_box_stays_as_it_is() -> None:
    own, theirs = dome(5000, 12, 30000), dome(9000, 12, 20000)
    forgery = self_blended_clip([picture(0)], [None], np.random.default_rng(0))

    (depth,) = forged_depth([own], [theirs], forgery)

    assert (depth == own).all()
