"""Batches: balanced, repeatable, and only of slots that show a face."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest
import torch

from core.clips import ClipWindow, read_slots, windows_of
from core.decision import WINDOW
from core.forgery import DEMO
from core.preprocess import PreprocessSpec
from core.seeding import seeded_generator
from core.store import ClipStore, encode_png
from core.transforms import FULL, Variant, draw_variant
from distill.data import ClipData, FrameBatches, balanced
from tests.distill.conftest import SIDE, MadeStore, record

SPEC = PreprocessSpec(size=32, margin=1.2)
SEED = 3
# Every variant ends in a video codec, which mixes the frames of a window.
AUGMENTATION = FULL.model_copy(update={"delivery": FULL.delivery.model_copy(update={"h264_share": 1.0})})


@pytest.fixture
def data(made_store: MadeStore) -> ClipData:
    """Three real and one fake window; every third sample lacks its face, one video is short."""
    missed = range(0, 20, 3)
    records = [record(f"real{place}", is_fake=False, no_face=missed) for place in range(2)]
    records += [record("short", is_fake=False, samples=12), record("fake", is_fake=True, no_face=missed)]
    return clip_data(made_store(records), windows_of(records, min_coverage=0.5), variants=2)


def clip_data(store: ClipStore, windows: Sequence[ClipWindow], *, variants: int, twins: bool = False) -> ClipData:
    return ClipData(
        store, windows, SPEC, variants=variants, augmentation=AUGMENTATION, twin_forgery=DEMO, seed=SEED, twins=twins
    )


def test_half_of_every_batch_is_fake_however_few_fakes_there_are() -> None:
    is_fake = torch.tensor([0] * 9 + [1])

    batches = list(islice(balanced(is_fake, 4, 2, np.random.default_rng(0)), 20))

    assert [int(is_fake[chosen].sum()) for _, chosen in batches] == [2] * 20


def test_an_epoch_shows_every_window_of_the_larger_class_once() -> None:
    is_fake = torch.tensor([0] * 8 + [1] * 3)

    # Two of the eight real windows a batch: four batches are an epoch.
    epoch = list(islice(balanced(is_fake, 4, 1, np.random.default_rng(0)), 4))

    assert sorted(place for _, chosen in epoch for place in chosen if not is_fake[place]) == list(range(8))


def test_epoch_e_takes_variant_e_modulo_k() -> None:
    is_fake = torch.tensor([0] * 4 + [1] * 4)

    # Eight windows at four a batch: two batches are an epoch.
    variants = [k for k, _ in islice(balanced(is_fake, 4, 3, np.random.default_rng(0)), 14)]

    assert variants == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0]


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(data: ClipData) -> None:
    def drawn(seed: int) -> list[list[int]]:
        batches = islice(FrameBatches(data, windows=2, slots=3, seed=seed), 6)
        return [[*batch.windows.tolist(), batch.k, *batch.slots.flatten().tolist()] for batch in batches]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_frame_batches_take_only_slots_with_a_face(data: ClipData) -> None:
    for batch in islice(FrameBatches(data, windows=4, slots=3, seed=0), 10):
        for window, slots in zip(batch.windows.tolist(), batch.slots.tolist(), strict=True):
            assert set(slots) <= set(data.windows[window].valid_slots)
        assert batch.face_valid.min() == 1.0


def test_labels_of_a_batch_are_those_of_its_windows(data: ClipData) -> None:
    batch = next(iter(FrameBatches(data, windows=4, slots=1, seed=0)))

    wanted = [data.windows[window].record.label == "fake" for window in batch.windows.tolist()]
    assert batch.is_fake.tolist() == wanted


def test_a_batch_holds_slots_of_the_window_as_its_variant_shows_the_whole_of_it(data: ClipData) -> None:
    batch = data.batch([2], 1, [[10, 15]])

    window = data.windows[2]
    variant = draw_variant(window.record.key, 1, seed=SEED, augmentation=AUGMENTATION)
    wanted = read_slots(data._store, window, range(WINDOW), SPEC, variant)
    assert torch.equal(batch.frames[0], wanted.frames[[10, 15]])
    assert torch.equal(batch.depth[0], wanted.depth[[10, 15]])
    assert not torch.equal(data.batch([2], 0, [[10, 15]]).frames, batch.frames)


def test_without_variants_clips_are_as_they_are(data: ClipData) -> None:
    plain = clip_data(data._store, data.windows, variants=0)

    slots = plain.slots(0, 0, [1, 2])

    assert torch.equal(slots.frames, read_slots(data._store, data.windows[0], [1, 2], SPEC, Variant()).frames)


def test_a_twin_is_forged_as_the_recipe_says_and_marked_so(data: ClipData) -> None:
    with_twins = clip_data(data._store, data.windows, variants=2, twins=True)

    twin = with_twins.slots(with_twins.twins[0], 1, range(WINDOW))

    window = with_twins.windows[with_twins.twins[0]]
    variant = draw_variant(window.record.key, 1, seed=SEED, augmentation=AUGMENTATION)
    forging = seeded_generator("forging", SEED, window.record.key, 0, 1)
    wanted = read_slots(data._store, window, range(WINDOW), SPEC, variant, forging, DEMO)
    assert torch.equal(twin.frames, wanted.frames)
    assert torch.equal(twin.masks, wanted.masks)
    assert twin.masks[twin.face_valid == 1].amax() > 128
    assert not with_twins.slots(0, 1, range(WINDOW)).masks.any()


def test_windows_that_overlap_keep_the_draws_of_their_own(made_store: MadeStore) -> None:
    row = record("long", is_fake=False, samples=30).model_copy(update={"windows": ((0, 20), (10, 30))})
    store = made_store([])
    generator = np.random.default_rng(0)
    still = generator.integers(0, 256, (SIDE, SIDE, 3))
    # A camera's noise over a still picture: a codec carries much of each frame over to the next.
    crops = [(still + generator.integers(-9, 10, still.shape)).clip(0, 255).astype(np.uint8) for _ in row.samples]
    depth = encode_png(np.zeros((SIDE, SIDE), np.uint16))
    store.add(row, [("crop", index, encode_png(crop)) for index, crop in enumerate(crops)])
    store.add(row, [("depth", index, depth) for index in range(len(crops))])
    data = clip_data(store, windows_of([row], min_coverage=0.5), variants=2)
    variant = draw_variant(row.key, 0, seed=SEED, augmentation=AUGMENTATION)
    assert variant.delivery.h264_crf is not None, "the seed has to draw a video codec for this test to mean anything"

    first, second = (data.slots(window, 0, range(WINDOW)) for window in (0, 1))

    # Sample 10 stands in both; each window is a short video of its own.
    assert not torch.equal(first.frames[10], second.frames[0])
    for window, found in enumerate((first, second)):
        wanted = read_slots(store, data.windows[window], range(WINDOW), SPEC, variant)
        assert torch.equal(found.frames, wanted.frames)


def test_an_invalid_slot_is_zero_and_masked(data: ClipData) -> None:
    # A clip of 12 samples stands in the last 12 of 20 slots.
    slots = data.slots(2, 0, range(20))

    assert slots.face_valid.tolist() == [0.0] * 8 + [1.0] * 12
    assert slots.depth_valid.tolist() == [0.0] * 8 + [1.0] * 12
    assert int(slots.frames[:8].max()) == int(slots.depth[:8].max()) == 0


def test_whole_windows_come_once_in_order_with_all_their_slots(data: ClipData) -> None:
    batches = list(data.whole_windows(0, size=3))

    assert [batch.windows.tolist() for batch in batches] == [[0, 1, 2], [3]]
    assert all(batch.slots.tolist() == [list(range(20))] * len(batch.windows) for batch in batches)
