"""Frames through an encoder: as many as went in, in order, of their own size, worse as asked, and always the same."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from core.errors import InputError
from core.preprocess import Image
from core.recompress import CODECS, PRESETS, recompressed
from core.video import encode_video, sampled_frames


def sliding(count: int, height: int = 64, width: int = 80) -> list[Image]:
    """A smooth picture that moves on by two pixels a frame: no frame is like its neighbour."""
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    wide = cv2.resize(coarse, (width + 2 * count, height), interpolation=cv2.INTER_CUBIC)
    return [np.ascontiguousarray(wide[:, 2 * index : 2 * index + width], dtype=np.uint8) for index in range(count)]


def error(found: Image, wanted: Image) -> float:
    return float(np.abs(found.astype(int) - wanted).mean())


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [(64, 80), (65, 79), (17, 3)])
def test_every_frame_comes_back_in_order_at_its_own_size(codec: str, size: tuple[int, int]) -> None:
    frames = sliding(23, *size)

    found = list(recompressed(frames, codec=codec, crf=CODECS[codec].best))

    assert [frame.shape for frame in found] == [frame.shape for frame in frames]
    assert {frame.dtype for frame in found} == {np.dtype(np.uint8)}
    if min(size) > 3:
        nearest = [int(np.argmin([error(frame, wanted) for wanted in frames])) for frame in found]
        assert nearest == list(range(23))


@pytest.mark.parametrize("codec", CODECS)
def test_a_larger_rate_factor_is_a_worse_picture(codec: str) -> None:
    # Grey, since halved chroma is lost at any quality.
    frames = [np.repeat(frame[..., :1], 3, axis=2) for frame in sliding(12)]
    best, worst = CODECS[codec].best, CODECS[codec].worst

    errors = [
        np.mean(
            [
                error(found, frame)
                for found, frame in zip(recompressed(frames, codec=codec, crf=crf), frames, strict=True)
            ]
        )
        for crf in (best, (best + worst) // 2, worst)
    ]

    assert errors[0] < 0.8 * errors[1] < 0.8 * errors[2]


def test_grainy_frames_give_the_same_pictures_every_time() -> None:
    # x264's macroblock tree, which looks ahead, gave up to eleven answers on processors with AVX-512.
    generator = np.random.default_rng(1)
    frames = [
        np.clip(frame + generator.normal(0, 12, frame.shape), 0, 255).astype(np.uint8) for frame in sliding(20, 96, 96)
    ]

    answers = {np.stack(list(recompressed(frames, crf=25))).tobytes() for _ in range(40)}

    assert len(answers) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_frames_give_the_same_pictures(codec: str) -> None:
    frames = sliding(12)
    once, again = (np.stack(list(recompressed(frames, codec=codec, crf=25))) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_colours_stay_red_green_blue() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[:] = (220, 40, 20)
    (found,) = recompressed([red], crf=10)
    np.testing.assert_allclose(found.reshape(-1, 3).mean(axis=0), (220, 40, 20), atol=4)


def test_frames_look_as_they_do_from_a_file_of_the_same_settings(tmp_path: Path) -> None:
    frames = sliding(12)
    path = tmp_path / "file.mp4"
    encode_video(path, frames, fps=25, crf=32, preset="veryfast")
    from_file = [frame.image for frame in sampled_frames(path, 25)]

    found = list(recompressed(frames, crf=32))

    def mean(one: list[Image], other: list[Image]) -> float:
        return float(np.mean([error(a, b) for a, b in zip(one, other, strict=True)]))

    # Threads change the encoder's decisions a little, its quality not at all.
    assert mean(found, from_file) < 0.5 * mean(found, frames)
    assert mean(found, frames) == pytest.approx(mean(from_file, frames), rel=0.1)


@pytest.mark.parametrize("codec", CODECS)
def test_only_a_few_frames_are_held_at_any_time(codec: str) -> None:
    taken = 0

    def given() -> Iterator[Image]:
        nonlocal taken
        for frame in sliding(90, 32, 32):
            taken += 1
            yield frame

    most = max(taken - given_back for given_back, _ in enumerate(recompressed(given(), codec=codec, crf=30)))
    assert most <= 25


def test_nothing_in_is_nothing_out() -> None:
    assert list(recompressed([], crf=20)) == []


def test_frames_need_not_be_contiguous() -> None:
    frames = sliding(3)
    turned = [frame[:, ::-1] for frame in frames]
    copies: list[npt.NDArray[np.uint8]] = [np.ascontiguousarray(frame) for frame in turned]
    found, wanted = list(recompressed(turned, crf=20)), list(recompressed(copies, crf=20))
    np.testing.assert_array_equal(np.stack(found), np.stack(wanted))


@pytest.mark.parametrize(
    ("codec", "crf", "preset", "message"),
    [
        ("h264", 20, "veryfast", r"codec 'h264': unknown; allowed are libx264, libx265, mpeg4, libvpx-vp9"),
        ("libx264", 52, "veryfast", r"quality 52: libx264 takes 0 \(best\) to 51 \(worst\)"),
        ("libx265", -1, "veryfast", r"quality -1: libx265 takes 0 \(best\) to 51 \(worst\)"),
        ("mpeg4", 0, "veryfast", r"quality 0: mpeg4 takes 1 \(best\) to 31 \(worst\)"),
        ("libvpx-vp9", 64, "veryfast", r"quality 64: libvpx-vp9 takes 0 \(best\) to 63 \(worst\)"),
        ("libx264", 20, "quick", rf"preset 'quick': unknown; allowed are {', '.join(PRESETS)}"),
    ],
)
def test_what_no_encoder_takes_is_refused_before_the_first_frame(
    codec: str, crf: int, preset: str, message: str
) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        recompressed(sliding(1), codec=codec, crf=crf, preset=preset)
