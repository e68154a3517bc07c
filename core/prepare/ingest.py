"""One video to its crops: decoded once, faces followed, the windows' crops and depth put on a shelf."""

import gc
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from core.corpus import Entry
from core.decision import WindowSpan
from core.depth import read_depth
from core.depth_model import aligned, loaded_model, quantised
from core.errors import InputError
from core.prepare.keeping import WindowKeeper
from core.prepare.settings import PrepareSettings
from core.prepare.shelf import Place, Shelf
from core.preprocess import DepthImage, Image, Part, Square, cut, shown_part, square_around
from core.recompress import recompressed
from core.records import Sample, VideoRecord
from core.stopwatch import Stopwatch
from core.store import PictureKind, decode_png, encode_png
from core.tracks import Faces, largest, tracked
from core.video import EVERY_FRAME, Frame, FrameSampler, sampled_frames

POSTER_PX = 320


@dataclass(frozen=True, kw_only=True)
class IngestJob:
    """A video, and where its pictures are put."""

    key: str
    content_sha256: str
    """Of the video file's bytes."""
    folder: Path
    entry: Entry
    settings: PrepareSettings
    depth_model: Path | None
    """Where `settings.depth` was found, if it is a model and this is the place to run it."""
    shelf: Path


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A record on its way to the store, and where its pictures lie on the shelf."""

    record: VideoRecord
    pictures: tuple[tuple[PictureKind, int, Place], ...]
    shelf: Path
    seconds: dict[str, float]
    """Time by stage."""
    damage: str | None = None
    """Why the video ended before its own end."""


@dataclass(frozen=True, kw_only=True)
class _Crop:
    """A face of a sample, on the shelf."""

    place: Place
    square: Square
    depth: Place | None = None
    depth_range: tuple[int, int] = (0, 0)


def ingest(job: IngestJob) -> Prepared:
    """Decode, find faces, and keep the crops of the windows that are kept.

    Raises InputError for a video that cannot be read or whose depth is of another size.
    """
    # The decoder of the video before hangs in a reference cycle with its container, and holds its frames.
    gc.collect()
    settings, watch = job.settings, Stopwatch()
    video = job.folder / job.entry.path
    keeper = WindowKeeper(hop=settings.hop, most=settings.max_windows)
    source = sampled_frames(video, EVERY_FRAME if settings.recompress else settings.frame_rate)
    times: list[tuple[int, float]] = []
    seen: list[Faces] = []
    crops: dict[tuple[int, int], _Crop] = {}
    posters: dict[int, Place] = {}
    frame_size: tuple[int, int] | None = None
    with Shelf(job.shelf) as shelf:
        frames = watch.each("decode", _frames(source, settings, video))
        for frame, faces in watch.each("faces", tracked(frames, settings.faces)):
            sample = len(times)
            frame_size = frame_size or (frame.image.shape[1], frame.image.shape[0])
            times.append((frame.index, frame.time_ms))
            seen.append(faces)
            if faces and keeper.wants(sample):
                depth = _depth_beside(video, frame, watch) if settings.depth == "beside" else None
                for track, box in faces.items():
                    square = square_around(box, settings.crop_margin)
                    with watch.stage("crops"):
                        place = shelf.put(encode_png(cut(frame.image, square, settings.padding)))
                    crop = _Crop(place=place, square=square)
                    crops[sample, track] = crop if depth is None else _with_depth(crop, depth, shelf, watch)
                if not posters or sample >= max(posters) + settings.hop:
                    posters[sample] = shelf.put(encode_png(_poster(frame.image)))
            if keeper.advance():
                crops = {at: crop for at, crop in crops.items() if keeper.wants(at[0])}
                posters = {at: place for at, place in posters.items() if keeper.wants(at)}
        assert frame_size is not None
        windows = keeper.windows()
        tracks = largest(seen)
        held = {sample for window in windows for sample in range(window.start, window.end)}
        chosen = ((sample, tracks[sample]) for sample in sorted(held))
        kept = {sample: crops[sample, track] for sample, track in chosen if track is not None}
        if job.depth_model is not None:
            with watch.stage("depth"):
                kept = _estimated(kept, shelf, frame_size, job.depth_model, settings.depth_px)
    samples = tuple(
        _sample(index, time_ms, seen[sample], tracks[sample], kept.get(sample))
        for sample, (index, time_ms) in enumerate(times)
    )
    return Prepared(
        record=_record(job, samples, windows, kept, frame_size),
        pictures=_pictures(kept, posters),
        shelf=job.shelf,
        seconds=watch.seconds,
        damage=source.damage,
    )


def _of_one_size(source: Iterable[Frame], path: Path) -> Iterator[Frame]:
    """The frames of `source`; InputError at the first of another size, whose boxes could not be compared."""
    first: tuple[int, ...] | None = None
    for frame in source:
        first = first or frame.image.shape
        if frame.image.shape != first:
            raise InputError(
                f"{path}: frame {frame.index} is {frame.image.shape[1]}x{frame.image.shape[0]}, those before it are "
                f"{first[1]}x{first[0]}; cut the video where its size changes"
            )
        yield frame


def _frames(source: Iterable[Frame], settings: PrepareSettings, path: Path) -> Iterator[Frame]:
    """The frames to look at, through another encoder first where the settings ask for one."""
    source = _of_one_size(source, path)
    if settings.recompress is None:
        yield from source
        return
    sampler = FrameSampler(settings.frame_rate)
    passed: deque[tuple[int, float]] = deque()

    def images() -> Iterator[Image]:
        for frame in source:
            passed.append((frame.index, frame.time_ms))
            yield frame.image

    for image in recompressed(images(), codec=settings.recompress.codec, crf=settings.recompress.quality):
        index, time_ms = passed.popleft()
        if sampler.wants(time_ms):
            yield Frame(index=index, time_ms=time_ms, image=image)


def _depth_beside(video: Path, frame: Frame, watch: Stopwatch) -> DepthImage | None:
    with watch.stage("depth"):
        depth = read_depth(video, frame.index)
    if depth is not None and depth.shape != frame.image.shape[:2]:
        raise InputError(
            f"{video}: its depth is {depth.shape[1]}x{depth.shape[0]}, its frames "
            f"{frame.image.shape[1]}x{frame.image.shape[0]}; write depth at the frames' size"
        )
    return depth


def _with_depth(crop: _Crop, depth: DepthImage, shelf: Shelf, watch: Stopwatch) -> _Crop:
    """`crop` with its part of the frame's depth; outside the frame that is as far as the farthest point inside."""
    with watch.stage("depth"):
        farthest = int(cut(depth, crop.square, np.iinfo(depth.dtype).max).min())
        return _on_shelf(crop, cut(depth, crop.square, farthest), shelf)


def _on_shelf(crop: _Crop, depth: DepthImage, shelf: Shelf) -> _Crop:
    place, limits = shelf.put(encode_png(depth)), (int(depth.min()), int(depth.max()))
    return _Crop(place=crop.place, square=crop.square, depth=place, depth_range=limits)


def _estimated(
    kept: dict[int, _Crop], shelf: Shelf, frame_size: tuple[int, int], model: Path, input_px: int
) -> dict[int, _Crop]:
    """`kept` with the depth that a model sees in each crop."""

    def pictures() -> Iterator[Image]:
        for crop in kept.values():
            picture = decode_png(shelf.get(crop.place))
            assert picture is not None
            yield picture

    shown = [shown_part(crop.square, frame_size) for crop in kept.values()]
    depths = estimated_depth(pictures(), shown, model, input_px)
    return {sample: _on_shelf(crop, depth, shelf) for (sample, crop), depth in zip(kept.items(), depths, strict=True)}


def estimated_depth(crops: Iterable[Image], shown: Sequence[Part], model: Path, input_px: int) -> Iterator[DepthImage]:
    """Depth of each crop (uint8 [N, N, 3], RGB) of one clip, uint16 [N, N], at one scale and shift.

    `shown` is the part of each crop that the frame fills: around it there is nothing to see, and depth there is as
    far as the farthest point of that part.
    """
    sides: list[int] = []

    def counted() -> Iterator[Image]:
        for crop in crops:
            sides.append(crop.shape[0])
            yield crop

    maps = aligned(list(loaded_model(model, input_px).maps(counted())))
    low = min((float(depth.min()) for depth in maps), default=0.0)
    high = max((float(depth.max()) for depth in maps), default=0.0)
    for depth, side, part in zip(maps, sides, shown, strict=True):
        levels = quantised(depth, low, high, side)
        out = np.full_like(levels, levels[part].min() if levels[part].size else 1)
        out[part] = levels[part]
        yield out


def _poster(image: Image) -> Image:
    scale = POSTER_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _sample(index: int, time_ms: float, faces: Faces, track: int | None, crop: _Crop | None) -> Sample:
    box = None if track is None else faces[track]
    return Sample(
        index=index,
        time_ms=time_ms,
        face=None if box is None else (box.x, box.y, box.w, box.h),
        kept=crop is not None,
        origin=(0.0, 0.0) if crop is None else (float(crop.square.x0), float(crop.square.y0)),
        depth_valid=crop is not None and crop.depth is not None,
    )


def _record(
    job: IngestJob,
    samples: tuple[Sample, ...],
    windows: Sequence[WindowSpan],
    kept: dict[int, _Crop],
    frame_size: tuple[int, int],
) -> VideoRecord:
    entry, again = job.entry, job.settings.recompress
    ranges = [crop.depth_range for crop in kept.values() if crop.depth is not None]
    return VideoRecord(
        key=job.key,
        content_sha256=job.content_sha256,
        path=entry.path,
        label=entry.label,
        identity=entry.identity,
        source=entry.source,
        method=entry.method,
        compression="+".join(part for part in (entry.compression, again.name if again else "") if part),
        split=entry.split,
        frame_size=frame_size,
        samples=samples,
        windows=tuple((window.start, window.end) for window in windows),
        depth_range=(min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None,
    )


def _pictures(kept: dict[int, _Crop], posters: dict[int, Place]) -> tuple[tuple[PictureKind, int, Place], ...]:
    crops: list[tuple[PictureKind, int, Place]] = [("crop", sample, crop.place) for sample, crop in kept.items()]
    depths: list[tuple[PictureKind, int, Place]] = [
        ("depth", sample, crop.depth) for sample, crop in kept.items() if crop.depth is not None
    ]
    first = next((sample for sample in posters if sample in kept), None)
    shown: list[tuple[PictureKind, int, Place]] = [] if first is None else [("poster", first, posters[first])]
    return (*crops, *depths, *shown)
