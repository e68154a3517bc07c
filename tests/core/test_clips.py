"""From a store to a model's input: slots, validity, depth's one scale, and variants that hold over a clip."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.clips import ClipWindow, Slots, forged_twins, read_slots, windows_of
from core.decision import WINDOW
from core.forgery import DEMO, FOOTAGE, ForgerySettings, forged_depth, self_blended_crops
from core.preprocess import Box, DepthImage, Image, PreprocessSpec, preprocess
from core.recompress import recompressed
from core.records import Sample, VideoRecord
from core.store import ClipStore, Picture, encode_png
from core.transforms import FULL, LIGHT, Colour, Erasure, Quality, Variant, draw_variant
from core.transforms.variation import working_factor

SPEC = PreprocessSpec(size=32, margin=1.0)
SIDE = 84
BOX = Box(x=22, y=22, w=40, h=40)
LOW, HIGH = 1000, 5000


def record(samples: int, *, missed: tuple[int, ...] = (), no_depth: tuple[int, ...] = ()) -> VideoRecord:
    """A video whose crops lie wholly inside the frame, 5 px from its left and 9 px from its top."""
    return VideoRecord(
        key=f"{samples}/{missed}",
        path="real/a.mp4",
        label="real",
        identity="a",
        method="original",
        split="train",
        frame_size=(SIDE + 20, SIDE + 20),
        samples=tuple(
            Sample(
                index=3 * index,
                time_ms=100.0 * index,
                face=None if index in missed else (BOX.x + 5, BOX.y + 9, BOX.w, BOX.h),
                kept=index not in missed,
                origin=(5.0, 9.0),
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
    """A wavy slope, from far at the left to near at the right; each frame a little nearer."""
    across = np.linspace(LOW + 300, HIGH - 1000, SIDE) + 300 * np.sin(np.linspace(0, 25, SIDE)) + 40 * index
    return np.broadcast_to(across, (SIDE, SIDE)).astype(np.uint16)


@pytest.fixture(scope="module")
def short() -> VideoRecord:
    """5 samples, the face missed in one, depth in another."""
    return record(5, missed=(1,), no_depth=(3,))


@pytest.fixture(scope="module")
def store(short: VideoRecord, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClipStore]:
    with ClipStore.write(tmp_path_factory.mktemp("clips"), {}) as opened:
        opened.add(short, pictures_of(short))
        yield opened


def pictures_of(row: VideoRecord) -> list[Picture]:
    pictures: list[Picture] = []
    for index, sample in enumerate(row.samples):
        if sample.kept:
            pictures.append(("crop", index, encode_png(crop_of(index))))
        if sample.depth_valid:
            pictures.append(("depth", index, encode_png(depth_of(index))))
    return pictures


def slots_of(store: ClipStore, row: VideoRecord, spec: PreprocessSpec, variant: Variant) -> Slots:
    return read_slots(store, ClipWindow(record=row, start=0, end=len(row.samples)), range(WINDOW), spec, variant)


def test_a_short_video_fills_the_last_slots(short: VideoRecord) -> None:
    window = ClipWindow(record=short, start=0, end=5)
    assert [window.sample(slot) for slot in range(WINDOW)] == [None] * 15 + [0, None, 2, 3, 4]
    assert window.valid_slots == [15, 17, 18, 19]


def test_a_face_outside_every_kept_window_is_no_valid_slot() -> None:
    row = record(5)
    beyond = row.samples[2].model_copy(update={"kept": False})
    row = row.model_copy(update={"samples": (*row.samples[:2], beyond, *row.samples[3:])})
    assert ClipWindow(record=row, start=0, end=5).valid_slots == [15, 16, 18, 19]


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
        store.add(flat, [("crop", 0, encode_png(crop_of(0))), ("depth", 0, depth)])
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
    moved, lit = Variant(box_scale=1.1, box_shift=(0.05, -0.025)), Variant(colour=Colour(brightness=1.2))
    plain = read_slots(store, window, slots, SPEC, Variant())

    by_box, by_light = read_slots(store, window, slots, SPEC, moved), read_slots(store, window, slots, SPEC, lit)

    # By hand: 40 * 1.1 = 44 wide, about the centre (42 + 2, 42 - 1).
    box = Box(x=22, y=19, w=44, h=44)
    np.testing.assert_array_equal(by_box.frames[0].numpy(), np.rint(preprocess(crop_of(0), box, SPEC)))
    assert by_box.depth.float().mean() > plain.depth.float().mean()
    assert torch.equal(by_light.depth, plain.depth)
    # The camera sees the light before anything is scaled.
    brighter = np.rint(np.minimum(255, crop_of(0) * 1.2)).astype(np.uint8)
    np.testing.assert_array_equal(by_light.frames[0].numpy(), np.rint(preprocess(brighter, BOX, SPEC)))


def test_light_is_one_for_all_frames_of_a_clip(store: ClipStore, short: VideoRecord) -> None:
    """A slot is the same whether it is read with its clip or alone: nothing flickers, nothing depends on the batch."""
    window, variant = ClipWindow(record=short, start=0, end=5), draw_variant("clip", 3, seed=0, augmentation=LIGHT)
    together = read_slots(store, window, [15, 17, 19], SPEC, variant)
    for row, slot in enumerate((15, 17, 19)):
        alone = read_slots(store, window, [slot], SPEC, variant)
        assert torch.equal(alone.frames[0], together.frames[row])


def test_an_invalid_slot_stays_zero_in_every_variant(store: ClipStore, short: VideoRecord) -> None:
    window = ClipWindow(record=short, start=0, end=5)
    for k in range(8):
        slots = read_slots(store, window, [0, 16], SPEC, draw_variant("clip", k, seed=0, augmentation=FULL))
        for tensor in (slots.frames, slots.depth, slots.masks, slots.face_valid, slots.depth_valid):
            assert not tensor.any()


def test_a_window_reads_the_same_every_time(store: ClipStore, short: VideoRecord) -> None:
    for k in range(8):
        variant = draw_variant("clip", k, seed=0, augmentation=FULL)
        once, again = (slots_of(store, short, SPEC, variant) for _ in range(2))
        assert torch.equal(once.frames, again.frames)
        assert torch.equal(once.depth, again.depth)


def test_windows_below_the_least_coverage_are_left_out() -> None:
    half = record(20, missed=tuple(range(10)))
    less = record(20, missed=tuple(range(11)))
    found = windows_of([half, less, record(3)], min_coverage=0.5)
    # A short video's coverage is of what it has, not of 20.
    assert [(len(window.record.samples), len(window.valid_slots)) for window in found] == [(20, 10), (3, 3)]


# Working size


def test_crops_are_reduced_until_the_smallest_square_has_less_than_two_pixels_to_one_of_the_input() -> None:
    row = record(3)
    larger = row.samples[1].model_copy(update={"face": (0.0, 0.0, 90.0, 70.0)})
    row = row.model_copy(update={"samples": (row.samples[0], larger, row.samples[2])})
    # The smallest square has floor(2.5 * 40 + 0.5) = 100 px: 3 * 32 fit, and 100 / 3 / 32 = 1.04.
    factor, scale = working_factor(row, PreprocessSpec(size=32, margin=2.5))
    assert (factor, scale) == (3, 100 / 3 / 32)
    assert working_factor(row, PreprocessSpec(size=64, margin=1.0)) == (1, 40 / 64)
    assert working_factor(row, PreprocessSpec(size=32, margin=2.5, fit="pad")) == (1, 1.0)


def test_reducing_first_hardly_changes_what_the_model_sees(store: ClipStore, short: VideoRecord) -> None:
    spec = PreprocessSpec(size=32, margin=2.0)
    window = ClipWindow(record=short, start=0, end=5)
    assert working_factor(short, spec)[0] == 2

    # The smallest change there is: it goes the way of every variant.
    reduced = read_slots(store, window, [15, 19], spec, Variant(grain=1))
    direct = read_slots(store, window, [15, 19], spec, Variant())

    # Blocks of 2 px may begin a pixel off: noise then differs, its means do not.
    means = torch.nn.functional.avg_pool2d
    torch.testing.assert_close(means(reduced.frames.float(), 8), means(direct.frames.float(), 8), atol=8, rtol=0)
    torch.testing.assert_close(reduced.depth, direct.depth, atol=4, rtol=0)


# Light and quality


def test_a_real_clip_has_no_mask(store: ClipStore, short: VideoRecord) -> None:
    assert not slots_of(store, short, SPEC, Variant()).masks.any()


def test_no_camera_changes_what_lies_outside_the_frame(tmp_path: Path) -> None:
    row = record(2)
    # The left 20 px and the lower 30 px of each crop are beyond the frame.
    samples = tuple(
        sample.model_copy(update={"origin": (-20.0, 9.0), "face": (2.0, 31.0, 40.0, 40.0)}) for sample in row.samples
    )
    row = row.model_copy(update={"samples": samples, "frame_size": (100, 9 + SIDE - 30)})
    spec = PreprocessSpec(size=64, margin=2.0)
    variant = Variant(colour=Colour(offset=(0.2, 0.2, 0.2)), camera=Quality(blur_px=1.5, noise=0.03, jpeg_quality=50))
    with ClipStore.write(tmp_path, {}) as store:
        crops = [np.full((SIDE, SIDE, 3), 90, np.uint8) for _ in samples]
        for crop in crops:
            crop[:, :20] = crop[-30:] = 0
        store.add(row, [("crop", index, encode_png(crop)) for index, crop in enumerate(crops)])
        bare = row.model_copy(
            update={"samples": tuple(sample.model_copy(update={"depth_valid": False}) for sample in samples)}
        )
        frames = read_slots(store, ClipWindow(record=bare, start=0, end=2), [18, 19], spec, variant).frames

    # The square is 80 px about (42, 42): it begins at 2, so that 18 of its 80 px are beyond the frame on the left.
    assert not frames[..., : 18 * 64 // 80].any()
    assert not frames[..., 53 * 64 // 80 :, :].any()
    # Inside, right up to the border, the picture is as bright as elsewhere: no padding was blurred into it.
    inside = frames[..., 2 : 50 * 64 // 80, 18 * 64 // 80 + 2 :].float()
    assert inside.amin() > 90 + 51 - 40
    assert float(inside.mean()) == pytest.approx(90 + 51, abs=2)


def test_a_codec_and_what_is_covered_come_last(store: ClipStore, short: VideoRecord) -> None:
    erasure = Erasure(x=0.25, y=0.5, w=0.25, h=0.25, level=(255, 0, 0))
    plain = slots_of(store, short, SPEC, Variant())
    valid = plain.face_valid == 1
    covered = plain.frames[valid].clone()
    covered[:, :, 16:24, 8:16] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    coded = recompressed(list(covered.permute(0, 2, 3, 1).numpy()), crf=30)

    slots = slots_of(store, short, SPEC, Variant(delivery=Quality(h264_crf=30), erasure=erasure))

    np.testing.assert_array_equal(slots.frames[valid].permute(0, 2, 3, 1).numpy(), np.stack(list(coded)))
    assert torch.equal(slots.depth, plain.depth)


# Forged twins


WIDE = PreprocessSpec(size=96, margin=2.0)


def twin_of(store: ClipStore, row: VideoRecord, variant: Variant, settings: ForgerySettings = DEMO) -> Slots:
    (twin,) = forged_twins([ClipWindow(record=row, start=0, end=len(row.samples))])
    assert twin.is_fake
    return read_slots(store, twin, range(WINDOW), WIDE, variant, np.random.default_rng(0), settings)


@pytest.mark.parametrize(
    "variant",
    [
        Variant(),
        Variant(
            flip=True,
            rotation_degrees=9.0,
            box_scale=0.9,
            colour=Colour(gamma=1.3, saturation=0.4),
            camera=Quality(reduction=0.6, sharpening=1.0, noise=0.02, jpeg_quality=60),
            grain=5,
        ),
    ],
)
def test_a_twin_differs_from_its_window_where_its_mask_says_and_nowhere_else(
    store: ClipStore, short: VideoRecord, variant: Variant
) -> None:
    real, fake = slots_of(store, short, WIDE, variant), twin_of(store, short, variant)

    torch.testing.assert_close(fake.face_valid, real.face_valid)
    torch.testing.assert_close(fake.depth_valid, real.depth_valid)
    difference = (fake.frames.int() - real.frames.int()).abs().amax(dim=1, keepdim=True)
    beyond = torch.nn.functional.max_pool2d(fake.masks.float(), 3, stride=1, padding=1) == 0
    assert difference[beyond].max() == 0
    valid = fake.face_valid == 1
    assert difference[fake.masks > 200].float().mean() > 20
    assert (fake.masks[valid].float().mean(dim=(1, 2, 3)) > 10).all()
    assert not fake.masks[~valid].any()
    assert not real.masks.any()


def test_a_twin_is_forged_from_its_stored_crops_as_drawn(store: ClipStore, short: VideoRecord) -> None:
    kept = [0, 2, 3, 4]
    boxes = [BOX] * 4
    forgery = self_blended_crops([crop_of(index) for index in kept], boxes, np.random.default_rng(0), FOOTAGE)

    fake = twin_of(store, short, Variant(), FOOTAGE)

    for row, index in enumerate(kept):
        np.testing.assert_array_equal(
            fake.frames[15 + index].numpy(), np.rint(preprocess(forgery.frames[row], BOX, WIDE))
        )
        mask = np.repeat(np.rint(forgery.masks[row] * 255)[..., None], 3, axis=2).astype(np.uint8)
        np.testing.assert_array_equal(fake.masks[15 + index, 0].numpy(), np.rint(preprocess(mask, BOX, WIDE)[0]))


def test_a_twin_s_depth_is_of_what_its_frames_show(store: ClipStore, short: VideoRecord) -> None:
    kept = [0, 2, 3, 4]
    forgery = self_blended_crops([crop_of(index) for index in kept], [BOX] * 4, np.random.default_rng(0), DEMO)
    # Sample 3 has no depth, and lends none to the others.
    known = [np.zeros((SIDE, SIDE), np.uint16) if index == 3 else depth_of(index) for index in kept]
    depths = forged_depth(known, known, forgery)

    fake, real = twin_of(store, short, Variant()), slots_of(store, short, WIDE, Variant())

    assert fake.depth_valid.tolist() == [0.0] * 15 + [1.0, 0.0, 1.0, 0.0, 1.0]
    for row, index in ((0, 0), (1, 2), (3, 4)):
        grey = preprocess(np.repeat(depths[row][..., None], 3, axis=2).astype(np.uint16), BOX, WIDE)[0]
        wanted = ((grey - LOW) * 255 / (HIGH - LOW)).clip(0, 255)
        np.testing.assert_allclose(fake.depth[15 + index, 0].numpy(), wanted, atol=0.51)
    assert not fake.depth[18].any()
    assert not torch.equal(fake.depth, real.depth)


def test_only_real_windows_have_twins(short: VideoRecord) -> None:
    fake = short.model_copy(update={"label": "fake"})
    windows = [ClipWindow(record=short, start=0, end=5), ClipWindow(record=fake, start=0, end=5)]
    assert forged_twins(windows) == [ClipWindow(record=short, start=0, end=5, forged=True)]
