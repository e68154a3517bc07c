"""Golden vectors of YUV to RGB, read by Kotlin's tests too: against the decoder that Python's frames come from."""

import json

import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from tests.golden.make_yuv import FOLDER, documents

INDEX = json.loads((FOLDER / "yuv.json").read_text())
HEIGHT, WIDTH = INDEX["height"], INDEX["width"]


def plane(name: str) -> npt.NDArray[np.uint8]:
    shape = (HEIGHT, WIDTH) if name == "y" else ((HEIGHT + 1) // 2, (WIDTH + 1) // 2)
    return np.fromfile(FOLDER / INDEX["planes"][name], np.uint8).reshape(shape)


def picture(name: str) -> npt.NDArray[np.uint8]:
    return np.fromfile(FOLDER / INDEX["pictures"][name], np.uint8).reshape(HEIGHT, WIDTH, 3)


def test_the_files_are_what_their_generator_writes() -> None:
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == documents()


@pytest.mark.parametrize("name", INDEX["pictures"])
def test_the_decoder_that_python_reads_videos_with_agrees(name: str) -> None:
    standard, span = name.split("_")
    # It interpolates chroma where the height is odd, which no camera's is; everywhere else it does not.
    height = HEIGHT // 2 * 2
    frame = VideoFrame(WIDTH, height, "yuv420p")
    for target, source in zip(frame.planes, ("y", "u", "v"), strict=True):
        rows = plane(source)[: target.height]
        padded = np.zeros((rows.shape[0], target.line_size), np.uint8)
        padded[:, : rows.shape[1]] = rows
        target.update(padded.tobytes())

    decoded = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU601 if standard == "bt601" else Colorspace.ITU709,
        src_color_range=ColorRange.MPEG if span == "limited" else ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
    ).to_ndarray()

    # It drops fractions where we round, in tables of whole numbers.
    assert np.abs(decoded.astype(int) - picture(name)[:height].astype(int)).max() <= 3
