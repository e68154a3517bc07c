"""What is exported: the student of a run, or one that was never trained, and the data to check it with."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from core.decision import WINDOW, Decision
from core.models import Student
from core.preprocess import PreprocessSpec
from core.products import product_named
from core.runs import read_samples, read_student

CALIBRATION_CROPS = 64
VALIDATION_WINDOWS = 24
UNTRAINED_SEED = 0
RESIDUAL_GAIN = 0.15


@dataclass(frozen=True, kw_only=True)
class Source:
    """A fused student in `eval()` mode, and inputs to calibrate and to compare it on."""

    student: Student
    name: str
    run: str | None
    trained: bool
    depth_trained: bool
    weights_sha256: str
    code_version: str
    preprocess: PreprocessSpec
    decision: Decision
    crops: Tensor
    """float32 [C, 3, S, S], RGB, 0-255."""
    windows: Tensor
    """float32 [W, 20, 3, S, S]; no window for an untrained student."""
    face_valid: Tensor
    """float32 [W, 20]."""
    is_fake: Tensor
    """int64 [W]."""
    activation_ranges: dict[str, tuple[float, float]] | None = None
    """What training for int8 fixed; None where there was none, and export calibrates."""

    def with_fewer_windows(self, count: int) -> "Source":
        """With `count` of its validation windows at most, evenly spaced."""
        every = slice(None, None, max(1, -(-len(self.windows) // count)))
        return replace(
            self, windows=self.windows[every], face_valid=self.face_valid[every], is_fake=self.is_fake[every]
        )


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a source comes from: a run folder, or (untrained) the name of a recipe. Small enough for a worker."""

    run: Path | None = None
    untrained: str | None = None

    def read(self) -> Source:
        """InputError where the run has no student or is damaged, or the recipe is unknown."""
        if self.run is not None:
            return _trained(self.run)
        assert self.untrained is not None
        return _untrained(self.untrained)


def _trained(run: Path) -> Source:
    student, document = read_student(run)
    samples = read_samples(run)
    student.fuse()
    every = max(1, len(samples.windows) // VALIDATION_WINDOWS)
    return Source(
        student=student,
        name=str(document.recipe["product"]["name"]),
        run=run.as_posix(),
        trained=True,
        depth_trained=document.depth_trained,
        weights_sha256=document.weights_sha256,
        code_version=document.code_version,
        preprocess=document.preprocess,
        decision=document.decision,
        crops=samples.crops[:: max(1, len(samples.crops) // CALIBRATION_CROPS)][:CALIBRATION_CROPS].float(),
        windows=samples.windows[::every].float(),
        face_valid=samples.face_valid[::every],
        is_fake=samples.is_fake[::every],
        activation_ranges=document.activation_ranges,
    )


def _untrained(recipe: str) -> Source:
    from core.runs import code_version, weights_sha256

    product = product_named(recipe)
    torch.manual_seed(UNTRAINED_SEED)
    student = Student(product.student)
    size = product.preprocess.size
    crops = _seeded_images(CALIBRATION_CROPS, size)
    _awaken(student, crops)
    digest = weights_sha256(student)
    student.fuse()
    return Source(
        student=student,
        name=f"{product.name}-untrained",
        run=None,
        trained=False,
        depth_trained=False,
        weights_sha256=digest,
        code_version=code_version(),
        preprocess=product.preprocess,
        decision=product.decision,
        crops=crops,
        windows=torch.zeros(0, WINDOW, 3, size, size),
        face_valid=torch.zeros(0, WINDOW),
        is_fake=torch.zeros(0, dtype=torch.int64),
    )


def _awaken(student: Student, crops: Tensor) -> None:
    """Give a randomly initialised RepViT activations like a trained one's.

    timm starts the last batch-norm of every residual branch at 0 and all statistics at 0/1, so that such a program
    is half constant and its int8 ranges and parity mean nothing. Statistics become those of `crops`, and the branches'
    weights `RESIDUAL_GAIN`: at 1 each of the two dozen blocks would double the noise of the one before it, which no
    trained network does. Biases are drawn, since without them the embedding's mean over space is next to nothing.
    """
    norms = [module for module in student.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        if not norm.weight.any():
            nn.init.constant_(norm.weight, RESIDUAL_GAIN)
        nn.init.normal_(norm.bias, std=0.5)
        norm.momentum = None  # a plain average over all batches
        norm.reset_running_stats()
    student.train()
    with torch.no_grad():
        for batch in torch.split(crops, 16):
            student.encode(batch)
    student.eval()


def _seeded_images(count: int, size: int) -> Tensor:
    """Pictures with large and small structure and all brightnesses: float32 [count, 3, size, size], 0-255."""
    generator = np.random.default_rng(UNTRAINED_SEED)
    images = np.zeros((count, size, size, 3), np.float32)
    for place in range(count):
        for cells in (2, 5, 13, 34):
            coarse = generator.normal(0, 60 / cells**0.5, (cells, cells, 3)).astype(np.float32)
            images[place] += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        images[place] += generator.uniform(60, 200)
    return torch.from_numpy(np.rint(images.clip(0, 255)).transpose(0, 3, 1, 2).copy())
