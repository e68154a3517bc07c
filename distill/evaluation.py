"""Embeddings and scores of a trained model over whole windows, teacher and student alike."""

import copy

import torch
from torch import Tensor

from core.command_line import progress
from core.decision import WINDOW, Decision
from core.metrics import Metrics, ScoredWindow, summarise
from core.models import Student, Teacher
from core.store import VideoRecord
from distill.data import ClipData
from distill.stages import Embeddings, Targets, pixels


@torch.inference_mode()
def embed(title: str, model: Teacher | Student, data: ClipData, *, depth_trained: bool = True) -> Embeddings:
    """Both streams of every window of `data` for each of its variants (at least one).

    A student sees RGB alone, so its depth stream is valid where the face is; never if not `depth_trained`.
    """
    # Fused, in a copy: the same outputs in half the time.
    model = copy.deepcopy(model).eval()
    for trunk in (model.trunk,) if isinstance(model, Student) else (model.rgb_trunk, model.depth_trunk):
        trunk.fuse()
    model = model.to(memory_format=torch.channels_last)
    rgb: list[Tensor] = []
    depth: list[Tensor] = []
    face_valid: list[Tensor] = []
    depth_valid: list[Tensor] = []
    variants = max(1, data.variants)
    with progress(title) as report:
        for k in range(variants):
            for batch in data.whole_windows(k):
                count = len(batch.windows)
                frames = pixels(batch.frames.flatten(0, 1))
                if isinstance(model, Student):
                    streams = model.encode(frames)[:2]
                    heard = batch.face_valid if depth_trained else torch.zeros_like(batch.face_valid)
                else:
                    streams = (
                        model.encode_rgb(frames),
                        model.encode_depth(pixels(batch.depth.flatten(0, 1))),
                    )
                    heard = batch.depth_valid
                rgb.append(streams[0].view(count, WINDOW, -1) * batch.face_valid.unsqueeze(2))
                depth.append(streams[1].view(count, WINDOW, -1) * heard.unsqueeze(2))
                if k == 0:
                    face_valid.append(batch.face_valid)
                    depth_valid.append(heard)
                report(k * len(data.windows) + int(batch.windows[-1]) + 1, variants * len(data.windows))
    shape = (variants, len(data.windows), WINDOW, -1)
    return Embeddings(
        rgb=torch.cat(rgb).view(shape),
        depth=torch.cat(depth).view(shape),
        face_valid=torch.cat(face_valid),
        depth_valid=torch.cat(depth_valid),
        is_fake=data.is_fake,
    )


@torch.inference_mode()
def targets_of(teacher: Teacher, embeddings: Embeddings) -> Targets:
    """Window logits, and each frame's logits when judged alone, for every variant."""
    teacher = teacher.eval()
    windows = [_window_logits(teacher, embeddings, k) for k in range(len(embeddings.rgb))]
    frames = [_frame_logits(teacher, embeddings, k) for k in range(len(embeddings.rgb))]
    return Targets(embeddings=embeddings, window_logits=torch.stack(windows), frame_logits=torch.stack(frames))


@torch.inference_mode()
def score(model: Teacher | Student, embeddings: Embeddings, data: ClipData) -> list[ScoredWindow]:
    """Logits of every window of `data`, embedded without variants."""
    model = model.eval()
    logits, frames = _window_logits(model, embeddings, 0), _frame_logits(model, embeddings, 0)
    return [
        ScoredWindow(
            # A forgery made in preparation shares its video's path with the original.
            video=window.record.key,
            is_fake=window.is_fake,
            logits=(float(logits[row, 0]), float(logits[row, 1])),
            frame_logits=tuple(
                (float(frames[row, slot, 0]), float(frames[row, slot, 1])) for slot in window.valid_slots
            ),
        )
        for row, window in enumerate(data.windows)
    ]


def metrics_of(windows: list[ScoredWindow], records: list[VideoRecord], decision: Decision) -> Metrics:
    """The block of metrics.json over one side of the split, whose videos are `records`."""
    decided = {window.video for window in windows}
    samples = [sample for record in records for sample in record.samples]
    valid = sum(sample.face is not None for sample in samples)
    return summarise(
        windows,
        decision,
        undecided=sum(record.key not in decided for record in records),
        coverage=valid / len(samples) if samples else 0.0,
    )


def _window_logits(model: Teacher | Student, embeddings: Embeddings, k: int) -> Tensor:
    return model.classify(embeddings.rgb[k], embeddings.depth[k], embeddings.face_valid, embeddings.depth_valid).float()


def _frame_logits(model: Teacher | Student, embeddings: Embeddings, k: int) -> Tensor:
    """[N, 20, 2]: `classify` with one slot valid."""
    alone = torch.eye(WINDOW)
    rows = []
    for window in range(len(embeddings.is_fake)):
        rgb = embeddings.rgb[k, window].expand(WINDOW, -1, -1)
        depth = embeddings.depth[k, window].expand(WINDOW, -1, -1)
        face_valid = alone * embeddings.face_valid[window]
        depth_valid = alone * embeddings.depth_valid[window]
        rows.append(model.classify(rgb, depth, face_valid, depth_valid).float())
    return torch.stack(rows)
