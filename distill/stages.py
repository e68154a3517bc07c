"""The Lightning modules: what one step of each stage of training computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.utils.data import IterableDataset

from core.decision import WINDOW
from core.metrics import auc
from core.models import Student, Teacher
from core.models.fusion import TemporalFusion
from distill.data import Batch, ClipData, balanced
from distill.losses import depth_loss, depth_target, embedding_loss, label_loss, soft_target_loss
from distill.recipes import LossWeights, Stage


@dataclass(frozen=True, kw_only=True)
class Embeddings:
    """Both streams of every window of one side of the split, for each variant k."""

    rgb: Tensor
    """float32 [K, N, 20, D]."""
    depth: Tensor
    """float32 [K, N, 20, D]."""
    face_valid: Tensor
    """float32 [N, 20]."""
    depth_valid: Tensor
    """float32 [N, 20]."""
    is_fake: Tensor
    """int64 [N]."""

    def at(self, k: int, windows: Tensor, *, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """(rgb, depth, face_valid, depth_valid, is_fake) of `windows` [M], on `device`."""
        rows = windows.cpu()
        parts = (
            self.rgb[k, rows],
            self.depth[k, rows],
            self.face_valid[rows],
            self.depth_valid[rows],
            self.is_fake[rows],
        )
        rgb, depth, face_valid, depth_valid, is_fake = (part.to(device) for part in parts)
        return rgb, depth, face_valid, depth_valid, is_fake


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What the teacher says of every window of the training side, for each variant k."""

    embeddings: Embeddings
    frame_logits: Tensor
    """float32 [K, N, 20, 2]: each frame judged alone."""
    window_logits: Tensor
    """float32 [K, N, 2]."""

    def at(self, k: int, windows: Tensor, slots: Tensor, *, device: torch.device) -> "FrameTargets":
        """Targets of M = N x F frames: `windows` is [N, 1], `slots` [N, F]."""
        rows = (k, windows.cpu(), slots.cpu())
        return FrameTargets(
            rgb=self.embeddings.rgb[rows].flatten(0, 1).to(device),
            depth=self.embeddings.depth[rows].flatten(0, 1).to(device),
            frame_logits=self.frame_logits[rows].flatten(0, 1).to(device),
        )


@dataclass(frozen=True, kw_only=True)
class FrameTargets:
    """What the teacher says of M single frames: [M, D], [M, D], [M, 2]."""

    rgb: Tensor
    depth: Tensor
    frame_logits: Tensor


class TrainingStage(L.LightningModule):
    """Optimiser, schedule and validation score that the stages share."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self._scores: list[tuple[Tensor, Tensor]] = []

    def trained(self) -> nn.Module:
        """The module whose best weights are kept."""
        raise AssertionError("each stage names its own")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; no decay on norms, biases and other vectors."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.stage.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.stage.learning_rate)
        schedule: LRScheduler = OneCycleLR(
            optimizer, self.stage.learning_rate, total_steps=self.stage.steps, pct_start=0.1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def record(self, logits: Tensor, is_fake: Tensor) -> None:
        """Keep validation logits [N, 2] until the end of the pass."""
        self._scores.append((logits.float().cpu(), is_fake.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log AUC and cross-entropy over the validation side."""
        logits, is_fake = (torch.cat(parts) for parts in zip(*self._scores, strict=True))
        self._scores.clear()
        margin = logits[:, 1] - logits[:, 0]
        score = auc(list(zip(is_fake.bool().tolist(), margin.sigmoid().tolist(), strict=True)))
        self.log("val_auc", 0.5 if score is None else score, prog_bar=True)
        self.log("val_loss", nn.functional.cross_entropy(logits, is_fake), prog_bar=True)


class TeacherFrames(TrainingStage):
    """Both trunks on single frames, each with a linear head of its own that is thrown away afterwards."""

    def __init__(self, teacher: Teacher, stage: Stage) -> None:
        super().__init__(stage)
        self.teacher = teacher
        self.rgb_head = nn.Linear(teacher.embed_dim, 2)
        self.depth_head = nn.Linear(teacher.embed_dim, 2)

    def trained(self) -> nn.Module:
        """See `TrainingStage`."""
        return self.teacher

    def training_step(self, batch: Batch) -> Tensor:
        """Cross-entropy of both heads."""
        rgb = self.teacher.encode_rgb(pixels(batch.frames.flatten(0, 1)))
        loss = label_loss(self.rgb_head(rgb), batch.is_fake.repeat_interleave(batch.frames.shape[1]))
        valid = batch.depth_valid[:, 0] > 0
        # One slot of each window at every other step: depth holds the smaller part of the evidence.
        if self.global_step % 2 == 0 and valid.sum() > 1:
            depth_logits = self.depth_head(self.teacher.encode_depth(pixels(batch.depth[:, 0][valid])))
            loss = loss + 0.3 * label_loss(depth_logits, batch.is_fake[valid])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Logits of the RGB head."""
        self.record(*_judged(self.rgb_head, self.teacher.encode_rgb, batch))


class StudentFrames(TrainingStage):
    """The student's trunk and depth head on single frames, taught by the teacher's embeddings and the depth maps."""

    def __init__(
        self, student: Student, stage: Stage, *, targets: Targets, losses: LossWeights, temperature: float
    ) -> None:
        super().__init__(stage)
        self.student = student
        self.head = nn.Linear(student.embed_dim, 2)
        self.targets, self.losses, self.temperature = targets, losses, temperature

    def trained(self) -> nn.Module:
        """See `TrainingStage`."""
        return self.student

    def training_step(self, batch: Batch) -> Tensor:
        """The four terms, each logged."""
        count, slots = batch.slots.shape
        rgb, depth_embedding, depth = self.student.encode(pixels(batch.frames.flatten(0, 1)))
        logits = self.head(rgb)
        told = self.targets.at(batch.k, batch.windows.unsqueeze(1), batch.slots, device=self.device)
        face_valid, depth_valid = batch.face_valid.flatten(), batch.depth_valid.flatten()
        size = depth.shape[-1]
        wanted_depth = depth_target(batch.depth.squeeze(2), size)
        terms = {
            "label": label_loss(logits, batch.is_fake.repeat_interleave(slots)),
            "soft": soft_target_loss(logits, told.frame_logits, self.temperature),
            "embedding": embedding_loss(rgb, told.rgb, face_valid)
            + embedding_loss(depth_embedding, told.depth, depth_valid),
            "depth": depth_loss(depth.view(count, slots, size, size), wanted_depth, batch.depth_valid.amin(dim=1)),
        }
        return _weighted(self, terms, self.losses)

    def validation_step(self, batch: Batch) -> None:
        """Logits of the head."""
        self.record(*_judged(self.head, lambda frames: self.student.encode(frames)[0], batch))


class Fusion(TrainingStage):
    """A fusion on cached embeddings; with `targets` it is a student's, taught by the teacher's logits."""

    def __init__(
        self,
        fusion: TemporalFusion,
        stage: Stage,
        *,
        train: Embeddings,
        val: Embeddings,
        targets: Targets | None = None,
        losses: LossWeights | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(stage)
        self.fusion = fusion
        self.data, self.val = train, val
        self.targets, self.losses, self.temperature = targets, losses or LossWeights(), temperature

    def trained(self) -> nn.Module:
        """See `TrainingStage`."""
        return self.fusion

    def training_step(self, batch: tuple[int, Tensor, Tensor]) -> Tensor:
        """Cross-entropy, and where there is a teacher its softened logits."""
        k, chosen, kept = batch
        rgb, depth, face_valid, depth_valid, is_fake = self.data.at(k, chosen, device=self.device)
        # The depth stream is silent for half of the windows, so that the fusion leans on neither stream.
        heard = (torch.rand(len(chosen), 1, device=self.device) < 0.5).float()
        logits = self.fusion(rgb, depth, face_valid * kept, depth_valid * kept * heard)
        terms = {"label": label_loss(logits, is_fake)}
        if self.targets is not None:
            told = self.targets.window_logits[k, chosen.cpu()].to(self.device)
            terms["soft"] = soft_target_loss(logits, told, self.temperature)
        return _weighted(self, terms, self.losses)

    def validation_step(self, batch: Tensor) -> None:
        """Logits of the windows at the places `batch`."""
        rgb, depth, face_valid, depth_valid, is_fake = self.val.at(0, batch, device=self.device)
        self.record(self.fusion(rgb, depth, face_valid, depth_valid), is_fake)


class FusionBatches(IterableDataset[tuple[int, Tensor, Tensor]]):
    """Endless (k, windows [N], slots kept [N, 20]): some slots are dropped, as a short or patchy video drops them."""

    def __init__(self, embeddings: Embeddings, *, windows: int, seed: int) -> None:
        self._embeddings, self._windows, self._seed = embeddings, windows, seed

    def __iter__(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        generator = np.random.default_rng(self._seed)
        variants = len(self._embeddings.rgb)
        for k, chosen in balanced(self._embeddings.is_fake, self._windows, variants, generator):
            yield k, torch.tensor(chosen), torch.stack([_kept(generator) for _ in chosen])


def pixels(frames: Tensor) -> Tensor:
    """uint8 [N, C, S, S] as the float32 that models take, in the memory layout that convolutions like."""
    return frames.float().contiguous(memory_format=torch.channels_last)


def _kept(generator: np.random.Generator) -> Tensor:
    kept = torch.ones(WINDOW)
    if generator.random() < 0.25:
        kept[: generator.integers(0, WINDOW)] = 0.0
    if generator.random() < 0.25:
        kept[torch.from_numpy(generator.random(WINDOW) < 0.3)] = 0.0
    # The newest slot stays: a window of nothing has no label to learn.
    kept[-1] = 1.0
    return kept


def _weighted(stage: TrainingStage, terms: dict[str, Tensor], weights: LossWeights) -> Tensor:
    loss = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    stage.log_dict({f"loss_{name}": term for name, term in terms.items()})
    stage.log("loss", loss, prog_bar=True)
    return loss


def _judged(head: nn.Module, encode: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits [M, 2] of the batch's frames that show a face, and their labels [M]."""
    shown = batch.face_valid.flatten() > 0
    is_fake = batch.is_fake.repeat_interleave(batch.face_valid.shape[1])
    return head(encode(pixels(batch.frames.flatten(0, 1)[shown]))), is_fake[shown]


def validation_batches(data: ClipData, slots: int) -> list[Batch]:
    """Every window, with a few evenly spaced slots of those that show a face."""
    batches = []
    for first in range(0, len(data.windows), 16):
        chosen = list(range(first, min(first + 16, len(data.windows))))
        valid = [data.windows[window].valid_slots for window in chosen]
        places = [[v[round(p)] for p in np.linspace(0, len(v) - 1, slots)] for v in valid]
        batches.append(data.batch(chosen, 0, places))
    return batches
