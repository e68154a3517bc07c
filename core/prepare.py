"""From a corpus of videos to a store of clips: decode, find the face, cut it out, and keep what windows need."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.corpus import Corpus, Entry
from core.decision import WINDOW, WindowSpan, window_spans
from core.depth import depth_folder, read_depth
from core.errors import InputError, WorkError
from core.faces import FaceSettings, FaceTracker
from core.forgery import self_blended_crops
from core.preprocess import Box, DepthImage, Image, Square, cut, square_around
from core.store import ClipStore, Sample, VideoRecord, encode_png
from core.video import sampled_frames

FAILURES = "failures.json"
CODE_VERSION = 1
"""Changes when a step below gives other results for the same video and settings."""


Forged = Literal["self_blend"]


class PrepareSettings(BaseModel):
    """Everything that changes what is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame_rate: float = 10.0
    hop: int = Field(default=10, ge=1, le=WINDOW)
    max_windows: int = Field(default=4, ge=1, description="windows kept of a video, evenly spaced")
    crop_margin: float = Field(default=2.1, description="stored square over the face box; wider than any spec's")
    padding: int = Field(default=0, ge=0, le=255)
    faces: FaceSettings = FaceSettings()
    depth: Literal["beside", "none"] = "beside"
    forgeries: tuple[Forged, ...] = Field(
        default=(), description="made from every real video, for corpora without fakes"
    )
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a preparation did."""

    prepared: int
    reused: int
    failures: dict[str, str]
    """Reason by path."""
    without_face: int
    without_depth: int
    identities_from: str

    def text(self, store: Path) -> str:
        """The lines a person reads after a preparation."""
        lines = [
            f"{store}: {self.prepared} prepared, {self.reused} reused, {len(self.failures)} failed; "
            f"{self.without_face} without a face, {self.without_depth} without depth; "
            f"identities from {self.identities_from}"
        ]
        lines += [f"failed: {reason}" for reason in self.failures.values()]
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class _Payload:
    """A video on its way from a worker to the store."""

    record: VideoRecord
    crops: dict[int, bytes]
    depths: dict[int, bytes]


Progress = Callable[[int, int], None]


def prepare(
    corpus: Corpus,
    store_folder: Path,
    settings: PrepareSettings,
    *,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Summary:
    """Prepare every video of `corpus` that the store does not hold yet.

    Interrupted, the next call goes on where it stopped. A video that fails is listed in `failures.json` and does not
    stop the rest. Raises InputError where the store was begun with other settings or for other videos.
    """
    plan = [
        (entry, forgery)
        for entry in corpus.entries
        for forgery in (None, *settings.forgeries)
        if forgery is None or entry.label == "real"
    ]
    with ClipStore.write(store_folder, {"code": CODE_VERSION, **settings.model_dump(mode="json")}) as store:
        paths = {entry.path for entry in corpus.entries}
        known = store.records()
        foreign = next((record.path for record in known if record.path not in paths), None)
        if foreign is not None:
            raise InputError(f"{store_folder}: holds {foreign}, which is not in {corpus.folder}; give another --store")
        keys = {_key(corpus.folder, entry, forgery, settings): (entry, forgery) for entry, forgery in plan}
        store.keep_only(keys)
        todo = {key: work for key, work in keys.items() if key not in store}
        failures: dict[str, str] = {}
        failed = 0
        for done, (key, outcome) in enumerate(_worked(corpus.folder, todo, settings, workers), start=1):
            if isinstance(outcome, str):
                # A real video and its forgeries fail as one path.
                failures[todo[key][0].path] = outcome
                failed += 1
            else:
                store.add(outcome.record, outcome.crops, outcome.depths)
            if on_progress:
                on_progress(len(keys) - len(todo) + done, len(keys))
        _write_failures(store_folder / FAILURES, failures)
        records = store.records()
        if not records:
            raise WorkError(
                f"{corpus.folder}: none of its {len(plan)} videos could be prepared; see {store_folder / FAILURES}"
            )
        store.complete(fingerprint(records))
    return Summary(
        prepared=len(todo) - failed,
        reused=len(keys) - len(todo),
        failures=failures,
        without_face=sum(all(sample.box is None for sample in record.samples) for record in records),
        without_depth=sum(not any(sample.depth_valid for sample in record.samples) for record in records),
        identities_from=corpus.identities_from,
    )


def fingerprint(records: Iterable[VideoRecord]) -> str:
    """Hex digest of what a store holds: its keys cover content, labels, split and settings."""
    return hashlib.sha256("\n".join(sorted(record.key for record in records)).encode()).hexdigest()


def _key(folder: Path, entry: Entry, forgery: Forged | None, settings: PrepareSettings) -> str:
    digest = hashlib.sha256()
    about = [CODE_VERSION, forgery, entry.path, entry.label, entry.identity, entry.method, entry.split]
    digest.update(json.dumps([*about, settings.model_dump(mode="json")], sort_keys=True).encode())
    video = folder / entry.path
    for file in (video, *sorted(depth_folder(video).glob("*.png"))):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]


def _worked(
    folder: Path, todo: dict[str, tuple[Entry, Forged | None]], settings: PrepareSettings, workers: int | None
) -> Iterable[tuple[str, _Payload | str]]:
    """(key, payload or reason of failure) of every video, in the order in which they are ready."""
    count = min(workers or os.cpu_count() or 1, len(todo))
    if count <= 1:
        for key, (entry, forgery) in todo.items():
            yield key, _attempt(key, folder, entry, forgery, settings)
        return
    # Spawned, not forked: the parent may already run threads.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        futures: dict[Future[_Payload | str], str] = {
            pool.submit(_attempt, key, folder, entry, forgery, settings): key for key, (entry, forgery) in todo.items()
        }
        for future in as_completed(futures):
            yield futures.pop(future), future.result()


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _attempt(key: str, folder: Path, entry: Entry, forgery: Forged | None, settings: PrepareSettings) -> _Payload | str:
    try:
        return _prepared(key, folder, entry, forgery, settings)
    except (InputError, WorkError) as error:
        return str(error)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """One sampled frame after detection: its crop, the box inside the crop, and the crop of its depth."""

    time_ms: float
    crop: Image | None
    box: Box | None
    depth: DepthImage | None


def _prepared(key: str, folder: Path, entry: Entry, forgery: Forged | None, settings: PrepareSettings) -> _Payload:
    video = folder / entry.path
    seen = _seen(video, settings)
    windows = _evenly(window_spans(len(seen), settings.hop), settings.max_windows)
    kept = {index for window in windows for index in range(window.start, window.end) if seen[index].box is not None}
    crops = {index: crop for index in sorted(kept) if (crop := seen[index].crop) is not None}
    depths = {index: depth for index in crops if (depth := seen[index].depth) is not None}
    label, method = entry.label, entry.method
    if forgery is not None:
        label, method = "fake", forgery
    if forgery is not None and crops:
        boxes = [box for index in crops if (box := seen[index].box) is not None]
        generator = np.random.default_rng([settings.seed, int(key[:8], 16)])
        forged = self_blended_crops(list(crops.values()), boxes, generator)
        crops = dict(zip(crops, forged.frames, strict=True))
    record = VideoRecord(
        key=key,
        path=entry.path,
        label=label,
        identity=entry.identity,
        method=method,
        split=entry.split,
        samples=tuple(
            Sample(
                time_ms=frame.time_ms,
                box=None
                if index not in crops or frame.box is None
                else (frame.box.x, frame.box.y, frame.box.w, frame.box.h),
                depth_valid=index in depths,
            )
            for index, frame in enumerate(seen)
        ),
        windows=tuple((window.start, window.end) for window in windows),
        depth_range=_range(list(depths.values())),
    )
    return _Payload(
        record=record,
        crops={index: encode_png(crop) for index, crop in crops.items()},
        depths={index: encode_png(depth) for index, depth in depths.items()},
    )


def _seen(video: Path, settings: PrepareSettings) -> list[_Seen]:
    tracker = FaceTracker(settings.faces)
    seen = []
    for frame in sampled_frames(video, settings.frame_rate):
        box = tracker.update(frame.image)
        if box is None:
            seen.append(_Seen(time_ms=frame.time_ms, crop=None, box=None, depth=None))
            continue
        square = square_around(box, settings.crop_margin)
        depth = read_depth(video, frame.index) if settings.depth == "beside" else None
        if depth is not None and depth.shape != frame.image.shape[:2]:
            raise InputError(
                f"{video}: its depth is {depth.shape[1]}x{depth.shape[0]}, its frames "
                f"{frame.image.shape[1]}x{frame.image.shape[0]}; write depth at the frames' size"
            )
        seen.append(
            _Seen(
                time_ms=frame.time_ms,
                crop=cut(frame.image, square, settings.padding),
                box=box.shifted(-square.x0, -square.y0),
                depth=None if depth is None else _cut_depth(depth, square),
            )
        )
    return seen


def _cut_depth(depth: DepthImage, square: Square) -> DepthImage:
    """The square of a depth map; outside the frame it is as far as the farthest point inside, so the range holds."""
    farthest = int(cut(depth, square, np.iinfo(depth.dtype).max).min())
    return cut(depth, square, farthest)


def _evenly(windows: list[WindowSpan], most: int) -> list[WindowSpan]:
    if len(windows) <= most:
        return windows
    return [windows[round(place)] for place in np.linspace(0, len(windows) - 1, most)]


def _range(depths: Sequence[DepthImage]) -> tuple[int, int] | None:
    if not depths:
        return None
    return min(int(depth.min()) for depth in depths), max(int(depth.max()) for depth in depths)


def _write_failures(file: Path, failures: dict[str, str]) -> None:
    if not failures:
        file.unlink(missing_ok=True)
        return
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(failures, indent=2, sort_keys=True) + "\n")
    temporary.replace(file)
