"""The programs that every target lowers: the student's two methods as modules of their own."""

from torch import Tensor, nn

from core.decision import WINDOW
from core.manifest import MethodSpec, TensorSpec
from core.models import Student
from export.source import Source


class Encode(nn.Module):
    """`Student.encode` as a module's `forward`."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.trunk, self.depth_head = student.trunk, student.depth_head
        self.encode = student.encode

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Student.encode`."""
        return self.encode(frame)


class Classify(nn.Module):
    """`Student.classify` as a module's `forward`."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.fusion = student.fusion

    def forward(self, rgb: Tensor, depth: Tensor, face_valid: Tensor, depth_valid: Tensor) -> Tensor:
        """See `Student.classify`."""
        logits: Tensor = self.fusion(rgb, depth, face_valid, depth_valid)
        return logits


def method_specs(student: Student, size: int) -> tuple[MethodSpec, ...]:
    """Names, shapes, dtypes and ranges of both methods, as the manifest lists them."""
    dim = student.embed_dim
    embedding = (1, WINDOW, dim)
    encode = MethodSpec(
        name="encode",
        inputs=(_tensor("frame", (1, 3, size, size), (0.0, 255.0)),),
        outputs=(
            _tensor("rgb_embedding", (1, dim)),
            _tensor("depth_embedding", (1, dim)),
            _tensor("depth", (1, 1, size // 4, size // 4)),
        ),
    )
    classify = MethodSpec(
        name="classify",
        inputs=(
            _tensor("rgb", embedding),
            _tensor("depth", embedding),
            _tensor("face_valid", (1, WINDOW), (0.0, 1.0)),
            _tensor("depth_valid", (1, WINDOW), (0.0, 1.0)),
        ),
        outputs=(_tensor("logits", (1, 2)),),
    )
    return encode, classify


def example_inputs(source: Source) -> dict[str, tuple[Tensor, ...]]:
    """Inputs of each method, of the right shapes."""
    import torch

    dim = source.student.embed_dim
    return {
        "encode": (source.crops[:1].contiguous(),),
        "classify": (
            torch.zeros(1, WINDOW, dim),
            torch.zeros(1, WINDOW, dim),
            torch.ones(1, WINDOW),
            torch.ones(1, WINDOW),
        ),
    }


def _tensor(name: str, shape: tuple[int, ...], span: tuple[float, float] | None = None) -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype="float32", range=span)
