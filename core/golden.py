"""Golden vectors: what every reader of an artefact must reproduce, in whatever language.

A folder that can be read without Python: pictures are PNG (8-bit RGB), tensors are raw little-endian float32 in
row-major order, and `golden.json` says which belongs to which. Outputs are those of the torch student in float32.
"""

from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json

from core.decision import Label, Logits
from core.errors import InputError, first_fault
from core.manifest import Document, RelativePath
from core.preprocess import Box, Image
from core.runtimes import Array

GOLDEN = "golden.json"
GOLDEN_VERSION: Final = 1


class TensorFile(Document):
    """A tensor on disk."""

    file: RelativePath
    shape: tuple[int, ...]


class FaceBox(Document):
    """Left, top, width and height in pixels of the frame; it may reach outside."""

    x: float
    y: float
    w: float
    h: float

    def box(self) -> Box:
        """As preprocessing takes it."""
        return Box(x=self.x, y=self.y, w=self.w, h=self.h)


class FaceCase(Document):
    """A frame and a box, the tensor that they become, and what `encode` makes of that."""

    name: str
    shows: str
    frame: RelativePath
    box: FaceBox
    tensor: TensorFile
    rgb_embedding: TensorFile
    depth_embedding: TensorFile
    depth: TensorFile


class WindowCase(Document):
    """The inputs of one call of `classify`, and its answer."""

    name: str
    shows: str
    rgb: TensorFile
    depth: TensorFile
    face_valid: tuple[float, ...]
    depth_valid: tuple[float, ...]
    logits: Logits


class StreamFrame(Document):
    """A sampled frame; without a box no face was found on it."""

    frame: RelativePath
    time_ms: float
    box: FaceBox | None


class StreamWindow(Document):
    """A window that a stream closed; without logits it is undecided."""

    start_ms: float
    end_ms: float
    coverage: float
    logits: Logits | None
    fake_probability: float | None


class StreamCase(Document):
    """Sampled frames one after another, the windows they close and the verdict on all of them."""

    name: str
    shows: str
    frames: tuple[StreamFrame, ...]
    windows: tuple[StreamWindow, ...]
    label: Label
    fake_probability: float | None
    coverage: float


class Golden(Document):
    """`golden.json`."""

    schema_version: Literal[1] = GOLDEN_VERSION
    faces: tuple[FaceCase, ...]
    windows: tuple[WindowCase, ...]
    streams: tuple[StreamCase, ...]


def read_golden(folder: Path) -> Golden:
    """The document in `folder`; InputError where it is missing or of another version."""
    file = folder / GOLDEN
    try:
        return Golden.model_validate(from_json(file.read_bytes()))
    except ValidationError as error:
        raise InputError(f"{file}: {first_fault(error)}; export again") from error
    except (ValueError, OSError) as error:
        raise InputError(f"{file}: not readable as golden vectors ({error}); export again") from error


def read_tensor(folder: Path, tensor: TensorFile) -> Array:
    """The values; InputError where the file has another number of them."""
    path = folder / tensor.file
    try:
        values = np.fromfile(path, dtype="<f4")
        return values.reshape(tensor.shape).astype(np.float32, copy=False)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not {tensor.shape} of float32 ({error}); export again") from error


def read_frame(folder: Path, frame: str) -> Image:
    """uint8 [H, W, 3], RGB; InputError where it is no picture."""
    picture = cv2.imread(str(folder / frame), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise InputError(f"{folder / frame}: not a readable PNG; export again")
    return np.asarray(picture, dtype=np.uint8)
