"""Depth beside a video: where it is looked for, and which files are refused."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from core.depth import depth_file, depth_folder, read_depth
from core.errors import InputError


def write(video: Path, index: int, depth: npt.NDArray[np.integer]) -> None:
    depth_folder(video).mkdir(exist_ok=True)
    assert cv2.imwrite(str(depth_file(video, index)), depth)


def test_depth_stands_in_a_folder_of_the_video_s_name_one_file_a_frame() -> None:
    assert depth_file(Path("real/anna.1.mp4"), 12) == Path("real/anna.1.depth/000012.png")


def test_sixteen_bits_are_read_as_they_were_written(tmp_path: Path) -> None:
    depth = np.array([[0, 1, 255], [256, 40_000, 65_535]], np.uint16)
    write(tmp_path / "a.mp4", 3, depth)

    found = read_depth(tmp_path / "a.mp4", 3)

    assert found is not None
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, depth)


def test_a_missing_file_is_no_depth(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 3, np.zeros((2, 2), np.uint16))
    assert read_depth(tmp_path / "a.mp4", 4) is None
    assert read_depth(tmp_path / "b.mp4", 3) is None


@pytest.mark.parametrize(
    "picture", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint16)]
)
def test_a_picture_of_another_kind_is_refused(tmp_path: Path, picture: npt.NDArray[np.integer]) -> None:
    write(tmp_path / "a.mp4", 0, picture)
    with pytest.raises(InputError, match=r"a.depth/000000.png: not a 16-bit grey PNG; write depth as uint16, larger"):
        read_depth(tmp_path / "a.mp4", 0)


@pytest.mark.parametrize("data", [b"", b"not a picture"])
def test_a_file_that_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    depth_folder(tmp_path / "a.mp4").mkdir()
    depth_file(tmp_path / "a.mp4", 0).write_bytes(data)
    with pytest.raises(InputError, match=r"000000.png: not a 16-bit grey PNG"):
        read_depth(tmp_path / "a.mp4", 0)
