"""The reference's models as ONNX, so that they can be timed in an optimised runtime too."""

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.cache import cache_folder, keep
from benchmarks.reference.models import DEPTH_PX, FACE_PX, METHODS, ReferenceModels
from core.decision import WINDOW
from core.runtimes import missing_extra

OPSET = 20
"""The first with a Gelu operator."""


class _Method(nn.Module):
    """One method as a module's `forward`."""

    def __init__(self, models: ReferenceModels, name: str) -> None:
        super().__init__()
        self.models = models
        self.name = name

    def forward(self, *inputs: Tensor) -> Tensor:
        output: Tensor = getattr(self.models, self.name)(*inputs)
        return output


def reference_onnx() -> Path:
    """Folder with one `METHOD.onnx` each, written on first use (half a minute) and kept in the user's cache folder.

    The trunks are fused first: what an engineer who deploys the reference would do. Raises InputError where onnx or
    onnxscript is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise missing_extra("onnx", error) from error
    packages = ("torch", "timm", "transformers", "onnxscript")
    folder = cache_folder() / "-".join(["reference", *(name + version(name) for name in packages)])
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            export_onnx(ReferenceModels(), scratch)
            keep(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def export_onnx(models: ReferenceModels, folder: Path) -> None:
    """Write every method of `models`, which are fused for it, as `folder`/METHOD.onnx."""
    models.fuse()
    talk = logging.getLogger("torch.onnx")
    level = talk.level
    talk.setLevel(logging.ERROR)
    try:
        for name, inputs in example_inputs(models.teacher.embed_dim).items():
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                program = torch.onnx.export(
                    _Method(models, name).eval(), inputs, dynamo=True, opset_version=OPSET, verbose=False
                )
            assert program is not None
            program.save(str(folder / f"{name}.onnx"))
    finally:
        talk.setLevel(level)


def example_inputs(width: int) -> dict[str, tuple[Tensor, ...]]:
    """Random inputs of every method, one frame or window each; an embedding is `width` wide."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    inputs = (
        (random(1, 3, DEPTH_PX, DEPTH_PX),),
        (255 * random(1, 3, FACE_PX, FACE_PX),),
        (255 * random(1, 1, FACE_PX, FACE_PX),),
        (random(1, WINDOW, width), random(1, WINDOW, width), torch.ones(1, WINDOW), torch.ones(1, WINDOW)),
    )
    return dict(zip(METHODS, inputs, strict=True))
