"""Embeddings and scores of a trained model over whole windows, teacher and student alike."""

import copy

import numpy as np
import torch
from torch import Tensor

from core.clips import ClipWindow
from core.command_line import progress
from core.decision import WINDOW, Decision
from core.embeddings import EmbeddingCache
from core.metrics import Metrics, ScoredWindow, summarise
from core.models import Student, Teacher
from core.models.backbone import Trunk
from core.runs import weights_sha256
from core.store import VideoRecord
from distill.data import Batch, ClipData
from distill.stages import Embeddings, Targets, pixels


@torch.inference_mode()
def embed(
    title: str, model: Teacher | Student, data: ClipData, cache: EmbeddingCache, *, depth_trained: bool = True
) -> Embeddings:
    """Both streams of every window of `data` for each of its variants (at least one), rounded to float16.

    What `cache` holds of these weights is not computed again. A student sees RGB alone, so its depth stream is valid
    where the face is; never if not `depth_trained`.
    """
    variants, count = max(1, data.variants), len(data.windows)
    masks = [_masks(model, window, depth_trained=depth_trained) for window in data.windows]
    face_valid, depth_valid = (torch.stack(rows) for rows in zip(*masks, strict=True))
    encoder = _Encoder(model)
    rows: list[Tensor] = []
    with progress(title) as report:
        for k in range(variants):
            keys = [f"{encoder.digest}/{data.digest(window, k)}" for window in range(count)]
            kept = zip(keys, cache.get(keys), strict=True)
            found = {key: clip for key, clip in kept if clip is not None}
            missing = [window for window, key in enumerate(keys) if key not in found]
            done = k * count + count - len(missing)
            for batch in data.whole_windows(k, missing):
                clips = encoder(batch).numpy()
                made = {keys[window]: clip for window, clip in zip(batch.windows.tolist(), clips, strict=True)}
                cache.put(made.items())
                found |= made
                done += len(batch.windows)
                report(done, variants * count)
            rows.append(torch.from_numpy(np.stack([found[key] for key in keys])).float())
    streams = torch.stack(rows)
    return Embeddings(
        rgb=streams[:, :, 0] * face_valid.unsqueeze(2),
        depth=streams[:, :, 1] * depth_valid.unsqueeze(2),
        face_valid=face_valid,
        depth_valid=depth_valid,
        is_fake=data.is_fake,
    )


class _Encoder:
    """A model's trunks, fused in a copy: the same embeddings in half the time."""

    def __init__(self, model: Teacher | Student) -> None:
        parts = (model.trunk, model.depth_head) if isinstance(model, Student) else (model.rgb_trunk, model.depth_trunk)
        self.digest = f"{model.config.role}/{'/'.join(weights_sha256(part)[:32] for part in parts)}"
        """Of the weights that embeddings depend on."""
        self._model = copy.deepcopy(model).eval()
        for trunk in self._model.modules():
            if isinstance(trunk, Trunk):
                trunk.fuse()
        self._model = self._model.to(memory_format=torch.channels_last)

    def __call__(self, batch: Batch) -> Tensor:
        """float16 [N, 2, 20, D]: RGB, depth; what stands in an invalid slot means nothing."""
        frames = pixels(batch.frames.flatten(0, 1))
        if isinstance(self._model, Student):
            rgb, depth, _ = self._model.encode(frames)
        else:
            rgb = self._model.encode_rgb(frames)
            depth = self._model.encode_depth(pixels(batch.depth.flatten(0, 1)))
        shape = (len(batch.windows), WINDOW, -1)
        return torch.stack([rgb.view(shape), depth.view(shape)], dim=1).half()


def _masks(model: Teacher | Student, window: ClipWindow, *, depth_trained: bool) -> tuple[Tensor, Tensor]:
    """(face_valid, depth_valid), each float32 [20], as `model` is given them."""
    face, depth = torch.zeros(WINDOW), torch.zeros(WINDOW)
    face[window.valid_slots] = 1.0
    heard = (window.valid_slots if depth_trained else []) if isinstance(model, Student) else window.depth_slots
    depth[heard] = 1.0
    return face, depth


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
