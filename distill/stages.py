"""The Lightning modules: what one step of each stage of training computes."""

from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from core.metrics import auc
from core.models import Student, Teacher
from core.models.backbone import global_mean
from core.models.fusion import TemporalFusion
from distill.batches import TaughtFrames, TaughtWindows
from distill.data import Batch
from distill.losses import (
    depth_loss,
    depth_target,
    embedding_loss,
    forged_area_loss,
    label_loss,
    ranking_loss,
    relation_loss,
    soft_target_loss,
)
from distill.recipes import LossWeights, Stage
from distill.streams import pixels


class TrainingStage(L.LightningModule):
    """Optimiser, schedule and validation score that the stages share."""

    def __init__(self, stage: Stage, *, seed: int) -> None:
        super().__init__()
        self.stage, self.seed = stage, seed
        self._scores: list[tuple[Tensor, Tensor]] = []

    def trained(self) -> nn.Module:
        """The module whose weights are kept."""
        raise AssertionError("each stage names its own")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW, its first moment held at 0.9; no decay on norms, biases and other vectors."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.stage.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.stage.learning_rate)
        schedule: LRScheduler = OneCycleLR(
            optimizer,
            self.stage.learning_rate,
            total_steps=self.stage.updates,
            pct_start=0.1,
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout and whatever else is drawn depends on the step alone, so that a resumed run draws the same."""
        torch.manual_seed(self.seed * 1_000_003 + self.trained_batches)

    @property
    def trained_batches(self) -> int:
        """Batches that were trained on before this one, in this process or in one that was ended."""
        return int(self.trainer.fit_loop.epoch_loop.total_batch_idx)

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
        self.log("val_loss", F.cross_entropy(logits, is_fake), prog_bar=True)

    def weighted(self, terms: dict[str, Tensor], weights: LossWeights) -> Tensor:
        """The sum of all terms by their weights; each is logged. A term whose weight is 0 need not be there."""
        loss = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        self.log_dict({f"loss_{name}": term for name, term in terms.items()})
        self.log("loss", loss, prog_bar=True)
        return loss


class FrameHeads(nn.Module):
    """What trains a trunk on single frames: real or fake, and where it was forged.

    A fusion begins as the mean of its verdicts, a student's trunk under its teacher's heads; no model has them.

    The map of the forged area (after Li et al., "Face X-ray", CVPR 2020) tells the trunk at every place of a frame what
    one label tells it once, and so brings it to the seams of a forgery in a fraction of the steps.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.label = nn.Linear(channels[-1], 2)
        self.fine = nn.Conv2d(channels[1], 1, 1)
        self.coarse = nn.Conv2d(channels[2], 1, 1)

    def area(self, features: tuple[Tensor, ...]) -> Tensor:
        """Logits [N, 1, S/8, S/8] of the share of each place that is forged."""
        coarse = F.interpolate(self.coarse(features[2]), scale_factor=2.0, mode="bilinear", align_corners=False)
        fine: Tensor = self.fine(features[1])
        return fine + coarse


def with_heads(model: Teacher | Student, heads: FrameHeads) -> nn.ModuleDict:
    """A model and the heads that it is trained with, for their weights to be kept together."""
    return nn.ModuleDict({"model": model, "heads": heads})


def frame_terms(
    heads: FrameHeads, embeddings: Tensor, features: tuple[Tensor, ...], batch: Batch, weights: LossWeights
) -> tuple[dict[str, Tensor], Tensor]:
    """The terms that need no teacher, and the logits [M, 2] of the batch's M = N x F frames."""
    count, slots = batch.slots.shape
    logits = heads.label(embeddings)
    terms = {"label": label_loss(logits, batch.is_fake.repeat_interleave(slots))}
    if weights.ranking:
        scores = (logits[:, 1] - logits[:, 0]).view(count, slots)
        terms["ranking"] = ranking_loss(scores[batch.pairs[:, 1]].flatten(), scores[batch.pairs[:, 0]].flatten())
    if weights.area:
        known = (batch.face_valid * batch.masked.unsqueeze(1)).flatten()
        terms["area"] = forged_area_loss(heads.area(features), batch.masks.flatten(0, 1), known)
    return terms, logits


class TeacherFrames(TrainingStage):
    """Both trunks on single frames, seen once and as they are; frames are judged by all of a model's views."""

    def __init__(self, teacher: Teacher, stage: Stage, *, losses: LossWeights, seed: int) -> None:
        super().__init__(stage, seed=seed)
        self.teacher, self.losses = teacher, losses
        self.heads = FrameHeads(teacher.rgb_trunk.channels)
        self.depth_head = nn.Linear(teacher.embed_dim, 2)

    def trained(self) -> nn.Module:
        """See `TrainingStage`."""
        return with_heads(self.teacher, self.heads)

    def training_step(self, batch: TaughtFrames) -> Tensor:
        """What tells frames apart by RGB, and by depth where it is known."""
        clips = batch.clips
        features = self.teacher.rgb_trunk(pixels(clips.frames.flatten(0, 1)))
        terms, _ = frame_terms(self.heads, global_mean(features[-1]), features, clips, self.losses)
        valid = clips.depth_valid[:, 0] > 0
        # One slot of each clip at every other step: depth holds the smaller part of the evidence.
        if self.global_step % 2 == 0 and valid.sum() > 1:
            logits = self.depth_head(self.teacher.encode_depth(pixels(clips.depth[:, 0][valid])))
            terms["label"] = terms["label"] + 0.3 * label_loss(logits, clips.is_fake[valid])
        return self.weighted(terms, self.losses)

    def validation_step(self, batch: TaughtFrames) -> None:
        """Logits of the RGB head."""
        self.record(*_judged(self.heads.label, self.teacher.encode_rgb, batch.clips))


class StudentFrames(TrainingStage):
    """The student's trunk and depth head on single frames, taught by the teacher's answers and the depth maps.

    Where models look twice, the answers are of both looks and the student learns to give them at the first, in the same
    light and as sharp; where looks are paler, at the frame in full colour.
    """

    def __init__(
        self,
        student: Student,
        stage: Stage,
        *,
        losses: LossWeights,
        temperature: float,
        teacher_dim: int,
        depth_trained: bool,
        seed: int,
    ) -> None:
        super().__init__(stage, seed=seed)
        self.student, self.losses, self.temperature, self.depth_trained = student, losses, temperature, depth_trained
        self.heads = FrameHeads(student.trunk.channels)
        same = student.embed_dim == teacher_dim
        # Where widths differ, embeddings are compared in the teacher's.
        self.rgb_like_teacher = nn.Identity() if same else nn.Linear(student.embed_dim, teacher_dim)
        self.depth_like_teacher = nn.Identity() if same else nn.Linear(student.embed_dim, teacher_dim)

    def trained(self) -> nn.Module:
        """See `TrainingStage`."""
        return with_heads(self.student, self.heads)

    def training_step(self, batch: TaughtFrames) -> Tensor:
        """Every term whose weight is not 0, each logged."""
        clips, weights = batch.clips, self.losses
        features = self.student.trunk(self.student.views.whole(pixels(clips.frames.flatten(0, 1))))
        rgb = global_mean(features[-1])
        terms, logits = frame_terms(self.heads, rgb, features, clips, weights)
        # (student's, teacher's, valid) of each stream that there is something to learn of.
        streams: list[tuple[Tensor, Tensor, Tensor]] = []
        told = batch.targets
        if told is not None:
            streams.append((self.rgb_like_teacher(rgb), told.rgb.flatten(0, 1), clips.face_valid.flatten()))
            if weights.soft:
                terms["soft"] = soft_target_loss(logits, told.logits.flatten(0, 1), self.temperature)
        if self.depth_trained:
            depth, depth_embedding = self.student.depth_head(features)
            if weights.depth:
                count, slots = clips.slots.shape
                size = depth.shape[-1]
                wanted = depth_target(clips.depth.squeeze(2), size)
                terms["depth"] = depth_loss(depth.view(count, slots, size, size), wanted, clips.depth_valid)
            if told is not None:
                like = self.depth_like_teacher(depth_embedding)
                streams.append((like, told.depth.flatten(0, 1), clips.depth_valid.flatten()))
        if streams and weights.embedding:
            terms["embedding"] = torch.stack([embedding_loss(*stream) for stream in streams]).sum()
        if streams and weights.relation:
            terms["relation"] = torch.stack([relation_loss(*stream) for stream in streams]).sum()
        return self.weighted(terms, weights)

    def validation_step(self, batch: TaughtFrames) -> None:
        """Logits of the head."""
        self.record(*_judged(self.heads.label, lambda frames: self.student.encode(frames)[0], batch.clips))


class Fusion(TrainingStage):
    """A fusion on cached embeddings; with the teacher's logits it is a student's."""

    def __init__(
        self, fusion: TemporalFusion, stage: Stage, *, losses: LossWeights, temperature: float = 1.0, seed: int
    ) -> None:
        super().__init__(stage, seed=seed)
        self.fusion, self.losses, self.temperature = fusion, losses, temperature

    def trained(self) -> nn.Module:
        """See `TrainingStage`."""
        return self.fusion

    def training_step(self, batch: TaughtWindows) -> Tensor:
        """Cross-entropy, and where there is a teacher its softened logits."""
        logits = self.fusion(batch.rgb, batch.depth, batch.face_valid * batch.kept, batch.depth_valid * batch.heard)
        terms = {"label": label_loss(logits, batch.is_fake)}
        if batch.logits is not None and self.losses.soft:
            terms["soft"] = soft_target_loss(logits, batch.logits, self.temperature)
        return self.weighted(terms, self.losses)

    def validation_step(self, batch: TaughtWindows) -> None:
        """Logits of whole windows."""
        self.record(self.fusion(batch.rgb, batch.depth, batch.face_valid, batch.depth_valid), batch.is_fake)


class Together(TrainingStage):
    """A teacher or a student end to end on whole windows."""

    def __init__(
        self,
        model: Teacher | Student,
        stage: Stage,
        *,
        losses: LossWeights,
        temperature: float = 1.0,
        depth_trained: bool,
        seed: int,
    ) -> None:
        super().__init__(stage, seed=seed)
        self.model, self.losses, self.temperature, self.depth_trained = model, losses, temperature, depth_trained

    def trained(self) -> nn.Module:
        """See `TrainingStage`."""
        return self.model

    def training_step(self, batch: TaughtFrames) -> Tensor:
        """Cross-entropy of windows, and where there is a teacher its softened logits."""
        logits = self._logits(batch.clips)
        terms = {"label": label_loss(logits, batch.clips.is_fake)}
        if batch.window_logits is not None and self.losses.soft:
            terms["soft"] = soft_target_loss(logits, batch.window_logits, self.temperature)
        return self.weighted(terms, self.losses)

    def validation_step(self, batch: TaughtFrames) -> None:
        """Logits of whole windows."""
        self.record(self._logits(batch.clips), batch.clips.is_fake)

    def _logits(self, clips: Batch) -> Tensor:
        frames = pixels(clips.frames.flatten(0, 1))
        shape = (*clips.slots.shape, -1)
        if isinstance(self.model, Student):
            rgb, depth, _ = self.model.encode(frames)
            depth_valid = clips.face_valid * float(self.depth_trained)
        else:
            rgb = self.model.encode_rgb(frames)
            depth_valid = clips.depth_valid
            depth = rgb.new_zeros(rgb.shape)
            if bool(depth_valid.any()):
                depth = self.model.encode_depth(pixels(clips.depth.flatten(0, 1)))
        return self.model.classify(rgb.view(shape), depth.view(shape), clips.face_valid, depth_valid)


def _judged(head: nn.Module, encode: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits [M, 2] of the batch's frames that show a face, and their labels [M]."""
    shown = batch.face_valid.flatten() > 0
    is_fake = batch.is_fake.repeat_interleave(batch.face_valid.shape[1])
    return head(encode(pixels(batch.frames.flatten(0, 1)[shown]))), is_fake[shown]
