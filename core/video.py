"""Reading a video once, in order, and keeping the frames that a frame rate asks for; and writing one."""

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain, takewhile
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from core.errors import InputError
from core.preprocess import Image

EVERY_FRAME = 1e6
"""A frame rate that no video exceeds."""

DECODER_THREADS = 2
"""Each holds frames of its own: with one a core, 4K would fill the memory of a large machine."""

EARLY_MS = 0.5
"""A frame this much before its due time is still on time: containers round timestamps to a millisecond."""

REPEATABLE_X264 = {"x264-params": "mbtree=0"}
"""x264's macroblock tree gives other bytes for the same frames from call to call on processors with AVX-512."""

ALLOWED = "give a video that has frames, such as .mp4, .mov, .mkv or .mpg"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picked frame of a video."""

    index: int
    """Place in decode order, counted over every frame of the video, picked or not."""
    time_ms: float
    """Time since the video's first frame."""
    image: Image
    """uint8 [H, W, 3], RGB, upright."""


class FrameSampler:
    """Picks frames by timestamp, at most one in each slot of 1 / frame_rate seconds.

    A frame at t ms lies in slot floor((t + 0.5) · frame_rate / 1000), computed in float64 in that order. It
    is picked when it is later than the frame before it and its slot is above that of the last pick. So the
    first frame is picked, no burst follows a gap, and a frame out of order is passed over.
    """

    def __init__(self, frame_rate: float) -> None:
        """`frame_rate` is in frames a second, above 0; raises `InputError` otherwise."""
        if not (math.isfinite(frame_rate) and frame_rate > 0):
            raise InputError(f"frame rate {frame_rate}: give a number of frames a second above 0, such as 10")
        self._frame_rate = frame_rate
        self._last_ms = -math.inf
        self._last_slot = -math.inf

    def wants(self, time_ms: float) -> bool:
        """Whether to pick the frame at `time_ms`. Call once for each decoded frame, in decode order."""
        is_later = time_ms > self._last_ms
        self._last_ms = time_ms
        slot = math.floor((time_ms + EARLY_MS) * self._frame_rate / 1000)
        if not is_later or slot <= self._last_slot:
            return False
        self._last_slot = slot
        return True


class SampledFrames(Iterator[Frame]):
    """The picked frames of one video, and what became of the video while it was read.

    A damaged video ends at its damage: frames decoded before it are given, none after it, and `damage` says
    why. Damage before the first frame is passed over, since a recording may start between two key frames.
    """

    def __init__(self, path: Path, frame_rate: float) -> None:
        self.decoded = 0
        """How many frames have been decoded so far, picked or not."""
        self.damage: str | None = None
        """Why the video ended before its own end, in one line; None while nothing was found damaged."""
        self._path = path
        self._sampler = FrameSampler(frame_rate)
        self._frames = self._read()

    def __next__(self) -> Frame:
        return next(self._frames)

    def close(self) -> None:
        """Let go of the file before its end. Does nothing after the last frame."""
        self._frames.close()

    def _read(self) -> Generator[Frame, None, None]:
        with _opened(self._path) as container:
            stream = _pictures(container, self._path)
            first_ms: float | None = None
            upright = _Upright()
            for picture in self._pictures(container, stream):
                time_ms = _time_ms(picture, self.decoded, stream)
                first_ms = time_ms if first_ms is None else first_ms
                index, self.decoded = self.decoded, self.decoded + 1
                if self._sampler.wants(time_ms - first_ms):
                    yield Frame(index=index, time_ms=time_ms - first_ms, image=upright.image(picture))
        if not self.decoded:
            raise InputError(f"{self._path}: no frame in it could be decoded; {ALLOWED}")

    def _pictures(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Every frame up to the end or to the first damage, each decoded once."""
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = DECODER_THREADS
        try:
            for packet in container.demux(stream):
                try:
                    if not packet.is_corrupt:
                        yield from packet.decode()
                        continue
                    reason = "a frame is incomplete"
                except av.error.InvalidDataError as error:
                    reason = str(error.strerror)
                # Frames from before the damage may still wait in the decoder's reordering queue; beside them those
                # that follow the damaged one in time, which would be counted as if nothing were missing.
                with suppress(av.error.FFmpegError):
                    yield from takewhile(partial(_is_before, packet.pts), stream.decode(None))
                if self.decoded:
                    self.damage = f"ends early, after {self.decoded} frames: {reason}"
                    return
                stream.codec_context.flush_buffers()
        except av.error.FFmpegError as error:
            # The container itself broke: no packet can be had beyond this point.
            self.damage = f"ends early, after {self.decoded} frames: {error.strerror}"


def sampled_frames(path: Path, frame_rate: float) -> SampledFrames:
    """The frames of `path` picked at `frame_rate` frames a second, in order, from one pass over the file.

    Every frame is decoded once and only the picked ones are turned into RGB. The display matrix is applied
    (quarter turns and mirrors), alpha is dropped, and colour matrix and range follow the stream's own tags
    (BT.601, limited range, where it has none). A frame without a timestamp is timed by its index and the
    stream's frame rate (25 a second where it states none).

    Raises `InputError` with one line: at once for a bad `frame_rate`; at the first frame, naming the file,
    for a path that is missing, a folder, no video or without pictures, or of which no frame can be decoded.
    """
    return SampledFrames(path, frame_rate)


def encode_video(
    path: Path,
    frames: Iterable[Image],
    *,
    fps: float,
    crf: int = 18,
    preset: str = "medium",
) -> None:
    """Write `frames` (uint8 [H, W, 3], RGB, all of one size) as H.264 in an MP4 of `fps` frames a second.

    BT.601, limited range. Odd sizes keep full chroma resolution (4:4:4): halved chroma needs even sides. The
    file appears under its name once it is whole. Raises `ValueError` when there is no frame.
    """
    images = iter(frames)
    first = next(images, None)
    if first is None:
        raise ValueError(f"{path}: there is no frame to write")
    pending = path.with_name(f".{path.name}.partial")
    try:
        with av.open(pending, "w", format="mp4") as container:
            options = {"crf": str(crf), "preset": preset, **REPEATABLE_X264}
            rate = Fraction(fps).limit_denominator(1001)
            stream = container.add_stream("libx264", rate=rate, options=options)
            stream.height, stream.width = first.shape[:2]
            stream.pix_fmt = "yuv444p" if stream.height % 2 or stream.width % 2 else "yuv420p"
            for image in chain([first], images):
                container.mux(stream.encode(VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        pending.replace(path)
    finally:
        pending.unlink(missing_ok=True)


def _opened(path: Path) -> InputContainer:
    if not path.exists():
        raise InputError(f"{path}: no such file; {ALLOWED}")
    if path.is_dir():
        raise InputError(f"{path}: a folder; {ALLOWED}")
    try:
        return av.open(path)
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: not a readable video ({error.strerror}); {ALLOWED}") from error


def _pictures(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of moving pictures: an audio file's cover is a video stream as well."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise InputError(f"{path}: no video stream; {ALLOWED}")


def _is_before(pts: int | None, picture: VideoFrame) -> bool:
    return pts is None or picture.pts is None or picture.pts < pts


def _time_ms(picture: VideoFrame, index: int, stream: VideoStream) -> float:
    if picture.pts is not None and picture.time_base is not None:
        return float(picture.pts * picture.time_base * 1000)
    # A bare stream has no average: the container then reports 25, and only the guess asks the codec.
    rate = stream.guessed_rate or stream.average_rate
    # Without a time and without a rate, every frame would stand at 0 and only the first be picked.
    return index * 1000 / float(rate or Fraction(25))


class _Upright:
    """Turns frames into RGB, upright by their display matrix.

    A frame whose side data was looked at is kept alive by it until Python's collector comes round, and large frames
    would fill the memory meanwhile. So the matrix is read again only where the angle that it stands for has changed.
    """

    def __init__(self) -> None:
        self._angle: float | None = None
        self._swapped = self._mirrored = self._flipped = False
        # Kept from frame to frame: setting up a conversion takes longer than converting a small frame.
        self._reformatter = VideoReformatter()

    def image(self, picture: VideoFrame) -> Image:
        """uint8 [H, W, 3], RGB."""
        if picture.rotation != self._angle:
            self._angle = picture.rotation
            self._read(cast(SideDataContainer, picture.side_data))
        image: Image = np.asarray(self._reformatter.reformat(picture, format="rgb24").to_ndarray(), np.uint8)
        if self._swapped:
            image = image.transpose(1, 0, 2)
        if self._mirrored:
            image = image[:, ::-1]
        if self._flipped:
            image = image[::-1]
        return np.ascontiguousarray(image)

    def _read(self, side_data: SideDataContainer) -> None:
        self._swapped = self._mirrored = self._flipped = False
        if SideDataType.DISPLAYMATRIX in side_data:
            # x' = a·x + c·y and y' = b·x + d·y; a quarter turn leaves one of a, b at 0, a mirror changes a sign.
            a, b, _, c, d = np.frombuffer(bytes(side_data[SideDataType.DISPLAYMATRIX]), np.int32)[:5].tolist()
            self._swapped = abs(b) > abs(a)
            self._mirrored = (c if self._swapped else a) < 0
            self._flipped = (b if self._swapped else d) < 0
