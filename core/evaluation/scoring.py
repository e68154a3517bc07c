"""Every window and every frame of a store's videos through a model, as they are and perturbed.

A frame is encoded once for each way it is shown, however many windows hold it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.clips import ClipWindow, windows_of
from core.decision import WINDOW, Logits
from core.evaluation.perturbations import Perturbation
from core.evaluation.subject import Subject
from core.metrics import ScoredWindow
from core.preprocess import PreprocessSpec
from core.records import VideoRecord
from core.runtimes import Array
from core.store import ClipStore
from core.transforms import Variant
from core.transforms.degradation import Frames
from core.transforms.variation import Face, read_face, seen

Progress = Callable[[int, int], None]

CLEAN = None
"""Of the ways a video may be shown, the one without a perturbation."""

FramesOf = dict[int, tuple[Array, Array]]
"""Sample -> its two embeddings, each float32 [D]."""


@dataclass(frozen=True, kw_only=True)
class ScoredVideo:
    """A video and its decided windows; without one it is undecided."""

    record: VideoRecord
    windows: tuple[ScoredWindow, ...]


def scored(
    store: ClipStore,
    records: Sequence[VideoRecord],
    subject: Subject,
    perturbations: Sequence[Perturbation] = (),
    *,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> dict[Perturbation | None, list[ScoredVideo]]:
    """`records` as `subject` judges them: as they are (under `CLEAN`), and under each perturbation, which `seed` draws.

    Boxes are those of the videos as they are, however they are shown.
    """
    found: dict[Perturbation | None, list[ScoredVideo]] = {way: [] for way in (CLEAN, *perturbations)}
    for done, record in enumerate(records, start=1):
        windows = windows_of([record], min_coverage=subject.decision.min_coverage)
        embeddings = _embedded(store, record, windows, subject, list(found), seed)
        for way, videos in found.items():
            rows = _judged(windows, embeddings[way], subject)
            videos.append(ScoredVideo(record=record, windows=tuple(rows)))
        if on_progress:
            on_progress(done, len(records))
    return found


def _embedded(
    store: ClipStore,
    record: VideoRecord,
    windows: Sequence[ClipWindow],
    subject: Subject,
    ways: Sequence[Perturbation | None],
    seed: int,
) -> dict[Perturbation | None, FramesOf]:
    """Both embeddings of every sample that a window shows, for each way it is shown."""
    samples = sorted({s for window in windows for slot in window.valid_slots if (s := window.sample(slot)) is not None})
    found: dict[Perturbation | None, FramesOf] = {way: {} for way in ways}
    # A model sees neither depth nor masks, so they are not read.
    bare = record.model_copy(update={"depth_range": None, "forgery": None})
    # Crops of a large face are too much to hold for a whole video; a codec's stretch is as long as a window.
    for first in range(0, len(samples), WINDOW):
        stretch = samples[first : first + WINDOW]
        faces = [read_face(store, bare, sample) for sample in stretch]
        for way, embeddings in found.items():
            shown = faces if way is CLEAN else way.applied(faces, record, subject.spec, seed=seed)
            embeddings.update(zip(stretch, _encoded(model_inputs(shown, subject.spec), subject), strict=True))
    return found


def model_inputs(faces: Sequence[Face], spec: PreprocessSpec) -> Frames:
    """uint8 [N, S, S, 3]: the faces cut and fitted by `spec`, rounded to bytes as a store's slots are."""
    return seen(faces, Variant(), spec, (0, 0)).frames


def _encoded(frames: Frames, subject: Subject) -> Iterator[tuple[Array, Array]]:
    for first in range(0, len(frames), subject.batch):
        pixels = frames[first : first + subject.batch].transpose(0, 3, 1, 2).astype(np.float32)
        rgb, depth, _ = subject.runtime.run("encode", np.ascontiguousarray(pixels))
        # Copied: the runtime may reuse its output memory at the next call.
        yield from zip(rgb.copy(), depth.copy(), strict=True)


def _judged(windows: Sequence[ClipWindow], embeddings: FramesOf, subject: Subject) -> list[ScoredWindow]:
    """Each window, and each of its frames as if it were the only valid one."""
    rows = [row for window in windows for row in _rows(window, embeddings)]
    logits = iter(_classified(rows, subject))
    return [
        ScoredWindow(
            video=window.record.key,
            is_fake=window.is_fake,
            logits=next(logits),
            frame_logits=tuple(next(logits) for _ in window.valid_slots),
        )
        for window in windows
    ]


def _rows(window: ClipWindow, embeddings: Mapping[int, tuple[Array, Array]]) -> Iterator[tuple[Array, Array, Array]]:
    """(rgb [20, D], depth [20, D], validity [20]) of the whole window, then of each frame alone."""
    width = len(next(iter(embeddings.values()))[0])
    rgb, depth = np.zeros((WINDOW, width), np.float32), np.zeros((WINDOW, width), np.float32)
    valid = np.zeros(WINDOW, np.float32)
    for slot in window.valid_slots:
        sample = window.sample(slot)
        assert sample is not None
        rgb[slot], depth[slot] = embeddings[sample]
        valid[slot] = 1.0
    yield rgb, depth, valid
    for slot in window.valid_slots:
        yield rgb, depth, np.eye(WINDOW, dtype=np.float32)[slot]


def _classified(rows: Sequence[tuple[Array, Array, Array]], subject: Subject) -> Iterator[Logits]:
    for first in range(0, len(rows), subject.batch):
        rgb, depth, valid = (np.stack(column) for column in zip(*rows[first : first + subject.batch], strict=True))
        heard = valid if subject.depth_trained else np.zeros_like(valid)
        (logits,) = subject.runtime.run("classify", rgb, depth, valid, heard)
        yield from ((float(real), float(fake)) for real, fake in logits)
