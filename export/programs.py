"""What every target lowers of a student: its two methods, their tensors and inputs to trace them with."""

from torch import Tensor

from core.decision import WINDOW
from core.manifest import MethodSpec, TensorSpec
from core.models import TENSORS, Student
from export.source import Source

_RANGES = {"frame": (0.0, 255.0), "face_valid": (0.0, 1.0), "depth_valid": (0.0, 1.0)}


def method_specs(student: Student, size: int) -> tuple[MethodSpec, ...]:
    """Names, shapes, dtypes and ranges of both methods, as the manifest lists them."""
    dim = student.embed_dim
    shapes: dict[str, dict[str, tuple[int, ...]]] = {
        "encode": {
            "frame": (1, 3, size, size),
            "rgb_embedding": (1, dim),
            "depth_embedding": (1, dim),
            "depth": (1, 1, size // 4, size // 4),
        },
        "classify": {
            "rgb": (1, WINDOW, dim),
            "depth": (1, WINDOW, dim),
            "face_valid": (1, WINDOW),
            "depth_valid": (1, WINDOW),
            "logits": (1, 2),
        },
    }
    return tuple(
        MethodSpec(
            name=method,
            inputs=tuple(_tensor(name, shapes[method][name], _RANGES.get(name)) for name in inputs),
            outputs=tuple(_tensor(name, shapes[method][name]) for name in outputs),
        )
        for method, (inputs, outputs) in TENSORS.items()
    )


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
