"""The run folder: weights as safetensors, everything else as JSON. JSON alone rebuilds the model."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import core
from core.decision import Decision
from core.errors import InputError, first_fault
from core.models import Student, StudentConfig, Teacher, TeacherConfig
from core.preprocess import PreprocessSpec

METRICS = "metrics.json"
SAMPLES = "samples.safetensors"
DATA = "data.json"
"""Which videos the run was trained, validated and tested on."""

Role = Literal["student", "teacher"]
Model = TypeVar("Model", bound=nn.Module)


class ModelDocument(BaseModel):
    """`student.json` and `teacher.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    role: Role
    architecture: StudentConfig | TeacherConfig = Field(discriminator="role")
    preprocess: PreprocessSpec
    decision: Decision
    depth_trained: bool
    recipe: dict[str, Any]
    data_fingerprint: str
    code_version: str
    weights_sha256: str
    fused: bool = False
    """Whether the trunk's branches and batch-norms are merged already, as training for int8 leaves them."""
    activation_ranges: dict[str, tuple[float, float]] | None = None
    """What quantisation-aware training fixed; None where there was none."""


class Samples(BaseModel):
    """What export needs of the data. Tensors are uint8 pixels and float32 masks; W windows, C crops."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    crops: Tensor
    """uint8 [C, 3, S, S]: training crops, for calibration."""
    windows: Tensor
    """uint8 [W, 20, 3, S, S]: validation windows."""
    face_valid: Tensor
    """float32 [W, 20]."""
    is_fake: Tensor
    """int64 [W]."""


def code_version() -> str:
    """The package's version, and the commit where it runs from a checkout."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return core.__version__
    return f"{core.__version__}+{done.stdout.strip()}"


def weights_sha256(model: nn.Module) -> str:
    """Hex digest over names, shapes and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_json(file: Path, document: object) -> None:
    """Write `document` (JSON-ready, or a pydantic model) under a temporary name, then rename."""
    text = document.model_dump_json(indent=2) if isinstance(document, BaseModel) else json.dumps(document, indent=2)
    temporary = file.with_name(file.name + ".tmp")
    temporary.write_text(text + "\n")
    temporary.replace(file)


def write_tensors(file: Path, tensors: dict[str, Tensor]) -> None:
    """Write safetensors under a temporary name, then rename."""
    temporary = file.with_name(file.name + ".tmp")
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
    os.replace(temporary, file)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file; InputError where it is missing or damaged."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; train the run again with `python -m distill`")
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file}: damaged or not safetensors ({error}); train the run again") from error


def misfit(model: nn.Module, tensors: Mapping[str, Tensor]) -> str | None:
    """The first tensor that is not one of the model's, or has another shape, by name; None where all fit."""
    expected = model.state_dict()
    wrong = sorted(set(tensors) ^ set(expected)) or sorted(
        name for name in tensors if tensors[name].shape != expected[name].shape
    )
    return wrong[0] if wrong else None


def write_model(folder: Path, model: nn.Module, document: ModelDocument) -> None:
    """Write the weights, then the document that says they are whole."""
    write_tensors(folder / f"{document.role}.safetensors", model.state_dict())
    write_json(folder / f"{document.role}.json", document)


def read_student(folder: Path) -> tuple[Student, ModelDocument]:
    """The student of a finished run, in `eval()` mode, and its document."""
    document = _document(folder, "student")
    assert isinstance(document.architecture, StudentConfig)
    student = Student(document.architecture)
    if document.fused:
        student.fuse()
    return _filled(student, folder, document), document


def read_teacher(folder: Path) -> tuple[Teacher, ModelDocument]:
    """The teacher of a run, in `eval()` mode, and its document."""
    document = _document(folder, "teacher")
    assert isinstance(document.architecture, TeacherConfig)
    return _filled(Teacher(document.architecture), folder, document), document


def read_samples(folder: Path) -> Samples:
    """`samples.safetensors` of a run."""
    tensors = read_tensors(folder / SAMPLES)
    missing = set(Samples.model_fields) - set(tensors)
    if missing:
        raise InputError(f"{folder / SAMPLES}: lacks {', '.join(sorted(missing))}; train the run again")
    return Samples(**{name: tensors[name] for name in Samples.model_fields})


def _document(folder: Path, role: Role) -> ModelDocument:
    file = folder / f"{role}.json"
    if not file.is_file():
        raise InputError(
            f"{folder}: no {role}.json in it, so no finished {role}; type `python -m distill --run {folder}`"
        )
    try:
        document = ModelDocument.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise InputError(f"{file}: {first_fault(error)}; train the run again") from error
    for described in (document.role, document.architecture.role):
        if described != role:
            raise InputError(f"{file}: describes a {described}, not a {role}; train the run again")
    return document


def _filled(model: Model, folder: Path, document: ModelDocument) -> Model:
    file = folder / f"{document.role}.safetensors"
    tensors = read_tensors(file)
    wrong = misfit(model, tensors)
    if wrong is not None:
        raise InputError(f"{file}: {wrong} does not fit the architecture in {document.role}.json; train the run again")
    model.load_state_dict(tensors)
    if weights_sha256(model) != document.weights_sha256:
        raise InputError(f"{file}: not the weights that {document.role}.json was written for; train the run again")
    return model.eval()
