"""Forgeries made in preparation: whose face, recorded how, and nothing but the forgery tells them from real clips."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.depth import depth_file
from core.forgery import DEMO
from core.prepare import PrepareSettings, Summary, prepare
from core.records import VideoRecord
from core.store import BASE_PREFIX, ClipStore
from tests.core.corpora import corpus_of, raw

SETTINGS = PrepareSettings(forgeries=("self_blend", "swap"), forgery=DEMO, forged_crf=(18, 22))
FRAMES = 8


@pytest.fixture(scope="module")
def folder(talking_head: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people in one folder, one of them twice, a third alone in another; only anna's first video has depth."""
    corpus = tmp_path_factory.mktemp("forge") / "corpus"
    talking_head(corpus / "home/anna_1.mp4", frames=FRAMES, seed=1)
    talking_head(corpus / "home/anna_2.mp4", frames=FRAMES, seed=2)
    talking_head(corpus / "home/bert_1.mp4", frames=FRAMES, seed=3)
    talking_head(corpus / "work/carl_1.mp4", frames=FRAMES, seed=4)
    depth_file(corpus / "home/anna_1.mp4", 0).parent.mkdir()
    for index in range(FRAMES):
        y, x = np.mgrid[0:224, 0:256]
        relief = 30_000 + 20_000 * np.exp(-((x - 130) ** 2 + (y - 110) ** 2) / 3000)
        assert cv2.imwrite(str(depth_file(corpus / "home/anna_1.mp4", index)), relief.astype(np.uint16))
    return corpus


@pytest.fixture(scope="module")
def forged(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    store = tmp_path_factory.mktemp("forged") / "store"
    return store, prepare(corpus_of(folder), store, SETTINGS, workers=0)


def clips_of(store: Path) -> dict[tuple[str, str], VideoRecord]:
    """By path and method."""
    with ClipStore.read(store) as opened:
        return {(record.path, record.method): record for record in opened.records()}


def test_every_real_video_gets_a_fake_of_each_method_where_there_is_a_donor(forged: tuple[Path, Summary]) -> None:
    clips = clips_of(forged[0])
    assert sorted(clips) == sorted(
        (path, method)
        for path in ("home/anna_1.mp4", "home/anna_2.mp4", "home/bert_1.mp4", "work/carl_1.mp4")
        for method in ("original", "self_blend", "swap")
        if (path, method) != ("work/carl_1.mp4", "swap")
    )
    assert all((record.label == "real") == (method == "original") for (_, method), record in clips.items())
    summary = forged[1]
    assert (summary.prepared, summary.without_donor) == (4, 1)
    assert summary.clips == {"original": 4, "self_blend": 4, "swap": 3}
    assert "1 real videos have no other identity beside them to swap with" in summary.text(forged[0])


def test_a_swap_shows_another_person_of_the_same_folder(forged: tuple[Path, Summary]) -> None:
    clips = clips_of(forged[0])
    assert clips["home/anna_1.mp4", "swap"].source == "bert"
    assert clips["home/anna_2.mp4", "swap"].source == "bert"
    assert clips["home/bert_1.mp4", "swap"].source == "anna"
    assert all(record.source == "" for (_, method), record in clips.items() if method != "swap")


def test_the_strength_of_a_fake_is_recorded_and_is_what_its_pixels_show(forged: tuple[Path, Summary]) -> None:
    clips = clips_of(forged[0])
    assert clips["home/bert_1.mp4", "original"].forgery is None
    with ClipStore.read(forged[0]) as store:
        for method in ("self_blend", "swap"):
            real, fake = clips["home/bert_1.mp4", "original"], clips["home/bert_1.mp4", method]
            assert fake.forgery is not None
            assert fake.forgery.draws
            changes = []
            for index in range(FRAMES):
                before, after = store.crop(real, index)[0].astype(int), store.crop(fake, index)[0].astype(int)
                covered = store.mask(fake, index) > 127
                changes.append(np.abs(after - before)[covered].mean())
            assert np.mean(changes) == pytest.approx(fake.forgery.visibility, rel=0.25)


def test_outside_the_mask_a_fake_is_its_real_clip_within_the_encoders_noise(forged: tuple[Path, Summary]) -> None:
    clips = clips_of(forged[0])
    with ClipStore.read(forged[0]) as store:
        for (path, method), fake in clips.items():
            if method == "original":
                continue
            real = clips[path, "original"]
            assert real.encoding == fake.encoding != ""
            assert real.compression == fake.compression == ""
            for index in range(FRAMES):
                (before, box), (after, forged_box) = store.crop(real, index), store.crop(fake, index)
                assert box == forged_box
                untouched = cv2.dilate(store.mask(fake, index), np.ones((17, 17), np.uint8)) == 0
                assert untouched.mean() > 0.3
                assert np.abs(after.astype(int) - before)[untouched].mean() < 3


def test_real_and_forged_clips_end_with_the_same_encoder(forged: tuple[Path, Summary]) -> None:
    clips = clips_of(forged[0])
    with ClipStore.read(forged[0]) as store:
        for base in store.each_record(BASE_PREFIX):
            original, _ = store.crop(base, 3)
            encoded, _ = store.crop(clips[base.path, "original"], 3)
            difference = np.abs(original.astype(int) - encoded)
            assert 0 < difference.mean() < 6


def test_the_depth_of_a_fake_is_of_what_it_shows_and_missing_where_a_part_of_that_is(
    forged: tuple[Path, Summary],
) -> None:
    clips = clips_of(forged[0])
    valid = {at: [sample.depth_valid for sample in record.samples] for at, record in clips.items()}
    assert valid["home/anna_1.mp4", "original"] == valid["home/anna_1.mp4", "self_blend"] == [True] * FRAMES
    # The donor of the one and the target of the other have no depth.
    assert valid["home/anna_1.mp4", "swap"] == valid["home/bert_1.mp4", "swap"] == [False] * FRAMES
    with ClipStore.read(forged[0]) as store:
        real, fake = clips["home/anna_1.mp4", "original"], clips["home/anna_1.mp4", "self_blend"]
        before, after = store.depth(real, 2), store.depth(fake, 2)
        mask = store.mask(fake, 2)
        # A mask is stored in steps of 1/255.
        np.testing.assert_allclose(after[mask == 0], before[mask == 0], rtol=0, atol=0.01 * np.ptp(before))
        assert (after[mask > 127] != before[mask > 127]).mean() > 0.5


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_makes_the_same_forgeries(
    folder: Path, forged: tuple[Path, Summary], tmp_path: Path, workers: int
) -> None:
    prepare(corpus_of(folder), tmp_path / "store", SETTINGS, workers=workers)
    assert raw(tmp_path / "store") == raw(forged[0])


def test_another_seed_makes_other_forgeries_of_the_same_bases(
    folder: Path, forged: tuple[Path, Summary], tmp_path: Path
) -> None:
    prepare(corpus_of(folder), tmp_path / "store", SETTINGS.model_copy(update={"seed": 1}), workers=0)
    ours, other = clips_of(forged[0]), clips_of(tmp_path / "store")
    assert set(ours) == set(other)
    fakes = [at for at in ours if at[1] != "original"]
    assert all(ours[at].forgery != other[at].forgery for at in fakes)
    assert {at: record.samples for at, record in ours.items()} == {at: record.samples for at, record in other.items()}


def test_a_video_that_is_gone_takes_its_forgeries_with_it(
    folder: Path, forged: tuple[Path, Summary], tmp_path: Path
) -> None:
    corpus = corpus_of(folder)
    prepare(corpus, tmp_path / "store", SETTINGS, workers=0)
    changed = tmp_path / "corpus"
    for path in folder.rglob("*.*"):
        target = changed / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            target.write_bytes(path.read_bytes())
    (changed / "home/bert_1.mp4").write_text("no video any more")

    summary = prepare(corpus_of(changed), tmp_path / "store", SETTINGS, workers=0)

    assert list(summary.failures) == ["home/bert_1.mp4"]
    assert {path for path, _ in clips_of(tmp_path / "store")} == {
        "home/anna_1.mp4",
        "home/anna_2.mp4",
        "work/carl_1.mp4",
    }
    assert summary.without_donor == 3
    pictures = {key.split(b"/")[1] for key in raw(tmp_path / "store") if key.startswith((b"crop/", b"mask/"))}
    owners = {key.split(b"/")[1] for key in raw(tmp_path / "store") if key.startswith((b"record/", b"base/"))}
    assert pictures == owners


def test_large_crops_are_reduced_and_boxes_and_places_with_them(folder: Path, tmp_path: Path) -> None:
    small = SETTINGS.model_copy(update={"forged_px": 100})
    prepare(corpus_of(folder), tmp_path / "store", small, workers=0)
    fake = clips_of(tmp_path / "store")["home/anna_1.mp4", "swap"]
    with ClipStore.read(tmp_path / "store") as store:
        base = next(record for record in store.each_record(BASE_PREFIX) if record.path == "home/anna_1.mp4")
        (whole, box), (crop, small_box) = store.crop(base, 0), store.crop(fake, 0)
        # One factor for the clip: its largest crop decides.
        factor = round(box.w / small_box.w)
        assert factor > 1
        assert crop.shape[0] == -(-whole.shape[0] // factor) <= 100
        assert small_box.center == pytest.approx(tuple(place / factor for place in box.center))
        assert small_box.w == pytest.approx(box.w / factor)


def test_nothing_is_forged_where_there_is_no_face(talking_head: Callable[..., Path], tmp_path: Path) -> None:
    talking_head(tmp_path / "corpus/home/anna_1.mp4", frames=4, seed=1)
    talking_head(tmp_path / "corpus/home/wall_1.mp4", frames=4, seed=2, without=range(4))
    summary = prepare(corpus_of(tmp_path / "corpus"), tmp_path / "store", SETTINGS, workers=0)
    assert sorted(clips_of(tmp_path / "store")) == [
        ("home/anna_1.mp4", "original"),
        ("home/anna_1.mp4", "self_blend"),
        ("home/wall_1.mp4", "original"),
    ]
    assert (summary.without_face, summary.without_donor) == (1, 1)
