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
from core.records import VideoRecord
from core.store import ClipStore
from core.video import encode_video, sampled_frames
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
        # Around the frame depth is filled.
        x, y = (round(place) for place in record.samples[index].origin)
        shown = np.s_[max(0, -y) : 224 - y, max(0, -x) : 256 - x]
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
    x, y = (round(place) for place in record.samples[0].origin)
    assert x < 0
    inside = depth[max(0, -y) : 400 - y, -x : 640 - x]
    assert set(depth[:, :-x].ravel().tolist()) == {int(inside.min())}


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


def two_people(portrait: Image, path: Path) -> None:
    """A small face on the left throughout, a large one on the right from the second second on."""
    images = [
        scene((portrait, 10 + i % 3, 150, 0.9), *([(portrait, 300, 30 + i % 4, 1.6)] if i >= 10 else []))
        for i in range(40)
    ]
    path.parent.mkdir(parents=True)
    encode_video(path, images, fps=10)


def test_of_several_faces_the_largest_is_stored_and_nobody_takes_its_place(portrait: Image, tmp_path: Path) -> None:
    two_people(portrait, tmp_path / "corpus/real/two_1.mp4")
    record = the_record(prepared(tmp_path / "corpus", PrepareSettings(faces=FaceSettings(cut=255))))
    centers = [None if s.face is None else record.box(place).center[0] for place, s in enumerate(record.samples)]
    # The small one shows beside the large one, so it is somebody else, also while it is alone.
    assert centers[:10] == [None] * 10
    late = centers[24:]
    assert all(center is not None and center > 300 for center in late)


def test_frames_of_another_size_are_refused_by_name(talking_head: Callable[..., Path], tmp_path: Path) -> None:
    def sized(side: int) -> list[Image]:
        return [np.full((side, side, 3), 90, np.uint8)] * 3

    (tmp_path / "corpus/real").mkdir(parents=True)
    # A bare stream of pictures may change its size.
    with (tmp_path / "corpus/real/sizes_1.mp4").open("wb") as file:
        for side in (64, 96):
            for image in sized(side):
                file.write(cv2.imencode(".jpg", image)[1].tobytes())
    talking_head(tmp_path / "corpus/real/good_1.mp4", frames=4)
    summary = prepare(corpus_of(tmp_path / "corpus"), tmp_path / "store", PrepareSettings(), workers=0)
    assert list(summary.failures) == ["real/sizes_1.mp4"]
    assert "is 96x96, those before it are 64x64; cut the video where its size changes" in str(summary.failures)


def test_four_k_is_prepared_whole(portrait: Image, tmp_path: Path) -> None:
    image = scene((portrait, 1400, 500, 4.0), size=(2160, 3840))
    (tmp_path / "corpus/real").mkdir(parents=True)
    encode_video(tmp_path / "corpus/real/large_1.mp4", [image] * 4, fps=10, preset="ultrafast")
    face = widest_face(np.ascontiguousarray(image[::4, ::4]))
    assert face is not None

    store_folder = prepared(tmp_path / "corpus", PrepareSettings())

    record = the_record(store_folder)
    assert record.frame_size == (3840, 2160)
    assert record.box(2).iou(face.scaled(4)) > 0.5
    with ClipStore.read(store_folder) as store:
        crop, box = store.crop(record, 2)
        x, y = record.samples[2].origin
        poster = store.poster(record, 0)
    assert crop.shape[0] == round(2.6 * max(box.w, box.h))
    # Lossless and at full size: the frame's own pixels.
    frame = next(sampled_frames(tmp_path / "corpus/real/large_1.mp4", 10)).image
    top, left = round(-y) if y < 0 else 0, round(-x) if x < 0 else 0
    cut = frame[max(0, round(y)) :, max(0, round(x)) :][:400, :400]
    assert np.abs(crop[top : top + 400, left : left + 400].astype(int) - cut).mean() < 3
    assert poster is not None
    assert max(poster.shape) == 320


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
