"""Frames through a real video encoder and its decoder, in memory: what a file, a chat or a website does to them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import cast

import numpy as np
from av import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from core.errors import InputError
from core.preprocess import Image
from core.video import REPEATABLE_X264

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")


@dataclass(frozen=True, kw_only=True)
class _Codec:
    decoder: str
    best: int
    """The rate factor of the highest quality."""
    worst: int
    has_presets: bool = False
    least_px: int = 1
    """Sides below it are padded by repeating the edge, and cropped again."""
    options: dict[str, str] = field(default_factory=dict)
    """Keep it repeatable, to one thread, quiet, and to a few frames of delay."""


CODECS = {
    "libx264": _Codec(decoder="h264", best=0, worst=51, has_presets=True, options=REPEATABLE_X264),
    "libx265": _Codec(
        decoder="hevc",
        best=0,
        worst=51,
        has_presets=True,
        # With a single row of its 64 px blocks x265 reads, and now and then writes, beyond its buffers.
        least_px=128,
        options={"x265-params": "pools=none:frame-threads=1:wpp=0:log-level=none"},
    ),
    "mpeg4": _Codec(decoder="mpeg4", best=1, worst=31),
    "libvpx-vp9": _Codec(
        decoder="vp9",
        best=0,
        worst=63,
        options={"b": "0", "deadline": "good", "cpu-used": "5", "lag-in-frames": "12", "row-mt": "0"},
    ),
}


def recompressed(
    frames: Iterable[Image], *, codec: str = "libx264", crf: int, preset: str = "veryfast", fps: float = 25
) -> Iterator[Image]:
    """One frame out for each frame in, in order: uint8 [H, W, 3], RGB, all of one size, odd ones too.

    `crf` is the codec's constant rate factor (mpeg4's quantiser): larger is worse. `preset` is how hard x264 and x265
    try; the other two know none. BT.601, limited range, halved chroma (4:2:0) except for odd sizes with codecs that
    can (4:4:4), as `core.video.encode_video` does. Streams: an encoder holds back some frames (up to about 15 at the
    default preset) and no more are in memory. One thread, so that the result depends on the arguments alone.

    Raises InputError (one line) at once for an unknown codec or preset and for a `crf` out of the codec's range.
    """
    check_codec(codec, crf)
    if preset not in PRESETS:
        raise InputError(f"preset {preset!r}: unknown; allowed are {', '.join(PRESETS)}")
    return _through(iter(frames), codec, crf, preset, Fraction(fps).limit_denominator(1001))


def check_codec(codec: str, crf: int) -> None:
    """InputError, in one line, for an unknown codec and for a `crf` out of its range."""
    found = CODECS.get(codec)
    if found is None:
        raise InputError(f"codec {codec!r}: unknown; allowed are {', '.join(CODECS)}")
    if not found.best <= crf <= found.worst:
        raise InputError(f"quality {crf}: {codec} takes {found.best} (best) to {found.worst} (worst)")


def _through(images: Iterator[Image], codec: str, crf: int, preset: str, rate: Fraction) -> Iterator[Image]:
    first = next(images, None)
    if first is None:
        return
    shape = first.shape
    height, width = (max(side, CODECS[codec].least_px) for side in shape[:2])
    border = ((0, height - shape[0]), (0, width - shape[1]), (0, 0))
    encoder = _encoder(codec, crf, preset, rate, height=height, width=width)
    decoder = cast(VideoCodecContext, CodecContext.create(CODECS[codec].decoder, "r"))
    decoder.thread_count = 1
    reformatter = VideoReformatter()
    taken = given = 0
    # At the end None asks the encoder, and then the decoder, for what they hold back.
    for image in chain([first], images, [None]):
        picture = None
        if image is not None:
            assert image.shape == shape, f"frame {taken} is {image.shape}, the first one {shape}"
            picture = VideoFrame.from_ndarray(np.pad(image, border, mode="edge"), format="rgb24")
            picture.pts, picture.time_base = taken, 1 / rate
            taken += 1
        for packet in chain(encoder.encode(picture), [None] if image is None else []):
            for decoded in decoder.decode(packet):
                given += 1
                pixels = reformatter.reformat(decoded, format="rgb24").to_ndarray()[: shape[0], : shape[1]]
                yield np.ascontiguousarray(pixels, dtype=np.uint8)
    assert given == taken, f"{codec}: {taken} frames in, {given} out"


def _encoder(codec: str, crf: int, preset: str, rate: Fraction, *, height: int, width: int) -> VideoCodecContext:
    encoder = cast(VideoCodecContext, CodecContext.create(codec, "w"))
    encoder.height, encoder.width = height, width
    encoder.framerate, encoder.time_base = rate, 1 / rate
    full_chroma = codec != "mpeg4" and bool(height % 2 or width % 2)
    encoder.pix_fmt = "yuv444p" if full_chroma else "yuv420p"
    encoder.thread_count = 1
    options = dict(CODECS[codec].options)
    if CODECS[codec].has_presets:
        options["preset"] = preset
    if codec == "mpeg4":
        encoder.qmin = encoder.qmax = crf
    else:
        options["crf"] = str(crf)
    encoder.options = options
    return encoder
