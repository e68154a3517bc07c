"""A real video's prepared clips: itself and its forgeries, all through the same resampling and encoder.

Forged frames of the wild were encoded after they were forged, and so are these, with a quality drawn for each video and
shared by all clips made from it: nothing but the forgery tells them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from core.forgery import Forgery, known_forged_depth, self_blended_crops, swapped_crops
from core.prepare.ingest import Prepared, estimated_depth
from core.prepare.settings import Forged, PrepareSettings, Recompression
from core.prepare.shelf import Place, Shelf
from core.preprocess import Box, DepthImage, Image, Part, Square, reduced, shown_part, square_around
from core.recompress import recompressed
from core.records import ForgeryRecord, Sample, VideoRecord
from core.seeding import seeded_generator
from core.stopwatch import Stopwatch
from core.store import ClipStore, PictureKind, encode_png


@dataclass(frozen=True, kw_only=True)
class ForgeJob:
    """A base, and the one clip to be made of it."""

    key: str
    base: str
    method: Forged | None
    """None: the clip itself."""
    donor: str | None
    """Key of the base whose face a swap shows."""
    source: str
    """Identity of that face; without a donor nothing."""
    name: str
    """The video, for messages."""
    store: Path
    settings: PrepareSettings
    depth_model: Path | None
    shelf: Path


@dataclass(frozen=True, kw_only=True)
class _Clip:
    """The kept crops of a base, reduced where they are large."""

    factor: int
    samples: tuple[int, ...]
    crops: list[Image]
    boxes: list[Box]
    depths: list[DepthImage | None]


def forge(job: ForgeJob) -> Prepared:
    """The clip that `job` asks for, read from the store that the bases are in."""
    with ClipStore.read(job.store) as store:
        return forged_from(store, job)


def forged_from(store: ClipStore, job: ForgeJob) -> Prepared:
    """As `forge`, from a store that is open already."""
    settings, watch = job.settings, Stopwatch()
    base = store.base(job.base)
    with watch.stage("read"):
        clip = _clip(store, base, settings)
    forgery, depths = None, clip.depths
    if job.method is not None and clip.crops:
        with watch.stage("forge"):
            forgery, depths = _forgery(store, job, clip)
    crops = clip.crops if forgery is None else forgery.frames
    quality = int(seeded_generator("encoding", settings.seed, job.base).integers(*settings.forged_crf, endpoint=True))
    encoding = Recompression(codec="libx264", quality=quality)
    with watch.stage("encode"):
        crops = _encoded(crops, encoding)
    if job.depth_model is not None:
        with watch.stage("depth"):
            shown = [_shown(base, sample, clip.factor, crop) for sample, crop in zip(clip.samples, crops, strict=True)]
            depths = list(estimated_depth(crops, shown, job.depth_model, settings.depth_px))
    with watch.stage("crops"), Shelf(job.shelf) as shelf:
        pictures: list[tuple[PictureKind, int, Place]] = []
        for row, sample in enumerate(clip.samples):
            pictures.append(("crop", sample, shelf.put(encode_png(crops[row]))))
            if (depth := depths[row]) is not None:
                pictures.append(("depth", sample, shelf.put(encode_png(depth))))
            if forgery is not None:
                mask = np.rint(forgery.masks[row] * 255).astype(np.uint8)
                pictures.append(("mask", sample, shelf.put(encode_png(mask))))
        if clip.samples:
            sample = clip.samples[0]
            poster = _poster(store, base, sample, crops[0], settings.crop_margin)
            if poster is not None:
                pictures.append(("poster", sample, shelf.put(encode_png(poster))))
    return Prepared(
        record=_record(job, base, clip, depths, forgery, encoding),
        pictures=tuple(pictures),
        shelf=job.shelf,
        seconds=watch.seconds,
    )


def _clip(store: ClipStore, base: VideoRecord, settings: PrepareSettings) -> _Clip:
    """The base's kept crops, averaged over blocks of one size, so that no side is above `forged_px`."""
    samples = tuple(place for place, sample in enumerate(base.samples) if sample.kept)
    largest = max((square_around(base.box(sample), settings.crop_margin).side for sample in samples), default=1)
    factor = -(-largest // settings.forged_px)
    crops, boxes = [], []
    # Reduced one by one: whole crops of a large face are too much to hold.
    for sample in samples:
        crop, box = store.crop(base, sample)
        crops.append(np.asarray(np.rint(reduced(crop, factor, settings.padding)), np.uint8))
        boxes.append(box.scaled(1 / factor))
    depths = [_depth(store, base, sample, factor) for sample in samples]
    return _Clip(factor=factor, samples=samples, crops=crops, boxes=boxes, depths=depths)


def _depth(store: ClipStore, base: VideoRecord, sample: int, factor: int) -> DepthImage | None:
    if not base.samples[sample].depth_valid:
        return None
    depth = store.depth(base, sample)
    return np.asarray(np.rint(reduced(depth, factor, int(depth.min()))), np.uint16)


def _forgery(store: ClipStore, job: ForgeJob, clip: _Clip) -> tuple[Forgery, list[DepthImage | None]]:
    """The forged clip, and the depth of what it shows: missing where the clip's or the donor's own is."""
    settings = job.settings
    generator = seeded_generator("forgery", settings.seed, job.base, job.method, job.donor)
    if job.donor is None:
        donor = clip
        forgery = self_blended_crops(clip.crops, clip.boxes, generator, settings.forgery, padding=settings.padding)
    else:
        donor = _clip(store, store.base(job.donor), settings)
        forgery = swapped_crops(
            clip.crops,
            clip.boxes,
            donor.crops,
            donor.boxes,
            generator,
            settings.forgery,
            padding=settings.padding,
        )
    return forgery, known_forged_depth(clip.depths, donor.depths, forgery)


def _encoded(crops: Sequence[Image], encoding: Recompression) -> list[Image]:
    """`crops`, whose sides differ, through the encoder as one video of the largest side."""
    if not crops:
        return []
    side = max(crop.shape[0] for crop in crops)
    side += side % 2
    padded = (
        cv2.copyMakeBorder(crop, 0, side - crop.shape[0], 0, side - crop.shape[0], cv2.BORDER_REPLICATE)
        for crop in crops
    )
    frames = recompressed((np.asarray(crop, np.uint8) for crop in padded), codec=encoding.codec, crf=encoding.quality)
    return [
        np.ascontiguousarray(frame[: crop.shape[0], : crop.shape[0]]) for frame, crop in zip(frames, crops, strict=True)
    ]


def _shown(base: VideoRecord, sample: int, factor: int, crop: Image) -> Part:
    """The part of a reduced crop that the frame fills."""
    x, y = (round(place / factor) for place in base.samples[sample].origin)
    width, height = base.frame_size
    return shown_part(Square(x0=x, y0=y, side=crop.shape[0]), (width // factor, height // factor))


def _poster(store: ClipStore, base: VideoRecord, sample: int, crop: Image, crop_margin: float) -> Image | None:
    """The base's poster with the crop as it is now, where the poster shows that sample."""
    poster = store.poster(base, sample)
    if poster is None:
        return None
    scale = poster.shape[1] / base.frame_size[0]
    x, y = base.samples[sample].origin
    side = max(1, round(square_around(base.box(sample), crop_margin).side * scale))
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    left, top = round(x * scale), round(y * scale)
    rows = slice(max(0, top), max(0, min(poster.shape[0], top + side)))
    columns = slice(max(0, left), max(0, min(poster.shape[1], left + side)))
    poster[rows, columns] = small[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return poster


def _record(
    job: ForgeJob,
    base: VideoRecord,
    clip: _Clip,
    depths: Sequence[DepthImage | None],
    forgery: Forgery | None,
    encoding: Recompression,
) -> VideoRecord:
    """The base's record in pixels of the reduced frame, as the clip that was made of it."""
    valid = {sample: depth for sample, depth in zip(clip.samples, depths, strict=True) if depth is not None}
    samples = tuple(_scaled(sample, clip.factor, place in valid) for place, sample in enumerate(base.samples))
    fake = {} if job.method is None else {"label": "fake", "method": job.method}
    return base.model_copy(
        update={
            "key": job.key,
            **fake,
            "source": job.source or base.source,
            "encoding": encoding.name,
            "frame_size": (base.frame_size[0] // clip.factor, base.frame_size[1] // clip.factor),
            "samples": samples,
            "depth_range": (
                (min(int(d.min()) for d in valid.values()), max(int(d.max()) for d in valid.values()))
                if valid
                else None
            ),
            "forgery": None
            if forgery is None
            else ForgeryRecord(visibility=forgery.visibility, draws=dict(forgery.strength)),
        }
    )


def _scaled(sample: Sample, factor: int, depth_valid: bool) -> Sample:
    face = None if sample.face is None else tuple(side / factor for side in sample.face)
    x, y = sample.origin
    return sample.model_copy(update={"face": face, "origin": (x / factor, y / factor), "depth_valid": depth_valid})
