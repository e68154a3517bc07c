"""From a store to a model's input: slots, validity, depth's one scale, and variants that hold over a clip."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.clips import ClipWindow, read_slots, self_blended_twins, windows_of
from core.decision import WINDOW
from core.preprocess import Box, DepthImage, Image, PreprocessSpec, preprocess
from core.store import ClipStore, Sample, VideoRecord, encode_png
from core.transforms import Variant, draw_variant

SPEC = PreprocessSpec(size=32, margin=1.0)
SIDE = 84
BOX = Box(x=22, y=22, w=40, h=40)
LOW, HIGH = 1000, 5000


def record(samples: int, *, missed: tuple[int, ...] = (), no_depth: tuple[int, ...] = ()) -> VideoRecord:
    return VideoRecord(
        key=f"{samples}/{missed}",
        path="real/a.mp4",
        label="real",
        identity="a",
        method="original",
        split="train",
        samples=tuple(
            Sample(
                time_ms=100.0 * index,
                box=None if index in missed else (BOX.x, BOX.y, BOX.w, BOX.h),
                depth_valid=index not in (*missed, *no_depth),
            )
            for index in range(samples)
        ),
        windows=((0, samples),),
        depth_range=(LOW, HIGH),
    )


def crop_of(index: int) -> Image:
    return np.random.default_rng(index).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def depth_of(index: int) -> DepthImage:
    """A slope over the crop, from far at the left to near at the right; each frame a little nearer."""
    across = np.linspace(LOW, HIGH - 1000, SIDE) + 40 * index
    return np.broadcast_to(across, (SIDE, SIDE)).astype(np.uint16)


@pytest.fixture(scope="module")
def short() -> VideoRecord:
    """5 samples, the face missed in one, depth in another."""
    return record(5, missed=(1,), no_depth=(3,))


@pytest.fixture(scope="module")
def store(short: VideoRecord, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClipStore]:
    with ClipStore.write(tmp_path_factory.mktemp("clips"), {}) as opened:
        valid = [index for index, sample in enumerate(short.samples) if sample.box is not None]
        with_depth = [index for index, sample in enumerate(short.samples) if sample.depth_valid]
        opened.add(
            short,
            {index: encode_png(crop_of(index)) for index in valid},
            {index: encode_png(depth_of(index)) for index in with_depth},
        )
        yield opened


def test_a_short_video_fills_the_last_slots(short: VideoRecord) -> None:
    window = ClipWindow(record=short, start=0, end=5)
    assert [window.sample(slot) for slot in range(WINDOW)] == [None] * 15 + [0, None, 2, 3, 4]
    assert window.valid_slots == [15, 17, 18, 19]


def test_a_later_window_begins_with_its_own_first_sample() -> None:
    window = ClipWindow(record=record(45, missed=(12, 30)), start=10, end=30)
    assert [window.sample(slot) for slot in range(WINDOW)] == [10, 11, None, *range(13, 30)]


def test_slots_are_the_preprocessed_crops_and_invalid_ones_are_all_zero(store: ClipStore, short: VideoRecord) -> None:
    window = ClipWindow(record=short, start=0, end=5)

    slots = read_slots(store, window, range(WINDOW), SPEC, Variant())

    assert slots.frames.dtype == slots.depth.dtype == torch.uint8
    assert slots.face_valid.tolist() == [0.0] * 15 + [1.0, 0.0, 1.0, 1.0, 1.0]
    assert slots.depth_valid.tolist() == [0.0] * 15 + [1.0, 0.0, 1.0, 0.0, 1.0]
    assert not slots.frames[slots.face_valid == 0].any()
    assert not slots.depth[slots.depth_valid == 0].any()
    for slot, index in ((15, 0), (17, 2), (18, 3), (19, 4)):
        expected = np.rint(preprocess(crop_of(index), BOX, SPEC))
        np.testing.assert_array_equal(slots.frames[slot].numpy(), expected)


def test_slots_may_be_read_in_any_choice_and_order(store: ClipStore, short: VideoRecord) -> None:
    window = ClipWindow(record=short, start=0, end=5)
    whole = read_slots(store, window, range(WINDOW), SPEC, Variant())
    some = read_slots(store, window, [19, 3, 17], SPEC, Variant())
    assert torch.equal(some.frames, whole.frames[[19, 3, 17]])
    assert torch.equal(some.depth_valid, whole.depth_valid[[19, 3, 17]])


def test_depth_has_one_scale_over_the_clip(store: ClipStore, short: VideoRecord) -> None:
    slots = read_slots(store, ClipWindow(record=short, start=0, end=5), range(WINDOW), SPEC, Variant())

    for slot, index in ((15, 0), (17, 2), (19, 4)):
        # The same geometry as RGB, then [LOW, HIGH] of the clip to 0-255.
        grey = preprocess(np.repeat(depth_of(index)[..., None], 3, axis=2), BOX, SPEC)[0]
        expected = (grey - LOW) * 255 / (HIGH - LOW)
        np.testing.assert_allclose(slots.depth[slot, 0].numpy(), expected, atol=0.51)
    # No frame is scaled by itself: 40 levels nearer a frame are 2.55 levels brighter.
    rise = slots.depth[19].float().mean() - slots.depth[15].float().mean()
    assert float(rise) == pytest.approx(4 * 2.55, abs=0.2)


def test_depth_of_no_range_is_black_not_a_division_by_zero(tmp_path: Path) -> None:
    flat = record(1).model_copy(update={"depth_range": (LOW, LOW)})
    with ClipStore.write(tmp_path, {}) as store:
        depth = encode_png(np.full((SIDE, SIDE), LOW, np.uint16))
        store.add(flat, {0: encode_png(crop_of(0))}, {0: depth})
        slots = read_slots(store, ClipWindow(record=flat, start=0, end=1), [19], SPEC, Variant())
    assert slots.depth_valid.tolist() == [1.0]
    assert not slots.depth.any()


def test_a_flip_mirrors_rgb_and_depth_alike(store: ClipStore, short: VideoRecord) -> None:
    window = ClipWindow(record=short, start=0, end=5)
    plain = read_slots(store, window, range(WINDOW), SPEC, Variant())
    flipped = read_slots(store, window, range(WINDOW), SPEC, Variant(flip=True))
    assert torch.equal(flipped.frames, plain.frames.flip(3))
    assert torch.equal(flipped.depth, plain.depth.flip(3))
    assert not torch.equal(flipped.depth, plain.depth)


def test_a_moved_box_moves_rgb_and_depth_alike_and_light_only_rgb(store: ClipStore, short: VideoRecord) -> None:
    window, slots = ClipWindow(record=short, start=0, end=5), [15, 17]
    moved, lit = Variant(box_scale=1.1, box_shift=(0.05, -0.025)), Variant(brightness=1.2)
    plain = read_slots(store, window, slots, SPEC, Variant())

    by_box, by_light = read_slots(store, window, slots, SPEC, moved), read_slots(store, window, slots, SPEC, lit)

    # By hand: 40 * 1.1 = 44 wide, about the centre (42 + 2, 42 - 1).
    box = Box(x=22, y=19, w=44, h=44)
    np.testing.assert_array_equal(by_box.frames[0].numpy(), np.rint(preprocess(crop_of(0), box, SPEC)))
    assert by_box.depth.float().mean() > plain.depth.float().mean()
    assert torch.equal(by_light.depth, plain.depth)
    np.testing.assert_allclose(by_light.frames.numpy(), np.minimum(255, plain.frames.numpy() * 1.2), atol=1)


def test_light_is_one_for_all_frames_of_a_clip(store: ClipStore, short: VideoRecord) -> None:
    """A slot is the same whether it is read with its clip or alone: nothing flickers, nothing depends on the batch."""
    window, variant = ClipWindow(record=short, start=0, end=5), draw_variant("clip", 3, seed=0)
    together = read_slots(store, window, [15, 17, 19], SPEC, variant)
    for row, slot in enumerate((15, 17, 19)):
        alone = read_slots(store, window, [slot], SPEC, variant)
        assert torch.equal(alone.frames[0], together.frames[row])


def test_an_invalid_slot_stays_zero_in_every_variant(store: ClipStore, short: VideoRecord) -> None:
    window = ClipWindow(record=short, start=0, end=5)
    for k in range(4):
        slots = read_slots(store, window, [0, 16], SPEC, draw_variant("clip", k, seed=0))
        assert not slots.frames.any()
        assert not slots.depth.any()


def test_windows_below_the_least_coverage_are_left_out() -> None:
    half = record(20, missed=tuple(range(10)))
    less = record(20, missed=tuple(range(11)))
    found = windows_of([half, less, record(3)], min_coverage=0.5)
    # A short video's coverage is of what it has, not of 20.
    assert [(len(window.record.samples), len(window.valid_slots)) for window in found] == [(20, 10), (3, 3)]


# Variants


@given(clip=st.text("0123456789abcdef", max_size=8), k=st.integers(0, 100), seed=st.integers(0, 1000))
def test_a_variant_is_the_same_for_the_same_clip_number_and_seed(clip: str, k: int, seed: int) -> None:
    variant = draw_variant(clip, k, seed=seed)
    assert variant == draw_variant(clip, k, seed=seed)
    assert variant != draw_variant(clip, k + 1, seed=seed)
    assert variant != draw_variant(clip, k, seed=seed + 1)
    assert variant != draw_variant(clip + "x", k, seed=seed)


def test_draws_fill_their_ranges_and_flip_half_of_the_time() -> None:
    variants = [draw_variant(f"clip {number}", k, seed=0) for number in range(100) for k in range(4)]
    for values, (low, high) in (
        ([v.box_scale for v in variants], (0.9, 1.1)),
        ([shift for v in variants for shift in v.box_shift], (-0.05, 0.05)),
        ([v.brightness for v in variants], (0.8, 1.2)),
        ([v.contrast for v in variants], (0.8, 1.2)),
        ([v.saturation for v in variants], (0.7, 1.3)),
    ):
        slack = 0.05 * (high - low)
        assert low <= min(values) < low + slack
        assert high - slack < max(values) <= high
    assert np.mean([v.flip for v in variants]) == pytest.approx(0.5, abs=0.1)


@given(k=st.integers(0, 1000), w=st.floats(10, 200), h=st.floats(10, 200))
def test_a_jittered_box_stays_near_the_face(k: int, w: float, h: float) -> None:
    box = Box(x=50, y=60, w=w, h=h)
    moved = draw_variant("clip", k, seed=0).moved(box)
    assert abs(moved.center[0] - box.center[0]) <= 0.05 * w + 1e-9
    assert abs(moved.center[1] - box.center[1]) <= 0.05 * h + 1e-9
    assert 0.9 * w <= moved.w <= 1.1 * w
    assert moved.w / w == pytest.approx(moved.h / h)


def test_the_variant_without_draws_changes_nothing() -> None:
    frames = torch.from_numpy(crop_of(0)).permute(2, 0, 1)[None]
    variant = Variant()
    assert torch.equal(variant.mirrored(variant.coloured(frames)), frames)
    assert variant.moved(BOX) == BOX


# Forged twins


def test_a_twin_differs_from_its_window_on_the_face_alone_and_keeps_its_depth(
    store: ClipStore, short: VideoRecord
) -> None:
    window = ClipWindow(record=short, start=0, end=5)
    wide = PreprocessSpec(size=96, margin=2.0)
    (twin,) = self_blended_twins([window])

    real = read_slots(store, window, range(WINDOW), wide, Variant())
    fake = read_slots(store, twin, range(WINDOW), wide, Variant(), np.random.default_rng(0))

    assert (window.is_fake, twin.is_fake) == (False, True)
    torch.testing.assert_close(fake.depth, real.depth)
    torch.testing.assert_close(fake.face_valid, real.face_valid)
    changed = (fake.frames != real.frames).any(dim=1)
    assert all(changed[slot, 40:56, 40:56].any() for slot in window.valid_slots)
    border = torch.ones(96, 96, dtype=torch.bool)
    border[12:-12, 12:-12] = False
    assert not changed[:, border].any()


def test_only_real_windows_have_twins(short: VideoRecord) -> None:
    fake = short.model_copy(update={"label": "fake"})
    windows = [ClipWindow(record=short, start=0, end=5), ClipWindow(record=fake, start=0, end=5)]
    assert self_blended_twins(windows) == [ClipWindow(record=short, start=0, end=5, forged=True)]
