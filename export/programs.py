"""What every target lowers of a student: its two methods, their tensors and inputs to trace them with."""

from torch import Tensor

from core.decision import WINDOW
from core.manifest import MethodSpec, TensorSpec
from core.models import Student
from export.source import Source


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
