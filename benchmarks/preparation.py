"""Preparation against the reference's way, on the same videos in one run; and what it holds in memory.

The reference decodes every frame and runs dlib on each at full resolution, in one process. Its largest boxes are also
the truth that our boxes are held to: recall is the share of them that a box of ours matches at IoU 0.5, and the false
rate the share of our boxes with none of them within ten frames. Between two sampled frames our box is interpolated.
"""

import bisect
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import Field

from benchmarks.document import Document
from benchmarks.footprint import Footprint
from benchmarks.results import Machine
from core.corpus import Corpus, Entry, videos_in
from core.decision import WINDOW
from core.embeddings import EmbeddingCache
from core.errors import InputError, WorkError
from core.faces import FaceDetector
from core.prepare import PrepareSettings, Summary, prepare
from core.preprocess import Box
from core.records import VideoRecord
from core.store import ClipStore
from core.tracks import between
from core.video import EVERY_FRAME, sampled_frames

MATCH_IOU = 0.5
NEAR_FRAMES = 10
WORKERS = 2
CACHED_CLIPS, CACHED_WIDTH, CACHE_PASSES = 128, 384, 40
COPIES = 10
SETTINGS = PrepareSettings(depth="none")
"""No depth on either side: what is compared is decoding and faces."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the reference sees of one video."""

    times_ms: list[float]
    boxes: list[Box | None]
    """The largest of each frame."""


class Cache(Document):
    """The embedding cache of the reference: 128 clips of 2 x 20 x 384."""

    clips: int
    size_bytes: int
    clips_per_s: float


class MemoryGrowth(Document):
    """Peak anonymous memory of all processes, for a corpus and for ten copies of it."""

    peak_bytes: int | None
    peak_copies_bytes: int | None
    copies: int
    growth: float | None


class PreparationReport(Document):
    """What one run measured."""

    videos: int
    frames: int
    recall: float | None = Field(description="share of dlib's boxes matched; null where dlib sees no face")
    false_rate: float | None = Field(description="share of our boxes without a box of dlib's near; null without any")
    speedup: float = Field(description="reference over two workers")
    speedup_one_worker: float
    stages_share: dict[str, float] = Field(description="of the time of all processes, two workers")
    reference_s: float
    prepare_s: float
    prepare_one_worker_s: float
    worker_peak_bytes: int | None = Field(description="anonymous memory of the largest worker")
    cache: Cache
    memory: MemoryGrowth | None = None
    machine: Machine


def measure_preparation(
    folder: Path, *, machine: Machine, memory: bool, on_progress: Callable[[int, int], None]
) -> PreparationReport:
    """Run both ways on every video of `folder`. Raises InputError where it is no corpus."""
    corpus = _every_video(folder)
    steps = len(corpus.entries) + 2 + 2 * memory
    with tempfile.TemporaryDirectory(prefix="megatron-preparation-") as scratch:
        place = Path(scratch)
        with Footprint() as footprint:
            prepare_s, summary = _prepared(corpus, place / "two", workers=WORKERS)
        on_progress(1, steps)
        one_worker_s, _ = _prepared(corpus, place / "one", workers=1)
        on_progress(2, steps)
        if summary.failures:
            raise WorkError(f"{folder}: {next(iter(summary.failures.values()))}; remove the video to compare the rest")
        seen: dict[str, Seen] = {}
        started = time.perf_counter()
        for entry in corpus.entries:
            seen[entry.path] = reference_boxes(folder / entry.path)
            on_progress(2 + len(seen), steps)
        reference_s = time.perf_counter() - started
        with ClipStore.read(place / "two") as store:
            recall, false_rate = agreement(seen, store.records())
        growth = None
        if memory:
            growth = _growth(corpus, place, footprint)
            on_progress(steps, steps)
        return PreparationReport(
            videos=len(corpus.entries),
            frames=sum(len(one.times_ms) for one in seen.values()),
            recall=recall,
            false_rate=false_rate,
            speedup=reference_s / prepare_s,
            speedup_one_worker=reference_s / one_worker_s,
            stages_share=shares(summary),
            reference_s=reference_s,
            prepare_s=prepare_s,
            prepare_one_worker_s=one_worker_s,
            worker_peak_bytes=footprint.worker_bytes,
            cache=measure_cache(place / "cache"),
            memory=growth,
            machine=machine,
        )


def _every_video(folder: Path) -> Corpus:
    """All videos, whatever they are: nothing here depends on labels or sides."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such corpus folder; give a folder of videos")
    paths = [video.relative_to(folder).as_posix() for video in videos_in(folder)]
    if not paths:
        raise InputError(f"{folder}: no video in it; give a folder of videos")
    entries = (Entry(path=path, label="real", identity=path, method="original", split="train") for path in paths)
    return Corpus(folder=folder, entries=tuple(entries), identities_from="the paths")


def reference_boxes(video: Path) -> Seen:
    """Every frame decoded, dlib on each at full resolution."""
    detector = FaceDetector()
    times_ms: list[float] = []
    boxes: list[Box | None] = []
    for frame in sampled_frames(video, EVERY_FRAME):
        found = detector.detect(frame.image, part=None, scale=1.0, score=0.0)
        times_ms.append(frame.time_ms)
        boxes.append(max((face.box for face in found), key=lambda box: box.w * box.h, default=None))
    return Seen(times_ms=times_ms, boxes=boxes)


def agreement(seen: dict[str, Seen], records: Sequence[VideoRecord]) -> tuple[float | None, float | None]:
    """(recall, false rate) of the records' boxes over all frames of all videos."""
    found = matched = ours = lonely = 0
    for record in records:
        truth = seen[record.path]
        boxes = boxes_at(record, truth.times_ms)
        for place, (box, face) in enumerate(zip(boxes, truth.boxes, strict=True)):
            if face is not None:
                found += 1
                matched += box is not None and box.iou(face) >= MATCH_IOU
            if box is not None:
                ours += 1
                near = truth.boxes[max(0, place - NEAR_FRAMES) : place + NEAR_FRAMES + 1]
                lonely += all(other is None for other in near)
    return matched / found if found else None, lonely / ours if ours else None


def boxes_at(record: VideoRecord, times_ms: Sequence[float]) -> list[Box | None]:
    """Our box at each time: that of the sample before, moved towards the next one's where that has the same face."""
    samples = [sample.time_ms for sample in record.samples]
    faces = [None if sample.face is None else record.box(place) for place, sample in enumerate(record.samples)]
    out: list[Box | None] = []
    for time_ms in times_ms:
        place = max(0, bisect.bisect_right(samples, time_ms) - 1)
        box = faces[place] if faces else None
        following = faces[place + 1] if place + 1 < len(faces) else None
        if box is not None and following is not None and box.iou(following) > 0:
            share = (time_ms - samples[place]) / (samples[place + 1] - samples[place])
            box = between(box, following, max(0.0, share))
        out.append(box)
    return out


def shares(summary: Summary) -> dict[str, float]:
    """Each stage's part of the time of all workers, largest first."""
    whole = sum(summary.seconds.values()) or 1.0
    return {stage: seconds / whole for stage, seconds in summary.seconds.most_common()}


def measure_cache(folder: Path) -> Cache:
    """Size and reading rate of the reference's 128 clips."""
    rng = np.random.default_rng(0)
    keys = [f"clip{number:03d}" for number in range(CACHED_CLIPS)]
    with EmbeddingCache(folder) as cache:
        cache.put((key, rng.standard_normal((2, WINDOW, CACHED_WIDTH)).astype(np.float16)) for key in keys)
        cache.get(keys)
        started = time.perf_counter()
        for _ in range(CACHE_PASSES):
            assert all(clip is not None for clip in cache.get(keys))
        seconds = time.perf_counter() - started
    size_bytes = sum(file.stat().st_size for file in folder.iterdir())
    return Cache(clips=CACHED_CLIPS, size_bytes=size_bytes, clips_per_s=CACHE_PASSES * CACHED_CLIPS / seconds)


def _prepared(corpus: Corpus, store: Path, *, workers: int) -> tuple[float, Summary]:
    started = time.perf_counter()
    summary = prepare(corpus, store, SETTINGS, workers=workers)
    return time.perf_counter() - started, summary


def _growth(corpus: Corpus, place: Path, single: Footprint) -> MemoryGrowth:
    """Prepare ten copies of the corpus, under other names."""
    many = place / "copies"
    entries: list[Entry] = []
    for copy in range(COPIES):
        for entry in corpus.entries:
            link = many / str(copy) / entry.path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((corpus.folder / entry.path).resolve())
            entries.append(replace(entry, path=f"{copy}/{entry.path}"))
    copies = Corpus(folder=many, entries=tuple(entries), identities_from=corpus.identities_from)
    with Footprint() as footprint:
        _prepared(copies, place / "many", workers=WORKERS)
    growth = None
    if single.total_bytes and footprint.total_bytes:
        growth = footprint.total_bytes / single.total_bytes - 1
    return MemoryGrowth(
        peak_bytes=single.total_bytes, peak_copies_bytes=footprint.total_bytes, copies=COPIES, growth=growth
    )
