"""Clips and batches: what a variant shows, what a twin differs in, and only slots that show a face."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from core.clips import ClipWindow, read_slots, windows_of
from core.decision import WINDOW
from core.forgery import DEMO, FOOTAGE
from core.preprocess import PreprocessSpec
from core.seeding import seeded_generator
from core.store import ClipStore, encode_png
from core.transforms import FULL, Variant, draw_variant
from distill.batches import Beginning, FrameSteps
from distill.data import Batch, ClipData, TwinSettings, with_twins
from distill.rendering import Renderer
from distill.sampling import Draw
from tests.distill.conftest import SIDE, MadeStore, record

SPEC = PreprocessSpec(size=32, margin=1.2)
SEED = 3
NO_TWINS = TwinSettings(made=False)
TWINS = TwinSettings(forgeries=(DEMO,))
# Every variant ends in a video codec, which mixes the frames of a window.
AUGMENTATION = FULL.model_copy(update={"delivery": FULL.delivery.model_copy(update={"h264_share": 1.0})})


@pytest.fixture
def store(made_store: MadeStore) -> ClipStore:
    """Two real and one fake window whose every third sample lacks its face; a short video; one of few faces."""
    missed = range(0, 20, 3)
    records = [record(f"real{place}", is_fake=False, no_face=missed) for place in range(2)]
    records += [record("short", is_fake=False, samples=12), record("fake", is_fake=True, no_face=missed)]
    return made_store([*records, record("patchy", is_fake=False, no_face=range(15))])


def clips(store: ClipStore) -> list[ClipWindow]:
    """By key: fake, patchy, real0, real1, short."""
    return windows_of(sorted(store.records(), key=lambda row: row.key), min_coverage=0.0)


def drawn(batch: Batch) -> set[tuple[int, int]]:
    """(window, k) of a batch."""
    return set(zip(batch.windows.tolist(), batch.variants.tolist(), strict=True))


def clip_data(
    store: ClipStore,
    windows: Sequence[ClipWindow] | None = None,
    *,
    variants: int = 2,
    twins: TwinSettings = NO_TWINS,
    slots: int | None = None,
    size: int = SPEC.size,
) -> ClipData:
    return ClipData(
        Renderer(store),
        clips(store) if windows is None else windows,
        SPEC.model_copy(update={"size": size}),
        min_coverage=0.5,
        variants=variants,
        augmentation=AUGMENTATION,
        twins=twins,
        seed=SEED,
        slots=slots,
    )


def test_a_window_of_too_few_faces_is_listed_but_not_judged(store: ClipStore) -> None:
    data = clip_data(store)

    assert [window.record.key for window in data.windows] == ["fake", "patchy", "real0", "real1", "short"]
    assert data.judged == [0, 2, 3, 4]


def test_a_batch_shows_every_clip_as_its_own_variant_does(store: ClipStore) -> None:
    data = clip_data(store)

    batch = data.batch([2, 4], [1, 0])

    for row, (place, k) in enumerate([(2, 1), (4, 0)]):
        window = data.windows[place]
        variant = draw_variant(window.record.key, k, seed=SEED, augmentation=AUGMENTATION)
        wanted = read_slots(store, window, range(WINDOW), SPEC, variant)
        assert torch.equal(batch.frames[row], wanted.frames)
        assert torch.equal(batch.depth[row], wanted.depth)
    assert batch.is_fake.tolist() == [0, 0]
    assert not torch.equal(data.batch([2], [0]).frames[0], batch.frames[0])


def test_without_variants_clips_are_as_they_are_stored(store: ClipStore) -> None:
    data = clip_data(store, variants=0)

    batch = data.batch([2], [0])

    assert torch.equal(batch.frames[0], read_slots(store, data.windows[2], range(WINDOW), SPEC, Variant()).frames)


def test_a_few_slots_are_drawn_among_those_with_a_face_for_each_variant(store: ClipStore) -> None:
    data = clip_data(store, variants=6, slots=3)

    drawn = [data.places(2, k) for k in range(6)]

    assert all(set(places) <= set(data.windows[2].valid_slots) and len(places) == 3 for places in drawn)
    assert len(set(drawn)) > 1
    assert data.batch([2, 3], [0, 1]).face_valid.min() == 1.0


def test_few_slots_of_a_held_out_clip_are_evenly_spaced(store: ClipStore) -> None:
    data = clip_data(store, variants=0, slots=3)

    # A clip of 12 samples stands in the last 12 of 20 slots.
    assert data.places(4, 0) == (8, 14, 19)


def test_a_twin_is_forged_as_the_recipe_says_and_shows_the_slots_of_its_original(store: ClipStore) -> None:
    data = clip_data(store, twins=TWINS, slots=4)
    twin = data.twins[2]

    batch = data.batch([2, twin], [1, 1])

    window, places = data.windows[twin], data.places(2, 1)
    variant = draw_variant("real0", 1, seed=SEED, augmentation=AUGMENTATION)
    forging = seeded_generator("forging", SEED, "real0", 0, 1)
    wanted = read_slots(store, window, places, SPEC, variant, forging, DEMO)
    assert data.places(twin, 1) == places
    assert torch.equal(batch.frames[1], wanted.frames)
    assert torch.equal(batch.masks[1], wanted.masks)
    assert batch.masks[1].amax() > 128
    assert not batch.masks[0].any()
    assert batch.is_fake.tolist() == [0, 1]


def test_variants_take_the_forgeries_in_turn() -> None:
    settings = TwinSettings(forgeries=(FOOTAGE, DEMO))

    assert [settings.forgery(k) for k in range(3)] == [FOOTAGE, DEMO, FOOTAGE]


def test_a_swapped_twin_shows_another_person_of_its_folder(store: ClipStore) -> None:
    blended = clip_data(store, twins=TWINS)
    swapped = clip_data(store, twins=TwinSettings(forgeries=(DEMO,), swap_share=1.0))
    twin = swapped.twins[2]

    frames = swapped.batch([twin], [0]).frames

    assert not torch.equal(frames, blended.batch([twin], [0]).frames)
    assert swapped.digest(twin, 0) != blended.digest(twin, 0)
    assert swapped.batch([twin], [0]).masks.amax() > 128


def test_a_person_alone_in_the_folder_is_blended_with_herself(made_store: MadeStore) -> None:
    store = made_store([record("one", is_fake=False), record("fake", is_fake=True)])
    alone = clip_data(store, twins=TwinSettings(forgeries=(DEMO,), swap_share=1.0))
    blended = clip_data(store, twins=TWINS)

    assert torch.equal(alone.batch([2], [0]).frames, blended.batch([2], [0]).frames)


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
    data = clip_data(store, windows_of([row], min_coverage=0.5))
    variant = draw_variant(row.key, 0, seed=SEED, augmentation=AUGMENTATION)
    assert variant.delivery.h264_crf is not None, "the seed has to draw a video codec for this test to mean anything"

    found = data.batch([0, 1], [0, 0]).frames

    # Sample 10 stands in both; each window is a short video of its own.
    assert not torch.equal(found[0, 10], found[1, 0])
    for place in (0, 1):
        assert torch.equal(found[place], read_slots(store, data.windows[place], range(WINDOW), SPEC, variant).frames)


def test_an_invalid_slot_is_zero_and_masked(store: ClipStore) -> None:
    batch = clip_data(store).batch([4], [0])

    assert batch.face_valid[0].tolist() == [0.0] * 8 + [1.0] * 12
    assert batch.depth_valid[0].tolist() == [0.0] * 8 + [1.0] * 12
    assert int(batch.frames[0, :8].max()) == int(batch.depth[0, :8].max()) == 0


def test_a_share_of_the_fakes_become_twins_of_the_clips_beside_them(store: ClipStore) -> None:
    data = clip_data(store, twins=TWINS)
    draw = Draw(windows=(2, 3, 0, 0), variants=(1, 0, 0, 1), replaced=0)

    half, pairs = with_twins(data, draw, 0.5)
    every, _ = with_twins(data, draw, 1.0)

    assert half.windows == (2, 3, data.twins[2], 0)
    assert half.variants == (1, 0, 1, 1)
    assert pairs == [(0, 2)]
    assert every.windows == (2, 3, data.twins[2], data.twins[3])


def test_batches_of_frames_are_the_same_for_a_step_whoever_renders_them(store: ClipStore) -> None:
    def frames(workers: int) -> list[torch.Tensor]:
        with Renderer(store, workers=workers) as renderer:
            data = ClipData(
                renderer,
                clips(store),
                SPEC,
                min_coverage=0.5,
                variants=2,
                augmentation=AUGMENTATION,
                twins=TWINS,
                seed=SEED,
                slots=2,
            )
            steps = FrameSteps(data, count=4, seed=SEED, twin_share=0.5)
            for step in (0, 1):
                steps.ask(step)
            return [steps[step].clips.frames for step in (0, 1)]

    here, elsewhere = frames(0), frames(1)

    assert all(torch.equal(one, other) for one, other in zip(here, elsewhere, strict=True))


def test_a_clip_of_too_few_faces_never_reaches_a_batch(store: ClipStore) -> None:
    data = clip_data(store, twins=TWINS, slots=2)
    steps = FrameSteps(data, count=2, seed=SEED, twin_share=0.5)

    batches = [steps[step].clips for step in range(8)]

    assert all(1 not in batch.windows.tolist() for batch in batches)
    assert all(batch.is_fake.tolist() == [0, 1] for batch in batches)
    assert steps.replaced(8) == 2


def test_a_trunk_that_begins_sees_the_primer_then_small_pictures_then_what_all_others_see(store: ClipStore) -> None:
    data, small = (clip_data(store, twins=TWINS, slots=1, size=size) for size in (96, 64))
    primer = clip_data(store, twins=TWINS, slots=1, size=32)
    beginning = Beginning(primer=primer, primer_share=0.5, small=small, small_share=0.75)

    def steps(beginning: Beginning | None = None) -> FrameSteps:
        def answers(windows: Sequence[int], variants: Sequence[int]) -> torch.Tensor:
            return torch.zeros(len(windows), 2)

        return FrameSteps(
            data, count=2, seed=SEED, twin_share=1.0, window_logits=answers, beginning=beginning, steps=16
        )

    taught = [steps(beginning)[step] for step in range(16)]

    # The primer is alone for four steps, and then comes in a share of those that are left of its eight.
    assert [batch.clips.frames.shape[-1] for batch in taught] == [32] * 6 + [64] * 6 + [96] * 4
    assert [batch.window_logits is None for batch in taught] == [True] * 12 + [False] * 4
    assert torch.equal(taught[15].clips.frames, steps()[15].clips.frames)
    assert steps(beginning).clips(16) == {clip for step in range(12, 16) for clip in drawn(taught[step].clips)}
