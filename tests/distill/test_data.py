"""Batches: balanced, repeatable, and only of slots that show a face."""

from itertools import islice

import numpy as np
import pytest
import torch

from core.clips import read_slots, windows_of
from core.preprocess import PreprocessSpec
from core.transforms import Variant, draw_variant
from distill.data import ClipData, FrameBatches, balanced
from tests.distill.conftest import MadeStore, record

SPEC = PreprocessSpec(size=32, margin=1.2)
SEED = 3


@pytest.fixture
def data(made_store: MadeStore) -> ClipData:
    """Three real and one fake window; every third sample lacks its face, one video is short."""
    missed = range(0, 20, 3)
    records = [record(f"real{place}", is_fake=False, no_face=missed) for place in range(2)]
    records += [record("short", is_fake=False, samples=12), record("fake", is_fake=True, no_face=missed)]
    store = made_store(records)
    return ClipData(store, windows_of(records, min_coverage=0.5), SPEC, variants=2, seed=SEED)


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


def test_a_batch_holds_the_slots_of_its_variant(data: ClipData) -> None:
    batch = data.batch([2], 1, [[10, 15]])

    window = data.windows[2]
    wanted = read_slots(data._store, window, [10, 15], SPEC, draw_variant(window.record.key, 1, seed=SEED))
    assert torch.equal(batch.frames[0], wanted.frames)
    assert torch.equal(batch.depth[0], wanted.depth)
    assert not torch.equal(data.batch([2], 0, [[10, 15]]).frames, batch.frames)


def test_without_variants_clips_are_as_they_are(data: ClipData) -> None:
    plain = ClipData(data._store, data.windows, SPEC, variants=0, seed=SEED)

    slots = plain.slots(0, 0, [1, 2])

    assert torch.equal(slots.frames, read_slots(data._store, data.windows[0], [1, 2], SPEC, Variant()).frames)


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
