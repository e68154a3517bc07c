"""One video to its crops: depth from a model, another encoder first, several faces, and long videos."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.depth_model import DepthModel, aligned
from core.errors import InputError
from core.faces import FaceSettings
from core.prepare import PrepareSettings, Recompression, prepare
from core.preprocess import Box, Image
from core.store import ClipStore, VideoRecord
from core.video import encode_video
from tests.core.corpora import corpus_of, raw, records
from tests.core.heads import scene, widest_face


@pytest.fixture
def folder(talking_head: Callable[..., Path], tmp_path: Path) -> Path:
    """One real video of eight frames."""
    talking_head(tmp_path / "corpus/real/anna_1.mp4", frames=8, seed=1)
    return tmp_path / "corpus"


def prepared(folder: Path, settings: PrepareSettings) -> Path:
    """The store of `folder`, beside it."""
    store = folder.parent / "store"
    prepare(corpus_of(folder), store, settings, workers=0)
    return store


def the_record(store: Path) -> VideoRecord:
    (record,) = records(store).values()
    return record


# Depth


def assert_depth_is_what_the_model_sees(store_folder: Path, record: VideoRecord, weights: Path) -> None:
    """All crops of `record` in one clip, at one scale and shift."""
    with ClipStore.read(store_folder) as store:
        crops = [store.crop(record, index)[0] for index in range(8)]
        depths = [store.depth(record, index) for index in range(8)]
    maps = aligned(list(DepthModel(weights, input_px=56).maps(crops)))
    low, high = min(depth.min() for depth in maps), max(depth.max() for depth in maps)
    assert [sample.depth_valid for sample in record.samples] == [True] * 8
    for index, depth in enumerate(depths):
        side = depth.shape[0]
        expected = cv2.resize(maps[index], (side, side), interpolation=cv2.INTER_LINEAR)
        found = (depth.astype(float) - 1) / 65534 * (high - low) + low
        # Rows below the frame are filled.
        shown = slice(0, 224 - round(record.samples[index].origin[1]))
        np.testing.assert_allclose(found[shown], expected[shown], rtol=0, atol=1e-4 * (high - low))


def test_depth_from_a_model_is_what_it_sees_in_the_crops_at_one_scale(folder: Path, depth_weights: Path) -> None:
    store = prepared(folder, PrepareSettings(depth=str(depth_weights), depth_px=56))
    assert_depth_is_what_the_model_sees(store, the_record(store), depth_weights)


def test_depth_outside_the_frame_is_the_farthest_inside(portrait: Image, tmp_path: Path, depth_weights: Path) -> None:
    (tmp_path / "corpus/real").mkdir(parents=True)
    encode_video(tmp_path / "corpus/real/edge_1.mp4", [scene((portrait, -25, 100, 1.2))] * 3, fps=10)
    store_folder = prepared(tmp_path / "corpus", PrepareSettings(depth=str(depth_weights), depth_px=56))
    record = the_record(store_folder)
    with ClipStore.read(store_folder) as store:
        depth = store.depth(record, 0)
    out = round(-record.samples[0].origin[0])
    assert out > 0
    assert set(depth[:, :out].ravel().tolist()) == {int(depth[:, out:].min())}


def test_workers_and_a_moved_model_change_nothing_and_other_weights_are_other_settings(
    folder: Path, depth_weights: Path, tmp_path: Path
) -> None:
    settings = PrepareSettings(depth=str(depth_weights), depth_px=56)
    store = prepared(folder, settings)
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in depth_weights.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())

    prepare(corpus_of(folder), tmp_path / "other", settings.model_copy(update={"depth": str(moved)}), workers=1)

    assert raw(tmp_path / "other") == raw(store)
    (moved / "config.json").write_text((moved / "config.json").read_text() + "\n")
    with pytest.raises(InputError, match=r"begun with other settings \(depth\)"):
        prepare(corpus_of(folder), tmp_path / "other", settings.model_copy(update={"depth": str(moved)}), workers=0)


def test_forged_clips_have_the_depth_of_what_they_show(folder: Path, depth_weights: Path) -> None:
    store_folder = prepared(folder, PrepareSettings(depth=str(depth_weights), depth_px=56, forgeries=("self_blend",)))
    with ClipStore.read(store_folder) as store:
        clips = store.records()
    assert [record.method for record in clips] == ["original", "self_blend"]
    for record in clips:
        assert_depth_is_what_the_model_sees(store_folder, record, depth_weights)


# Recompression


def test_a_worse_encoder_first_changes_the_pixels_and_is_recorded(folder: Path, tmp_path: Path) -> None:
    prepare(corpus_of(folder), tmp_path / "plain", PrepareSettings(), workers=0)
    settings = PrepareSettings(recompress=Recompression(codec="libx264", quality=45))
    prepare(corpus_of(folder), tmp_path / "worse", settings, workers=0)

    plain, worse = the_record(tmp_path / "plain"), the_record(tmp_path / "worse")

    assert (plain.compression, worse.compression) == ("", "libx264-45")
    assert [(s.index, s.time_ms) for s in plain.samples] == [(s.index, s.time_ms) for s in worse.samples]
    with ClipStore.read(tmp_path / "plain") as store:
        before, _ = store.crop(plain, 4)
    with ClipStore.read(tmp_path / "worse") as store:
        after, _ = store.crop(worse, 4)
    side = min(len(before), len(after))
    assert np.abs(before[:side, :side].astype(int) - after[:side, :side]).mean() > 1.5


def test_recompression_sees_every_frame_and_keeps_those_that_the_rate_asks_for(folder: Path) -> None:
    store = prepared(folder, PrepareSettings(frame_rate=5, recompress=Recompression(quality=20)))
    assert [sample.index for sample in the_record(store).samples] == [0, 2, 4, 6]


# Faces


def two_people(portrait: Image, path: Path) -> None:
    """A small face on the left throughout, a large one on the right from the second second on."""
    images = [
        scene((portrait, 10 + i % 3, 150, 0.9), *([(portrait, 300, 30 + i % 4, 1.6)] if i >= 10 else []))
        for i in range(40)
    ]
    path.parent.mkdir(parents=True)
    encode_video(path, images, fps=10)


def test_of_several_faces_the_largest_track_is_stored_wherever_it_shows(portrait: Image, tmp_path: Path) -> None:
    two_people(portrait, tmp_path / "corpus/real/two_1.mp4")
    record = the_record(prepared(tmp_path / "corpus", PrepareSettings(faces=FaceSettings(cut=255))))
    centers = [
        None if sample.face is None else record.box(place).center[0] for place, sample in enumerate(record.samples)
    ]
    assert all(center is not None for center in centers)
    late = [center for center in centers[24:] if center is not None]
    assert min(late) > 300


def test_a_face_at_the_edge_is_stored_with_padding_where_its_square_leaves_the_frame(
    portrait: Image, tmp_path: Path
) -> None:
    image = scene((portrait, -25, 100, 1.2))
    face = widest_face(image)
    assert face is not None
    (tmp_path / "corpus/real").mkdir(parents=True)
    encode_video(tmp_path / "corpus/real/edge_1.mp4", [image] * 6, fps=10, crf=1)
    store_folder = prepared(tmp_path / "corpus", PrepareSettings(padding=7))
    record = the_record(store_folder)
    with ClipStore.read(store_folder) as store:
        crop, box = store.crop(record, 3)
    x, _ = record.samples[3].origin
    assert x < 0
    assert (crop[:, : round(-x)] == 7).all()
    assert Box(x=box.x + x, y=box.y + record.samples[3].origin[1], w=box.w, h=box.h).iou(face) > 0.5


def test_a_poster_shows_the_whole_frame_with_the_face_in_it(folder: Path) -> None:
    store_folder = prepared(folder, PrepareSettings())
    record = the_record(store_folder)
    assert record.frame_size == (256, 224)
    with ClipStore.read(store_folder) as store:
        poster = store.poster(record, 0)
        assert store.poster(record, 1) is None
    assert poster is not None
    assert poster.shape == (224, 256, 3)


def test_a_long_video_keeps_few_windows_far_apart(talking_head: Callable[..., Path], tmp_path: Path) -> None:
    talking_head(tmp_path / "corpus/real/long_1.mp4", frames=160, seed=2)
    settings = PrepareSettings(hop=5, max_windows=2)
    store_folder = prepared(tmp_path / "corpus", settings)
    record = the_record(store_folder)
    assert len(record.samples) == 160
    assert len(record.windows) == 2
    assert record.windows[0][0] == 0
    assert record.windows[1][0] >= 100
    held = {index for start, end in record.windows for index in range(start, end)}
    assert {index for index, sample in enumerate(record.samples) if sample.kept} <= held
    assert all(sample.face is not None for sample in record.samples)
    crops = [key for key in raw(store_folder) if key.startswith(b"crop/")]
    assert len(crops) == sum(sample.kept for sample in record.samples)
