"""Faces in one image: what dlib sees at full scale, at a fraction of the cost."""

import pytest

from core.faces import FaceDetector, FaceSettings
from core.preprocess import Box, Image
from tests.core.heads import scene, widest_face


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


def test_a_search_ends_at_the_first_scale_that_shows_a_face(portrait: Image) -> None:
    image = scene((portrait, 40, 40, 3.0), (portrait, 900, 300, 0.9), size=(700, 1200))
    detector = FaceDetector()
    found = detector.search(image, smallest_px=73, score=0.0, all_faces=False)
    every = detector.search(image, smallest_px=73, score=0.0, all_faces=True)
    assert [detection.box.center[0] < 640 for detection in found] == [True]
    assert [detection.box.center[0] < 640 for detection in every] == [True, False]
    assert every[0].box.w > every[1].box.w


def test_a_known_face_is_found_near_its_place_and_nowhere_else(portrait: Image) -> None:
    image, settings = scene((portrait, 220, 100, 1.0)), FaceSettings()
    expected = widest_face(image)
    assert expected is not None
    detector = FaceDetector()
    near = detector.near(image, expected.shifted(12, -8), settings, score=0.0)
    assert near is not None
    assert near.iou(expected) > 0.7
    assert detector.near(image, expected.shifted(250, 0), settings, score=0.0) is None


def test_settings_survive_being_written_down() -> None:
    settings = FaceSettings(key_interval=5, smallest_px=120)
    assert FaceSettings.model_validate_json(settings.model_dump_json()) == settings
    with pytest.raises(ValueError, match="smallest_px"):
        FaceSettings(smallest_px=20)
