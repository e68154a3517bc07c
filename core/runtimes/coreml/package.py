"""A .mlpackage, opened defensively: nothing outside its folder is read, and nothing in it is trusted."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, ValidationError

from core.errors import first_fault
from core.manifest import leaves
from core.runtimes import missing_extra
from core.runtimes.coreml.values import UnreadableError

MANIFEST: Final = "Manifest.json"
DATA: Final = "Data"
MODEL_PATH: Final = "@model_path"
"""Stands for the model file's folder in the names of its weight files."""

SPECIFICATIONS: Final = {8: "iOS 17", 9: "iOS 18"}
MOST_BYTES: Final = {"manifest": 2**20, "model": 2**26, "weights": 2**31}
"""Larger files are not opened: a student's are 1 KB, 300 KB and 20 MB."""

_READERS: Final = {
    "FLOAT16": "read_fp16_data",
    "FLOAT32": "read_float_data",
    "INT4": "read_int4_data",
    "INT8": "read_int8_data",
    "INT16": "read_int16_data",
    "INT32": "read_int32_data",
    "UINT1": "read_uint1_data",
    "UINT2": "read_uint2_data",
    "UINT3": "read_uint3_data",
    "UINT4": "read_uint4_data",
    "UINT6": "read_uint6_data",
    "UINT8": "read_uint8_data",
    "UINT16": "read_uint16_data",
    "UINT32": "read_uint32_data",
}


class _Item(BaseModel):
    path: str


class _Manifest(BaseModel):
    version: Literal["1.0.0"] = Field(alias="fileFormatVersion")
    root: str = Field(alias="rootModelIdentifier")
    items: dict[str, _Item] = Field(alias="itemInfoEntries")


class Package:
    """The MIL program of a package, and its weights."""

    def __init__(self, folder: Path) -> None:
        """Read the package at `folder`.

        Raises InputError where coremltools is not installed, UnreadableError where this is no package to execute.
        """
        message, self._open_blobs = _coremltools()
        self._folder = folder
        file = _model_file(folder)
        self._beside = file.parent.relative_to(folder)
        model = message()
        try:
            model.ParseFromString(file.read_bytes())
        # protobuf's own exceptions differ between its implementations.
        except Exception as error:
            raise UnreadableError(f"{file.name} is truncated or damaged") from error
        if model.specificationVersion not in SPECIFICATIONS:
            known = ", ".join(f"{number} ({system})" for number, system in SPECIFICATIONS.items())
            raise UnreadableError(f"specification version {model.specificationVersion}; known are {known}")
        if model.WhichOneof("Type") != "mlProgram" or model.mlProgram.version != 1:
            raise UnreadableError(f"{file.name} holds no ML program of version 1")
        self.functions: dict[str, Any] = dict(model.mlProgram.functions.items())
        self._blobs: dict[str, Any] = {}

    def read(self, file: str, offset: int, dtype: str) -> npt.NDArray[Any]:
        """See `core.runtimes.coreml.values.Weights`."""
        if file not in self._blobs:
            prefix, _, name = file.partition("/")
            if prefix != MODEL_PATH:
                raise UnreadableError(f"the weight file {file!r} does not lie beside the model")
            path = _inside(self._folder, (self._beside / name).as_posix(), MOST_BYTES["weights"])
            with _unreadable(name):
                self._blobs[file] = self._open_blobs(str(path))
        if dtype not in _READERS:
            raise UnreadableError(f"no weight file holds elements of type {dtype.lower()}")
        with _unreadable(f"{file.removeprefix(MODEL_PATH + '/')} at {offset}"):
            found: npt.NDArray[Any] = getattr(self._blobs[file], _READERS[dtype])(offset)
        return found.view(np.float16) if dtype == "FLOAT16" else found


def is_package(path: Path) -> bool:
    """Whether the folder claims to be a .mlpackage."""
    return (path / MANIFEST).exists()


def _model_file(folder: Path) -> Path:
    try:
        manifest = _Manifest.model_validate_json(_inside(folder, MANIFEST, MOST_BYTES["manifest"]).read_bytes())
    except ValidationError as error:
        raise UnreadableError(f"{MANIFEST}: {first_fault(error)}") from error
    if manifest.root not in manifest.items:
        raise UnreadableError(f"{MANIFEST} does not list its own model {manifest.root!r}")
    path = PurePosixPath(DATA, manifest.items[manifest.root].path)
    return _inside(folder, path.as_posix(), MOST_BYTES["model"])


def _inside(folder: Path, path: str, most_bytes: int) -> Path:
    """The plain file at `path` below `folder`, without a link on the way."""
    parts = PurePosixPath(path)
    # What opens a weight file takes a C string, which ends at a zero byte.
    if leaves(path) or not path.isprintable():
        raise UnreadableError(f"the path {path!r} leaves the package")
    file = folder / parts
    if any(part.is_symlink() for part in (file, *file.parents) if part != folder and part.is_relative_to(folder)):
        raise UnreadableError(f"{path} is reached by a symbolic link, a package holds plain files")
    if not file.is_file():
        raise UnreadableError(f"{path} is missing")
    if file.stat().st_size > most_bytes:
        raise UnreadableError(f"{path} is larger than {most_bytes >> 20} MiB")
    return file


@contextmanager
def _unreadable(what: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise UnreadableError(f"{what} is truncated or damaged ({str(error).partition(chr(10))[0]})") from error


def _coremltools() -> tuple[Any, Any]:
    """The model message, and the reader of weight files."""
    silent = logging.root.manager.disable
    # Its import warns of what prediction on a Mac would need.
    logging.disable(max(silent, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from coremltools.libmilstoragepython import _BlobStorageReader
            from coremltools.proto.Model_pb2 import Model
    except ImportError as error:
        raise missing_extra("coreml", error) from error
    finally:
        logging.disable(silent)
    return Model, _BlobStorageReader
