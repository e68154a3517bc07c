"""The last stage: the student's `encode` with int8 arithmetic simulated, held to what it was before."""

import copy
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models import Encode, Student
from core.quantisation import QuantisedTraining
from distill.batches import FrameSteps, TaughtFrames
from distill.data import Batch
from distill.fit import Machine, StageRecord, fit
from distill.recipes import Stage
from distill.stages import TrainingStage
from distill.streams import pixels

CALIBRATION_STEPS = 2
"""Batches that the ranges start from."""


class QuantisationAware(TrainingStage):
    """Trains a fused student's trunk and depth head to give their own float outputs in int8.

    The fusion was trained on the float embeddings and stays as it is, so those embeddings are what is asked for.
    """

    def __init__(self, student: Student, quantised: QuantisedTraining, stage: Stage, *, seed: int) -> None:
        super().__init__(stage, seed=seed)
        self.quantised = quantised
        # Outside the module's own parts: what it is held to is neither trained nor saved.
        self._reference = (copy.deepcopy(student).eval().requires_grad_(False),)

    def trained(self) -> nn.Module:
        """See `TrainingStage`."""
        return self.quantised

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Ranges follow the weights for half of the stage; then the weights settle into ranges that stay."""
        super().on_train_batch_start(batch, batch_idx)
        if self.trained_batches >= self.stage.steps // 2:
            self.quantised.freeze_ranges()

    def training_step(self, batch: TaughtFrames) -> Tensor:
        """How far both embeddings and the depth map are from the float student's."""
        loss, cosine = self._distance(batch.clips)
        self.log("cosine", cosine, prog_bar=True)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: TaughtFrames) -> None:
        """The least cosine of an embedding on validation frames: what is kept is what comes closest."""
        _, cosine = self._distance(batch.clips)
        self._cosines.append(cosine)

    def on_validation_epoch_start(self) -> None:
        """Nothing is known yet."""
        self._cosines: list[Tensor] = []

    def on_validation_epoch_end(self) -> None:
        """Log the least."""
        self.log("val_cosine", torch.stack(self._cosines).min(), prog_bar=True)

    def _distance(self, clips: Batch) -> tuple[Tensor, Tensor]:
        """(loss, least cosine of an embedding)."""
        frames = pixels(clips.frames.flatten(0, 1)[clips.face_valid.flatten() > 0])
        (reference,) = self._reference
        with torch.no_grad():
            wanted = reference.to(frames.device).encode(frames)
        got = self.quantised(frames)
        loss = torch.stack([relative_error(x, y) for x, y in zip(got, wanted, strict=True)]).sum()
        cosines = [F.cosine_similarity(x, y, dim=1).min() for x, y in zip(got[:2], wanted[:2], strict=True)]
        return loss, torch.stack(cosines).min().detach()


def relative_error(got: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference over the mean square of what is wanted."""
    return (got.float() - wanted.float()).square().mean() / wanted.float().square().mean().clamp(min=1e-6)


def train_quantised(
    student: Student,
    stage: Stage,
    steps: FrameSteps,
    validation: list[Any],
    *,
    folder: Path,
    machine: Machine,
    seed: int,
) -> tuple[StageRecord, dict[str, tuple[float, float]]]:
    """Train the fused `student` in place; the ranges of its activations."""
    calibration = [pixels(steps[step].clips.frames.flatten(0, 1)) for step in range(CALIBRATION_STEPS)]
    quantised = QuantisedTraining(Encode(student), calibration)
    aware = QuantisationAware(student, quantised, stage, seed=seed)
    record = fit("student_quantised", aware, steps, validation, folder=folder, machine=machine, monitor="val_cosine")
    missing = student.load_state_dict(quantised.weights(), strict=False).unexpected_keys
    assert not missing, missing
    return record, quantised.ranges()
