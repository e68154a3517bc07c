"""Scores and figures of a trained model over one side of the split, teacher and student alike."""

from collections.abc import Sequence

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
    """Logits of every judged window of `data`, embedded without variants, and of each of its frames judged alone."""
    model = model.eval()
    scored = []
    for rows, logits in window_logits(model, streams, 0, range(len(streams.windows)), size=64):
        rgb, depth, face_valid, depth_valid = streams.at([0] * len(rows), rows)
        place, slots = torch.nonzero(face_valid, as_tuple=True)
        valid = face_valid[place, slots], depth_valid[place, slots]
        frames = judged_alone(model, rgb[place, slots], depth[place, slots], slots, valid)
        for row, (real, fake) in zip(rows, logits.tolist(), strict=True):
            window = data.windows[streams.windows[row]]
            scored.append(
                ScoredWindow(
                    # A forgery made in preparation shares its video's path with the original.
                    video=window.record.key,
                    is_fake=window.is_fake,
                    logits=(real, fake),
                    frame_logits=tuple((real, fake) for real, fake in frames[place == row - rows[0]].tolist()),
                )
            )
    return scored


def metrics_of(windows: Sequence[ScoredWindow], records: Sequence[VideoRecord], decision: Decision) -> Metrics:
    """The block of metrics.json over one side of the split, whose videos are `records`."""
    decided = {window.video for window in windows}
    return summarise(
        windows,
        decision,
        undecided=sum(record.key not in decided for record in records),
        coverage=coverage_of(records),
    )
