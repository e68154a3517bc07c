"""The golden vectors of faces as tracks, read by Kotlin's tests too."""

import json

import pytest

from tests.golden.make_tracks import FILE, MISSED, document

FRAMES = json.loads(FILE.read_text())["frames"]


def test_the_file_is_what_python_does_now() -> None:
    for frame, now in zip(FRAMES, document()["frames"], strict=True):
        assert frame["judged"] == now["judged"]
        assert frame["faces"].keys() == now["faces"].keys()
        for track, box in frame["faces"].items():
            assert box == pytest.approx(now["faces"][track], abs=1e-9)


def test_gaps_of_four_are_filled_and_of_five_are_not() -> None:
    without = {index for index, frame in enumerate(FRAMES) if index < 40 and "0" not in frame["faces"]}

    assert without == {30, 31, 32, 33, 34}
    assert without < MISSED[0]


def test_the_face_after_the_cut_is_judged_and_the_one_beside_the_largest_is_not() -> None:
    assert {frame["judged"] for frame in FRAMES} == {0, 2, None}
