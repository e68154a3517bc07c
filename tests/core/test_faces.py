"""Following a face: what dlib sees on every frame, at a fraction of the cost, through gaps and cuts."""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import pytest
from skimage.data import astronaut

from core.faces import Detection, FaceDetector, FaceSettings, FaceTracker
from core.preprocess import Box, Image
from core.video import sampled_frames


@pytest.fixture(scope="module")
def portrait() -> Image:
    """uint8 [200, 200, 3]: the head of an astronaut, her face about 100 px wide."""
    return np.ascontiguousarray(astronaut()[10:210, 130:330])  # type: ignore[no-untyped-call]


@cache
def reference_detector() -> Any:
    return dlib.get_frontal_face_detector()


def widest_face(image: Image) -> Box | None:
    """What dlib finds on the whole image at full scale: the reference."""
    faces = reference_detector()(image, 0)
    widest = max(faces, key=lambda face: face.width(), default=None)
    if widest is None:
        return None
    return Box(x=widest.left(), y=widest.top(), w=widest.width(), h=widest.height())


def scene(*heads: tuple[Image, int, int, float], size: tuple[int, int] = (400, 640)) -> Image:
    """A plain wall with heads on it: each is an image, where its left and top come to lie, and its scale."""
    canvas = np.full((*size, 3), 120, np.uint8)
    for head, left, top, scale in heads:
        pixels = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x0, y0 = max(left, 0), max(top, 0)
        shown = pixels[y0 - top : size[0] - top, x0 - left : max(size[1] - left, 0)]
        canvas[y0 : y0 + shown.shape[0], x0 : x0 + shown.shape[1]] = shown
    return canvas


def boxes_of(images: Iterator[Image] | list[Image], settings: FaceSettings | None = None) -> list[Box | None]:
    tracker = FaceTracker(settings)
    return [tracker.update(image) for image in images]


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
    box, expected = FaceTracker().update(image), widest_face(image)
    assert searches == [(960, 540)]
    assert box is not None
    assert expected is not None
    assert box.iou(expected) >= 0.5


def test_a_cut_to_a_scene_without_a_face_gives_none(clips: Path) -> None:
    frames = list(sampled_frames(clips / "other/leaves.mov", 10))
    # The film cuts to a cartoon after 72 frames.
    boxes = boxes_of([frame.image for frame in frames])
    assert [box is not None for box in boxes] == [frame.index < 72 for frame in frames]


def test_a_cut_to_another_face_ends_the_track(clips: Path) -> None:
    names = ("grid/lwbsza.mpg", "grid/lrwp9a.mpg")
    first, second = ([frame.image for frame in islice(sampled_frames(clips / name, 10), 8)] for name in names)
    tracker = FaceTracker()
    for image in first:
        tracker.update(image)
    assert tracker.track == 1
    box = tracker.update(second[0])
    assert tracker.track == 2
    # Nothing of the face before the cut is left in the box: it is dlib's own.
    assert box == widest_face(second[0])


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


def test_a_much_larger_face_that_appears_is_followed_instead(portrait: Image) -> None:
    alone = scene((portrait, 10, 10, 0.9))
    joined = scene((portrait, 10, 10, 0.9), (portrait, 270, 30, 1.8))
    settings = FaceSettings(cut=255)
    boxes = boxes_of([alone] * 4 + [joined] * (settings.search_interval + settings.key_interval), settings)
    assert boxes[3] is not None
    assert boxes[3].center[0] < 200
    assert boxes[-1] is not None
    assert boxes[-1].center[0] > 300


def test_a_face_that_dlib_misses_is_bridged_for_as_long_as_the_gap_limit(
    portrait: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = FaceTracker(FaceSettings(key_interval=1, gap_limit=3))
    image = scene((portrait, 220, 100, 1.0))
    known = tracker.update(image)
    monkeypatch.setattr(FaceDetector, "detect", lambda *_, **__: [])
    boxes = [tracker.update(image) for _ in range(5)]
    assert known is not None
    assert [box is not None and box.iou(known) > 0.95 for box in boxes] == [True, True, True, False, False]
    assert boxes[3:] == [None, None]


def test_a_face_that_vanishes_between_key_frames_is_noticed_at_once(portrait: Image) -> None:
    texture = np.random.default_rng(0).integers(90, 150, (400, 640, 3), dtype=np.uint8)
    tracker = FaceTracker(FaceSettings(key_interval=100, cut=255))
    assert tracker.update(scene((portrait, 220, 100, 1.0))) is not None
    assert tracker.update(texture) is None


def test_a_video_without_a_face_gives_none_and_is_searched_less_and_less(
    searches: list[tuple[int, int]],
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 32, 3), dtype=np.uint8)
    image = cv2.resize(noise, (1200, 750)).astype(np.uint8)
    when, tracker = [], FaceTracker(FaceSettings(search_wait=4))
    for index in range(16):
        before = len(searches)
        assert tracker.update(image) is None
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


def test_a_detection_in_a_part_has_the_whole_image_s_coordinates(portrait: Image) -> None:
    image = scene((portrait, 400, 150, 1.0))
    expected = widest_face(image)
    assert expected is not None
    detector = FaceDetector()
    for part, scale in ((None, 1.0), (Box(x=380, y=130, w=400, h=400), 1.0), (None, 0.85)):
        found = detector.detect(image, part=part, scale=scale, score=0.0)
        assert len(found) == 1
        assert found[0].box.iou(expected) > 0.75
    assert detector.detect(image, part=Box(x=-300, y=0, w=200, h=200), scale=1.0, score=0.0) == []


def test_settings_survive_being_written_down() -> None:
    settings = FaceSettings(key_interval=5, smallest_px=120)
    assert FaceSettings.model_validate_json(settings.model_dump_json()) == settings
    with pytest.raises(ValueError, match="smallest_px"):
        FaceSettings(smallest_px=20)
