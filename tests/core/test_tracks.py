"""Following faces: what dlib sees on every frame, at a fraction of the cost, through gaps and cuts."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.faces import Detection, FaceDetector, FaceSettings
from core.preprocess import Box, Image
from core.tracks import Faces, FaceTracker, by_size, largest, tracked
from core.video import Frame, sampled_frames
from tests.core.heads import scene, widest_face


def frames_of(images: Iterable[Image]) -> list[Frame]:
    """Ten frames a second."""
    return [Frame(index=index, time_ms=100.0 * index, image=image) for index, image in enumerate(images)]


def faces_of(images: Iterable[Image], settings: FaceSettings | None = None) -> list[Faces]:
    return [faces for _, faces in tracked(frames_of(images), settings)]


def boxes_of(images: Iterable[Image], settings: FaceSettings | None = None) -> list[Box | None]:
    """Of the face that is judged."""
    seen = faces_of(images, settings)
    return [None if track is None else faces[track] for faces, track in zip(seen, largest(seen), strict=True)]


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Height and width, as dlib sees them, of every whole frame that was searched."""
    seen: list[tuple[int, int]] = []
    detect = FaceDetector.detect

    def counted(
        detector: FaceDetector, image: Image, *, part: Box | None, scale: float, score: float
    ) -> list[Detection]:
        if part is None:
            seen.append((round(image.shape[0] * scale), round(image.shape[1] * scale)))
        return detect(detector, image, part=part, scale=scale, score=score)

    monkeypatch.setattr(FaceDetector, "detect", counted)
    return seen


@pytest.mark.parametrize(
    "name",
    [
        "asl/again.mkv",
        "asl/no.mkv",
        "asl/hungry.mkv",
        "grid/lwbsza.mpg",
        "grid/lbax4n.mpg",
        "grid/bbaf2n.mpg",
        "other/selfie.mp4",
        "other/webcam2.mp4",
        "other/grey.mp4",
    ],
)
def test_the_followed_face_is_the_one_dlib_finds_on_every_full_frame(name: str, clips: Path) -> None:
    images = [frame.image for frame in islice(sampled_frames(clips / name, 10), 30)]
    expected = [widest_face(image) for image in images]
    pairs = zip(boxes_of(images), expected, strict=True)
    matched = [box is not None and box.iou(face) >= 0.5 for box, face in pairs if face is not None]
    assert len(matched) >= 10
    assert np.mean(matched) >= 0.95


def test_a_large_frame_is_searched_reduced_and_the_face_is_the_same(
    clips: Path, searches: list[tuple[int, int]]
) -> None:
    image = next(sampled_frames(clips / "other/studio1.mp4", 10)).image
    seen, expected = FaceTracker().update(image), widest_face(image)
    assert searches == [(960, 540)]
    assert expected is not None
    assert [box.iou(expected) >= 0.5 for box in seen.values()] == [True]


def test_a_cut_to_a_scene_without_a_face_gives_none(clips: Path) -> None:
    frames = list(sampled_frames(clips / "other/leaves.mov", 10))
    # The film cuts to a cartoon after 72 frames.
    boxes = boxes_of([frame.image for frame in frames])
    assert [box is not None for box in boxes] == [frame.index < 72 for frame in frames]


def test_a_cut_to_another_face_ends_the_track(clips: Path) -> None:
    names = ("grid/lwbsza.mpg", "grid/lrwp9a.mpg")
    first, second = ([frame.image for frame in islice(sampled_frames(clips / name, 10), 8)] for name in names)
    tracker = FaceTracker()
    before = [set(tracker.update(image)) for image in first]
    after = tracker.update(second[0])
    assert before == [{0}] * len(first)
    # Nothing of the face before the cut is left in the box: it is dlib's own.
    assert after == {1: widest_face(second[0])}


def test_a_face_that_leaves_gives_none_and_one_that_returns_is_found_again(portrait: Image) -> None:
    out = [220 - 60 * i for i in range(8)]
    away = [-400] * 6
    back = out[::-1]
    rest = [220] * 6
    lefts = [220] * 4 + out + away + back + rest
    boxes = boxes_of([scene((portrait, left, 100, 1.0)) for left in lefts])
    assert all(box is not None for box in boxes[:5])
    assert boxes[12:18] == [None] * 6
    assert all(box is not None for box in boxes[-3:])
    last, expected = boxes[-1], widest_face(scene((portrait, 220, 100, 1.0)))
    assert last is not None
    assert expected is not None
    assert last.iou(expected) >= 0.7


def test_the_larger_of_two_faces_is_followed_and_not_swapped(portrait: Image) -> None:
    # The followed one goes away from the camera until it is the smaller one, but for less than `takeover`.
    scales = [1.1] * 3 + [1.1 - 0.02 * i for i in range(11)] + [0.9] * 15
    images = [scene((portrait, 20, 60, 1.0), (portrait, 340, 60, scale)) for scale in scales]
    boxes = boxes_of(images)
    centers = [box.center[0] for box in boxes if box is not None]
    assert len(centers) == len(images)
    assert min(centers) > 360


def test_a_much_larger_face_that_appears_is_judged_instead(portrait: Image) -> None:
    alone = scene((portrait, 10, 10, 0.9))
    joined = scene((portrait, 10, 10, 0.9), (portrait, 270, 30, 1.8))
    settings = FaceSettings(cut=255)
    boxes = boxes_of([alone] * 4 + [joined] * (settings.search_patience + settings.key_interval), settings)
    # Beside the large face the small one is somebody else, also before.
    assert boxes[:4] == [None] * 4
    assert boxes[-1] is not None
    assert boxes[-1].center[0] > 300


def test_a_face_alone_is_searched_around_less_often_until_somebody_joins(
    portrait: Image, searches: list[tuple[int, int]]
) -> None:
    alone = scene((portrait, 10, 100, 0.9))
    joined = scene((portrait, 10, 100, 0.9), (portrait, 270, 30, 1.8))
    tracker = FaceTracker(FaceSettings(search_interval=2, search_patience=6, cut=255))
    when, seen = [], []
    for index, image in enumerate([alone] * 20 + [joined] * 12):
        before = len(searches)
        seen.append(len(tracker.update(image)))
        if len(searches) > before:
            when.append(index)
    # After 2, 4 and then every 6 frames; the newcomer is met at 24, and the next look comes after 2 again.
    assert when == [0, 2, 6, 12, 18, 24, 26, 30]
    assert seen == [1] * 24 + [2] * 8


@pytest.mark.parametrize(("missed", "filled"), [(1, True), (3, True), (4, False), (6, False)])
def test_a_gap_between_two_detections_is_interpolated_up_to_the_limit(
    portrait: Image, monkeypatch: pytest.MonkeyPatch, missed: int, filled: bool
) -> None:
    # The head moves on evenly while dlib sees nothing.
    images = [scene((portrait, 200 + 4 * index, 100, 1.0)) for index in range(14)]
    gap = range(4, 4 + missed)
    detect = FaceDetector.detect

    def blind(detector: FaceDetector, image: Image, **options: Any) -> list[Detection]:
        index = next(index for index, other in enumerate(images) if other is image)
        return [] if index in gap else detect(detector, image, **options)

    monkeypatch.setattr(FaceDetector, "detect", blind)
    settings = FaceSettings(key_interval=1, gap_limit=3, position_gain=1.0, size_gain=1.0)
    boxes = boxes_of(images, settings)
    assert [box is not None for box in boxes] == [filled or index not in gap for index in range(14)]
    if filled:
        centers = [box.center[0] for box in boxes if box is not None]
        steps = np.diff(centers[3 : 5 + missed])
        assert steps == pytest.approx(np.full(missed + 1, steps.mean()))
        assert steps.mean() > 0


def test_a_face_lost_at_the_end_has_no_box_there(portrait: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = FaceTracker(FaceSettings(key_interval=1))
    image = scene((portrait, 220, 100, 1.0))
    assert len(tracker.update(image)) == 1
    monkeypatch.setattr(FaceDetector, "detect", lambda *_, **__: [])
    assert [tracker.update(image) for _ in range(3)] == [{}] * 3


def test_a_face_that_vanishes_between_key_frames_is_noticed_at_once(portrait: Image) -> None:
    texture = np.random.default_rng(0).integers(90, 150, (400, 640, 3), dtype=np.uint8)
    tracker = FaceTracker(FaceSettings(key_interval=100, cut=255))
    assert len(tracker.update(scene((portrait, 220, 100, 1.0)))) == 1
    assert tracker.update(texture) == {}


def test_a_video_without_a_face_gives_none_and_is_searched_less_and_less(
    searches: list[tuple[int, int]],
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 32, 3), dtype=np.uint8)
    image = cv2.resize(noise, (1200, 750)).astype(np.uint8)
    when, tracker = [], FaceTracker(FaceSettings(search_wait=4))
    for index in range(16):
        before = len(searches)
        assert tracker.update(image) == {}
        if len(searches) > before:
            when.append(index)
            assert searches[before:] == [(375, 600), (750, 1200)]
    assert when == [0, 1, 3, 7, 11, 15]


def test_a_shaking_detection_gives_a_calmer_box(portrait: Image) -> None:
    rng = np.random.default_rng(1)
    offsets = rng.integers(-5, 6, (24, 2))
    images = [scene((portrait, 220 + int(x), 100 + int(y), 1.0)) for x, y in offsets]
    raw = [box for box in map(widest_face, images) if box is not None]
    calm = [box for box in boxes_of(images) if box is not None]
    assert len(raw) == len(calm) == 24
    assert np.std(np.diff([box.center for box in calm], axis=0)) < 0.8 * np.std(
        np.diff([box.center for box in raw], axis=0)
    )


def test_the_same_frames_give_the_same_boxes(portrait: Image) -> None:
    images = [scene((portrait, 200 + 6 * i, 100 + (i * i) % 17, 1.0)) for i in range(12)]
    assert boxes_of(images) == boxes_of(images)


def test_every_frame_comes_out_once_and_in_order(portrait: Image) -> None:
    frames = frames_of([scene((portrait, 200, 100, 1.0))] * 9)
    assert [frame for frame, _ in tracked(frames)] == frames
    assert list(tracked([])) == []


def test_of_two_faces_on_one_picture_each_keeps_its_track(portrait: Image) -> None:
    images = [scene((portrait, 10 + 3 * i, 60, 1.1), (portrait, 400 - 3 * i, 60, 1.0)) for i in range(12)]
    seen = faces_of(images, FaceSettings(all_faces=True))
    assert [set(faces) for faces in seen] == [{0, 1}] * 12
    assert all(faces[0].center[0] < 320 < faces[1].center[0] for faces in seen)
    assert by_size(seen) == [0, 1]


def test_a_face_half_out_of_the_frame_is_followed_for_as_long_as_dlib_sees_it(portrait: Image) -> None:
    images = [scene((portrait, left, 100, 1.6)) for left in range(60, -200, -16)]
    expected = [widest_face(image) for image in images]
    boxes = boxes_of(images)
    assert any(face is not None and face.x < 0 for face in expected)
    assert expected[-1] is None
    for box, face in zip(boxes, expected, strict=True):
        assert face is None or (box is not None and box.iou(face) >= 0.5)
    assert boxes[-1] is None


boxes_strategy = st.builds(Box, x=st.floats(0, 100), y=st.floats(0, 100), w=st.floats(1, 50), h=st.floats(1, 50))


@given(st.lists(st.dictionaries(st.integers(0, 4), boxes_strategy, max_size=4), max_size=12))
def test_judged_are_the_largest_track_and_those_that_never_show_beside_it(seen: list[Faces]) -> None:
    order, judged = by_size(seen), largest(seen)
    totals = {track: sum(f[track].w * f[track].h for f in seen if track in f) for track in order}
    chosen = {track for track in judged if track is not None}
    assert [totals[track] for track in order] == sorted(totals.values(), reverse=True)
    assert all(track is None or track in faces for faces, track in zip(seen, judged, strict=True))
    assert all(len(chosen & set(faces)) <= 1 for faces in seen)
    if order:
        assert all(track == order[0] for faces, track in zip(seen, judged, strict=True) if order[0] in faces)
    for left_out in set(order) - chosen:
        rivals = [track for track in chosen if order.index(track) < order.index(left_out)]
        assert any(left_out in faces and rival in faces for faces in seen for rival in rivals)


def test_a_face_that_comes_back_is_judged_again_and_a_bystander_never() -> None:
    box = Box(x=0, y=0, w=100, h=100)
    small = Box(x=300, y=0, w=50, h=50)
    seen: list[Faces] = [{0: box, 1: small}, {0: box}, {1: small}, {1: small}, {2: box}, {}]
    assert largest(seen) == [0, 0, None, None, 2, None]
