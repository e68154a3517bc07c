"""Reading videos: which frames are picked, what they look like, and what is said of unreadable files."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.preprocess import Image
from core.video import FrameSampler, encode_video, sampled_frames

COLOURS = np.array([[[200, 40, 30], [20, 180, 60]], [[30, 50, 210], [230, 230, 230]]], np.uint8)
"""One colour a quarter: no quarter turn or mirror image looks like another."""


def quarters(height: int = 96, width: int = 128) -> Image:
    rows = np.arange(height) * 2 // height
    columns = np.arange(width) * 2 // width
    return COLOURS[rows[:, None], columns]


def colours_of(image: Image) -> npt.NDArray[np.int64]:
    """[2, 2, 3]: the middle of each quarter."""
    height, width = image.shape[:2]
    middles = image[[height // 4, height - height // 4]][:, [width // 4, width - width // 4]]
    return middles.astype(np.int64)


def shade(index: int) -> Image:
    """A frame that tells its own index."""
    return np.full((64, 64, 3), 20 + 5 * index, np.uint8)


def write(
    path: Path,
    images: Sequence[Image],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times_ms: Iterable[int] | None = None,
    rotation: float = 0,
    mirrored: bool = False,
    tags: tuple[int, int] | None = None,
    options: dict[str, str] | None = None,
    muxer_options: dict[str, str] | None = None,
) -> Path:
    """A video at 20 frames a second, or at `times_ms`; `tags` are libav's colour matrix and range."""
    with av.open(path, "w", options=muxer_options or {}) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=20, options=options or {}))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        matrix, value_range = tags or (None, None)
        if matrix is not None and value_range is not None:
            stream.colorspace, stream.color_range = matrix, value_range
        times = iter(times_ms or range(len(images)))
        for image in images:
            channels = "rgba" if image.shape[2] == 4 else "rgb24"
            frame = VideoFrame.from_ndarray(image, format=channels).reformat(
                format=pixels, dst_colorspace=matrix, dst_color_range=value_range
            )
            frame.pts = next(times)
            frame.time_base = Fraction(1, 1000) if times_ms is not None else Fraction(1, 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@given(
    frame_rate=st.floats(0.1, 120),
    steps_ms=st.lists(st.floats(-200, 2000, allow_subnormal=False), max_size=60),
)
def test_no_slot_is_picked_twice_and_no_more_frames_than_the_rate_allows(
    frame_rate: float, steps_ms: list[float]
) -> None:
    times = [0.0, *np.cumsum(steps_ms).tolist()]
    sampler = FrameSampler(frame_rate)
    picked = [time for time in times if sampler.wants(time)]
    slots = [math.floor((time + 0.5) * frame_rate / 1000) for time in picked]
    assert picked[0] == 0.0
    assert slots == sorted(set(slots))
    assert picked == sorted(set(picked))
    assert len(picked) <= (picked[-1] + 0.5) / 1000 * frame_rate + 1


@given(fps=st.integers(1, 60), frame_rate=st.integers(1, 60))
def test_a_constant_rate_gives_the_first_frame_of_each_slot(fps: int, frame_rate: int) -> None:
    sampler = FrameSampler(frame_rate)
    picked = [index for index in range(120) if sampler.wants(index * 1000 / fps)]
    # A frame up to half a millisecond before a slot belongs to it.
    starts = [Fraction(slot, frame_rate) - Fraction(1, 2000) for slot in range(120 * frame_rate // fps + 2)]
    first = {max(0, math.ceil(start * fps)) for start in starts}
    assert picked == sorted(index for index in first if index < 120)


@pytest.mark.parametrize("fps", [23.976, 24, 25, 29.97, 30, 50, 59.94, 60])
def test_timestamps_rounded_to_milliseconds_pick_the_same_frames(fps: float) -> None:
    exact, rounded = FrameSampler(10), FrameSampler(10)
    times = [index * 1000 / fps for index in range(600)]
    assert [exact.wants(time) for time in times] == [rounded.wants(round(time)) for time in times]


def test_a_gap_is_followed_by_no_burst() -> None:
    sampler = FrameSampler(10)
    times = [0, 40, 80, 120, 1000, 1040, 1080, 1100, 1140]
    assert [time for time in times if sampler.wants(time)] == [0, 120, 1000, 1100]


def test_a_frame_out_of_order_is_never_picked() -> None:
    sampler = FrameSampler(10)
    assert [sampler.wants(time) for time in (0, 500, 300, 300, 250, 600)] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("frame_rate", [0.0, -1.0, math.nan, math.inf])
def test_a_frame_rate_that_is_none_is_refused(frame_rate: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"frame rate .*: give a number of frames a second above 0"):
        sampled_frames(tmp_path / "any.mp4", frame_rate)


def test_picked_frames_have_their_own_index_time_and_content(tmp_path: Path) -> None:
    path = write(tmp_path / "shades.mp4", [shade(i) for i in range(40)])
    video = sampled_frames(path, 8)
    frames = list(video)
    assert [frame.index for frame in frames] == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28, 30, 33, 35, 38]
    assert [frame.time_ms for frame in frames] == pytest.approx([50 * frame.index for frame in frames])
    assert [round((frame.image.mean() - 20) / 5) for frame in frames] == [frame.index for frame in frames]
    assert (video.decoded, video.damage) == (40, None)


def test_variable_rate_timestamps_decide_what_is_picked(tmp_path: Path) -> None:
    times_ms = [0, 33, 66, 100, 133, 700, 733, 766, 800, 900, 910, 920, 1500]
    path = write(tmp_path / "variable.mkv", [shade(i) for i in range(13)], codec="ffv1", times_ms=times_ms)
    frames = list(sampled_frames(path, 10))
    assert [frame.time_ms for frame in frames] == pytest.approx([0, 100, 700, 800, 900, 1500])
    assert [round((frame.image.mean() - 20) / 5) for frame in frames] == [0, 3, 5, 8, 9, 12]


def test_times_count_from_the_first_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "late.mkv", [shade(i) for i in range(3)], codec="ffv1", times_ms=[5000, 5100, 5200])
    assert [frame.time_ms for frame in sampled_frames(path, 10)] == pytest.approx([0, 100, 200])


def test_frames_without_timestamps_are_timed_by_the_stream_s_rate(tmp_path: Path) -> None:
    path = write(tmp_path / "bare.h264", [shade(i) for i in range(20)])
    with av.open(path) as container:
        assert [frame.pts for frame in container.decode(video=0)] == [None] * 20
    frames = list(sampled_frames(path, 10))
    assert [frame.index for frame in frames] == list(range(0, 20, 2))
    assert [frame.time_ms for frame in frames] == pytest.approx([100 * i for i in range(10)])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_frames_come_out_upright(rotation: int, mirrored: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "turned.mp4", [quarters()] * 3, rotation=rotation, mirrored=mirrored)
    upright = np.rot90(COLOURS, rotation // 90)
    expected = upright[:, ::-1] if mirrored else upright
    image = next(sampled_frames(path, 10)).image
    assert image.shape == ((128, 96, 3) if rotation % 180 else (96, 128, 3))
    assert image.flags.c_contiguous
    assert np.abs(colours_of(image) - expected).max() <= 6


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("eight_bit.mp4", "libx264", "yuv420p"),
        ("old.avi", "mpeg4", "yuv420p"),
        ("full_range.mp4", "libx264", "yuvj420p"),
        ("ten_bit.mp4", "libx264", "yuv420p10le"),
        ("twelve_bit_alpha.mov", "prores_ks", "yuva444p10le"),
        ("alpha.webm", "libvpx-vp9", "yuva420p"),
        ("animation.mov", "qtrle", "argb"),
        ("sixteen_bit.mov", "png", "rgb48be"),
    ],
)
def test_every_pixel_format_gives_the_same_colours(name: str, codec: str, pixels: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, [quarters()] * 3, codec=codec, pixels=pixels)
    image = next(sampled_frames(path, 10)).image
    assert image.dtype == np.uint8
    assert image.shape == (96, 128, 3)
    assert np.abs(colours_of(image) - COLOURS).max() <= 6


@pytest.mark.parametrize(
    ("matrix", "value_range"), [(1, 1), (1, 2), (5, 2), (9, 1)], ids=["709", "709full", "601full", "2020"]
)
def test_colour_matrix_and_range_follow_the_tags(matrix: int, value_range: int, tmp_path: Path) -> None:
    path = write(tmp_path / "tagged.mp4", [quarters()] * 3, tags=(matrix, value_range), options={"crf": "5"})
    assert np.abs(colours_of(next(sampled_frames(path, 10)).image) - COLOURS).max() <= 6


def test_transparency_does_not_change_the_colour(tmp_path: Path) -> None:
    transparent = np.dstack([quarters(), np.full((96, 128), 40, np.uint8)])
    path = write(tmp_path / "glass.mov", [transparent] * 2, codec="qtrle", pixels="argb")
    assert np.array_equal(colours_of(next(sampled_frames(path, 10)).image), COLOURS)


def test_greyscale_gives_three_equal_channels(tmp_path: Path) -> None:
    grey = np.repeat(np.linspace(0, 255, 128).astype(np.uint8)[None, :, None], 3, axis=2).repeat(96, axis=0)
    path = write(tmp_path / "grey.mkv", [grey] * 2, codec="ffv1", pixels="gray")
    image = next(sampled_frames(path, 10)).image
    assert np.abs(image.astype(int) - grey).max() <= 1


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
def test_odd_sizes_keep_every_row_and_column(pixels: str, tmp_path: Path) -> None:
    path = write(tmp_path / "odd.mkv", [quarters(95, 127)] * 2, codec="ffv1", pixels=pixels)
    image = next(sampled_frames(path, 10)).image
    assert image.shape == (95, 127, 3)
    assert np.abs(image[-1, -1].astype(int) - COLOURS[1, 1]).max() <= 6


@pytest.mark.parametrize("size", [(96, 128), (95, 127)])
def test_an_encoded_video_reads_back(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "written.mp4"
    encode_video(path, (quarters(*size) for _ in range(12)), fps=30000 / 1001, crf=5, preset="ultrafast")
    frames = list(sampled_frames(path, 60))
    assert [frame.time_ms for frame in frames] == pytest.approx([i * 1001 / 30 for i in range(12)], abs=0.1)
    assert frames[0].image.shape == (*size, 3)
    assert np.abs(colours_of(frames[-1].image) - COLOURS).max() <= 6
    assert [file.name for file in tmp_path.iterdir()] == ["written.mp4"]


def test_a_video_that_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterable[Image]:
        yield shade(0)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        encode_video(tmp_path / "half.mp4", breaking(), fps=10)
    with pytest.raises(ValueError, match=r"none.mp4: there is no frame to write"):
        encode_video(tmp_path / "none.mp4", [], fps=10)
    assert not list(tmp_path.iterdir())


def noisy_video(folder: Path) -> Path:
    """40 frames whose index stands before the frames, so that a part of the file is still a video."""
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    images = [np.roll(noise, 3 * i, axis=1) for i in range(40)]
    return write(folder / "noisy.mp4", images, muxer_options={"movflags": "faststart"})


def test_a_truncated_video_ends_where_it_breaks_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = noisy_video(tmp_path)
    whole = [frame.image for frame in sampled_frames(path, 20)]
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    video = sampled_frames(path, 20)
    frames = list(video)
    assert 5 < len(frames) == video.decoded < 35
    assert video.damage == f"ends early, after {video.decoded} frames: a frame is incomplete"
    assert all(np.array_equal(frame.image, whole[frame.index]) for frame in frames)
    assert capfd.readouterr() == ("", "")


def test_a_video_that_turns_to_rubbish_ends_there_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = noisy_video(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    video = sampled_frames(path, 20)
    assert 5 < len(list(video)) < 35
    assert video.damage is not None
    assert video.damage.startswith(f"ends early, after {video.decoded} frames: ")
    assert capfd.readouterr() == ("", "")


def unreadable(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.mp4"
    match kind:
        case "folder":
            path.mkdir()
        case "text":
            path.write_text("not a video\n" * 50)
        case "empty":
            path.touch()
        case "sound":
            with av.open(path, "w", format="wav") as container:
                stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), layout="mono")
                sound.sample_rate = 16000
                container.mux(stream.encode(sound))
        case "frameless":
            with av.open(path, "w", format="avi") as container:
                pictures = container.add_stream("mpeg4", rate=20)
                pictures.width = pictures.height = 64
                container.start_encoding()
        case "stub":
            whole = noisy_video(folder)
            path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 20])
        case "missing":
            pass
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "no such file"),
        ("folder", "a folder"),
        ("text", r"not a readable video \(.+\)"),
        ("empty", r"not a readable video \(.+\)"),
        ("sound", "no video stream"),
        ("frameless", "no frame in it could be decoded"),
        ("stub", "no frame in it could be decoded"),
    ],
)
def test_an_unreadable_file_is_named_in_one_line(
    kind: str, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = unreadable(kind, tmp_path)
    with pytest.raises(InputError, match=rf"{kind}\.mp4: {reason}; give a video that has frames") as caught:
        next(sampled_frames(path, 10))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
