"""The int8 trunk and its views, without depth head and second embedding: what the rest of `encode` is held against."""

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.kept_programs import kept_program
from core.manifest import Manifest

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.models import StudentConfig

TRUNK = "trunk"


def trunk_program(manifest: Manifest, student: "StudentConfig") -> Path | None:
    """Path of the `.pte` of the student's trunk for the inputs of the folder's int8 `encode`, built on first use.

    All int8 but for its views, on XNNPACK, with random weights, which change no latency. None where the folder has no
    such `encode`.
    """
    int8 = ("executorch", "xnnpack", "int8")
    if all((row.target, row.backend, row.precision) != int8 for row in manifest.artifacts):
        return None
    size = manifest.preprocess.size
    looks = hashlib.sha256(student.looks_key.encode()).hexdigest()[:8]
    name = f"{TRUNK}-int8-{student.trunk}-views{student.views}-{looks}-{size}px"
    return kept_program(name, partial(embedding_program, student, size))


def embedding_program(student: "StudentConfig", size: int) -> "tuple[nn.Module, Tensor]":
    """From frame [1, 3, size, size] to RGB embedding [1, D], all int8 but for its views, and such a frame."""
    import torch
    from torch import Tensor, nn

    from core.models.backbone import Trunk, global_mean
    from core.models.views import MeanOfViews, Views
    from core.quantisation import quantised

    class Embedding(nn.Module):
        """Frame to embedding."""

        def __init__(self) -> None:
            super().__init__()
            self.views, self.mean_of_views = Views(student), MeanOfViews(student.views)
            self.trunk = Trunk(student.trunk)
            self.trunk.fuse()

        def forward(self, frame: Tensor) -> Tensor:
            embedding: Tensor = self.mean_of_views(global_mean(self.trunk(self.views(frame))[-1]))
            return embedding

    torch.manual_seed(0)
    frames = torch.rand(4, 1, 3, size, size) * 255.0
    return quantised(Embedding().eval(), frames), frames[0]
