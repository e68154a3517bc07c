"""From videos to a store: what is kept, what is reused, what survives an interruption, and what is refused."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.decision import WINDOW
from core.depth import depth_file
from core.errors import InputError, WorkError
from core.prepare import FAILURES, PrepareSettings, prepare
from core.preprocess import DepthImage, Square, cut, square_around
from core.records import VideoRecord
from core.store import ClipStore
from core.video import encode_video, sampled_frames
from tests.core.corpora import corpus_of, only, raw, records

SETTINGS = PrepareSettings()
SIZE = (224, 256)
"""Height and width of the talking heads."""


@pytest.fixture(scope="module")
def folder(talking_head: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head with depth (but of frame 5), one without, one that is away for six frames, and a bare wall."""
    corpus = tmp_path_factory.mktemp("prepare") / "corpus"
    talking_head(corpus / "real/anna_1.mp4", frames=12, seed=1)
    talking_head(corpus / "real/bert_1.mp4", frames=24, seed=2)
    talking_head(corpus / "fake/anna_2.mp4", frames=12, seed=3, without=range(3, 9))
    talking_head(corpus / "fake/wall_1.mp4", frames=6, seed=4, without=range(6))
    write_depth(corpus / "real/anna_1.mp4", [index for index in range(12) if index != 5])
    return corpus


def depth_of(index: int, size: tuple[int, int] = SIZE) -> DepthImage:
    """uint16 [H, W] that tells its frame and, of each pixel, where it is; never 0."""
    return (1 + 100 * index + np.arange(size[0] * size[1])).reshape(size).astype(np.uint16)


def write_depth(video: Path, indices: list[int], size: tuple[int, int] = SIZE) -> None:
    depth_file(video, 0).parent.mkdir()
    for index in indices:
        assert cv2.imwrite(str(depth_file(video, index)), depth_of(index, size))


@pytest.fixture(scope="module")
def prepared(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `folder`, made in this process."""
    store = tmp_path_factory.mktemp("stores") / "whole"
    prepare(corpus_of(folder), store, SETTINGS, workers=0)
    return store


def faces(record: VideoRecord) -> list[bool]:
    return [sample.face is not None for sample in record.samples]


# What is stored


def test_a_record_says_what_the_corpus_and_the_video_say(prepared: Path) -> None:
    found = records(prepared)

    assert sorted(found) == ["fake/anna_2.mp4", "fake/wall_1.mp4", "real/anna_1.mp4", "real/bert_1.mp4"]
    anna = found["real/anna_1.mp4"]
    assert (anna.label, anna.identity, anna.method, anna.split) == ("real", "anna", "original", "train")
    assert [sample.time_ms for sample in anna.samples] == pytest.approx([100.0 * index for index in range(12)])
    assert faces(anna) == [True] * 12
    assert anna.windows == ((0, 12),)
    assert found["real/bert_1.mp4"].windows == ((0, 20), (4, 24))


def test_a_record_names_the_bytes_of_its_video(prepared: Path, folder: Path) -> None:
    for path, record in records(prepared).items():
        assert record.content_sha256 == hashlib.sha256((folder / path).read_bytes()).hexdigest()


def test_a_face_that_is_away_leaves_its_samples_invalid(prepared: Path) -> None:
    valid = faces(records(prepared)["fake/anna_2.mp4"])
    assert len(valid) == 12
    assert valid[:3] == [True] * 3
    assert not any(valid[4:9])
    assert valid[-1]


def test_a_video_without_a_face_is_kept_without_crops(prepared: Path) -> None:
    wall = records(prepared)["fake/wall_1.mp4"]
    assert faces(wall) == [False] * 6
    assert wall.depth_range is None
    assert not [key for key in raw(prepared) if key.startswith((b"crop/", b"depth/")) and wall.key.encode() in key]


@pytest.mark.parametrize("index", [0, 7, 11])
def test_crops_are_lossless_cuts_and_depth_outside_the_frame_is_the_farthest_inside(
    prepared: Path, folder: Path, index: int
) -> None:
    record = records(prepared)["real/anna_1.mp4"]
    frames = [frame.image for frame in sampled_frames(folder / record.path, SETTINGS.frame_rate)]

    with ClipStore.read(prepared) as store:
        (crop, box), depth = store.crop(record, index), store.depth(record, index)

    # The depth of the middle of the face tells where in the frame the crop was cut.
    column, row = (int(place) for place in box.center)
    frame_row, frame_column = divmod(int(depth[row, column]) - int(depth_of(index)[0, 0]), SIZE[1])
    square = Square(x0=frame_column - column, y0=frame_row - row, side=crop.shape[0])
    np.testing.assert_array_equal(crop, cut(frames[index], square, 0))
    farthest = int(cut(depth_of(index), square, 65535).min())
    np.testing.assert_array_equal(depth, cut(depth_of(index), square, farthest))
    assert square_around(box, SETTINGS.crop_margin) == Square(x0=0, y0=0, side=square.side)


def test_a_missing_depth_file_is_invalid_depth_and_no_failure(prepared: Path) -> None:
    found = records(prepared)
    assert [sample.depth_valid for sample in found["real/anna_1.mp4"].samples] == [n != 5 for n in range(12)]
    assert not any(sample.depth_valid for sample in found["real/bert_1.mp4"].samples)
    assert not (prepared / FAILURES).exists()


def test_depth_is_left_alone_where_it_is_not_asked_for(folder: Path, tmp_path: Path) -> None:
    corpus = only(folder, "real/anna_1.mp4")
    summary = prepare(corpus, tmp_path / "store", PrepareSettings(depth="none"), workers=0)
    assert summary.without_depth == 1
    assert not any(sample.depth_valid for sample in records(tmp_path / "store")["real/anna_1.mp4"].samples)


def test_a_long_video_keeps_evenly_spaced_windows_and_only_their_crops(folder: Path, tmp_path: Path) -> None:
    settings = PrepareSettings(frame_rate=10, hop=1, max_windows=2)
    prepare(only(folder, "real/bert_1.mp4"), tmp_path / "store", settings, workers=0)

    record = records(tmp_path / "store")["real/bert_1.mp4"]

    assert record.windows == ((0, WINDOW), (4, 24))
    assert len(record.samples) == 24


# Going on


def test_a_second_run_reuses_everything(folder: Path, prepared: Path) -> None:
    before, steps = raw(prepared), list[tuple[int, int]]()

    summary = prepare(
        corpus_of(folder), prepared, SETTINGS, workers=0, on_progress=lambda done, of: steps.append((done, of))
    )

    assert (summary.prepared, summary.reused, summary.failures) == (0, 4, {})
    assert (summary.without_face, summary.without_depth) == (1, 3)
    assert steps == []
    assert raw(prepared) == before
    assert summary.text(prepared) == (
        f"{prepared}: 0 prepared, 4 reused, 0 failed; 4 clips (2 original, 2 unknown), 1 without a face, "
        "3 without depth; identities from the file names"
    )


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(
    folder: Path, prepared: Path, tmp_path: Path
) -> None:
    def interrupt(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(corpus_of(folder), tmp_path / "store", SETTINGS, workers=0, on_progress=interrupt)
    half = raw(tmp_path / "store")
    with ClipStore.read(tmp_path / "store") as store, pytest.raises(InputError, match="was not finished"):
        _ = store.fingerprint
    steps: list[tuple[int, int]] = []
    summary = prepare(
        corpus_of(folder),
        tmp_path / "store",
        SETTINGS,
        workers=0,
        on_progress=lambda done, of: steps.append((done, of)),
    )

    assert sum(key.startswith(b"record/") for key in half) == 1
    assert (summary.prepared, summary.reused) == (3, 1)
    assert steps == [(2, 4), (3, 4), (4, 4)]
    assert raw(tmp_path / "store") == raw(prepared)


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_stores_the_same(folder: Path, prepared: Path, tmp_path: Path, workers: int) -> None:
    prepare(corpus_of(folder), tmp_path / "store", SETTINGS, workers=workers)
    assert raw(tmp_path / "store") == raw(prepared)


def test_only_a_changed_video_is_prepared_again_and_its_old_pictures_are_dropped(
    folder: Path, prepared: Path, tmp_path: Path, talking_head: Callable[..., Path]
) -> None:
    shutil.copytree(folder, tmp_path / "corpus")
    shutil.copytree(prepared, tmp_path / "store")
    old = records(prepared)["real/bert_1.mp4"]
    talking_head(tmp_path / "corpus/real/bert_1.mp4", frames=6, seed=5)

    summary = prepare(corpus_of(tmp_path / "corpus"), tmp_path / "store", SETTINGS, workers=0)

    assert (summary.prepared, summary.reused) == (1, 3)
    new = records(tmp_path / "store")["real/bert_1.mp4"]
    assert new.key != old.key
    assert len(new.samples) == 6
    assert not [key for key in raw(tmp_path / "store") if old.key.encode() in key]
    assert raw(tmp_path / "store")[b"complete"] != raw(prepared)[b"complete"]


def test_changed_depth_is_a_changed_video(folder: Path, prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "corpus")
    shutil.copytree(prepared, tmp_path / "store")
    depth_file(tmp_path / "corpus/real/anna_1.mp4", 7).unlink()

    summary = prepare(corpus_of(tmp_path / "corpus"), tmp_path / "store", SETTINGS, workers=0)

    assert (summary.prepared, summary.reused) == (1, 3)
    samples = records(tmp_path / "store")["real/anna_1.mp4"].samples
    assert [index for index, sample in enumerate(samples) if not sample.depth_valid] == [5, 7]


def test_other_settings_are_refused_by_name(folder: Path, prepared: Path) -> None:
    before = raw(prepared)
    with pytest.raises(InputError, match=r"begun with other settings \(hop, seed\); give another --store, or remove"):
        prepare(corpus_of(folder), prepared, PrepareSettings(hop=5, seed=1), workers=0)
    assert raw(prepared) == before


def test_the_store_of_another_corpus_is_refused(folder: Path, prepared: Path) -> None:
    before = raw(prepared)
    with pytest.raises(InputError, match=r"holds \w+/\w+.mp4, which is not in .*; give another --store"):
        prepare(only(folder, "real/anna_1.mp4"), prepared, SETTINGS, workers=0)
    assert raw(prepared) == before


# Failing


def faulty_corpus(folder: Path, target: Path) -> Path:
    """One good video and four that cannot be prepared, each in its own way."""
    for label in ("real", "fake"):
        (target / label).mkdir(parents=True)
    shutil.copy(folder / "real/bert_1.mp4", target / "real/good_1.mp4")
    (target / "real/text_1.mp4").write_text("not a video")
    (target / "fake/nothing_1.mp4").write_bytes(b"")
    shutil.copy(folder / "real/anna_1.mp4", target / "real/small_1.mp4")
    write_depth(target / "real/small_1.mp4", [0], size=(112, 128))
    shutil.copy(folder / "real/anna_1.mp4", target / "real/bytes_1.mp4")
    write_depth(target / "real/bytes_1.mp4", [])
    assert cv2.imwrite(str(depth_file(target / "real/bytes_1.mp4", 0)), np.zeros(SIZE, np.uint8))
    return target


def test_a_video_that_fails_is_listed_with_its_reason_and_the_rest_goes_on(folder: Path, tmp_path: Path) -> None:
    corpus = corpus_of(faulty_corpus(folder, tmp_path / "corpus"))

    summary = prepare(corpus, tmp_path / "store", SETTINGS, workers=0)

    assert (summary.prepared, summary.reused) == (1, 0)
    assert sorted(records(tmp_path / "store")) == ["real/good_1.mp4"]
    reasons = json.loads((tmp_path / "store" / FAILURES).read_text())
    assert reasons == summary.failures
    assert {path: bool(reason) for path, reason in reasons.items()} == dict.fromkeys(
        ("fake/nothing_1.mp4", "real/bytes_1.mp4", "real/small_1.mp4", "real/text_1.mp4"), True
    )
    assert "text_1.mp4: not a readable video" in reasons["real/text_1.mp4"]
    assert "nothing_1.mp4: not a readable video" in reasons["fake/nothing_1.mp4"]
    assert "its depth is 128x112, its frames 256x224; write depth at the frames' size" in reasons["real/small_1.mp4"]
    assert "000000.png: not a 16-bit grey PNG" in reasons["real/bytes_1.mp4"]
    assert [line for line in summary.text(tmp_path).splitlines() if line.startswith("failed: ")] == [
        f"failed: {reason}" for reason in summary.failures.values()
    ]


def test_a_mended_video_is_prepared_by_the_next_run_and_its_failure_forgotten(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "real", tmp_path / "corpus/real")
    (tmp_path / "corpus/real/bert_1.mp4").write_text("not a video")
    prepare(corpus_of(tmp_path / "corpus"), tmp_path / "store", SETTINGS, workers=0)
    shutil.copy(folder / "real/bert_1.mp4", tmp_path / "corpus/real/bert_1.mp4")

    summary = prepare(corpus_of(tmp_path / "corpus"), tmp_path / "store", SETTINGS, workers=0)

    assert (summary.prepared, summary.reused, summary.failures) == (1, 1, {})
    assert not (tmp_path / "store" / FAILURES).exists()


def test_a_video_without_a_frame_fails_by_name(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "real", tmp_path / "corpus/real")
    video = tmp_path / "corpus/real/cut_1.mp4"
    encode_video(video, [np.zeros((64, 64, 3), np.uint8)], fps=10)
    # The index is kept, the pictures are not.
    data = video.read_bytes()
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    video.write_bytes(data[:start] + bytes(end - start) + data[end:])

    corpus = only(tmp_path / "corpus", "real/cut_1.mp4", "real/anna_1.mp4")
    summary = prepare(corpus, tmp_path / "store", SETTINGS, workers=0)

    assert list(summary.failures) == ["real/cut_1.mp4"]
    assert "cut_1.mp4: no frame in it could be decoded" in summary.failures["real/cut_1.mp4"]


def test_where_no_video_can_be_prepared_the_work_fails(tmp_path: Path) -> None:
    (tmp_path / "corpus/real").mkdir(parents=True)
    (tmp_path / "corpus/real/text_1.mp4").write_text("not a video")
    with pytest.raises(WorkError, match=r"none of its 1 videos could be prepared; see .*failures.json"):
        prepare(corpus_of(tmp_path / "corpus"), tmp_path / "store", SETTINGS, workers=0)
    with ClipStore.read(tmp_path / "store") as store, pytest.raises(InputError, match="was not finished"):
        _ = store.fingerprint
