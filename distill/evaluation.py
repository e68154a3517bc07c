"""Scores and figures of a trained model over one side of the split, teacher and student alike."""

from collections.abc import Iterator, Sequence

import torch

from core.decision import Decision
from core.metrics import Metrics, ScoredWindow, summarise
from core.models import Student, Teacher
from core.records import VideoRecord, coverage_of
from distill.data import ClipData
from distill.streams import Streams
from distill.targets import judged_alone, window_logits


@torch.inference_mode()
def score(model: Teacher | Student, streams: Streams, data: ClipData) -> list[ScoredWindow]:
    """Logits of every judged window of `data` in each of its variants, and of each of its frames judged alone.

    A variant is a video of its own, and so is a twin.
    """
    model = model.eval()
    return [window for k in range(len(streams.keys)) for window in _scored(model, streams, data, k)]


def _scored(model: Teacher | Student, streams: Streams, data: ClipData, k: int) -> Iterator[ScoredWindow]:
    for rows, logits in window_logits(model, streams, k, range(len(streams.windows)), size=64):
        rgb, depth, face_valid, depth_valid = streams.at([k] * len(rows), rows)
        place, slots = torch.nonzero(face_valid, as_tuple=True)
        valid = face_valid[place, slots], depth_valid[place, slots]
        frames = judged_alone(model, rgb[place, slots], depth[place, slots], slots, valid)
        for row, (real, fake) in zip(rows, logits.tolist(), strict=True):
            window = data.windows[streams.windows[row]]
            yield ScoredWindow(
                # A forgery made in preparation shares its video's path with the original, but not its key.
                video=f"{window.record.key} {window.forged} {k}" if data.variants else window.record.key,
                is_fake=window.is_fake,
                logits=(real, fake),
                frame_logits=tuple((real, fake) for real, fake in frames[place == row - rows[0]].tolist()),
            )


def metrics_of(windows: Sequence[ScoredWindow], records: Sequence[VideoRecord], decision: Decision) -> Metrics:
    """The block of metrics.json over one side of the split, whose videos are `records`."""
    decided = {window.video for window in windows}
    return summarise(
        windows,
        decision,
        undecided=sum(record.key not in decided for record in records),
        coverage=coverage_of(records),
    )
