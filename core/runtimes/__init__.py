"""One file per runtime that can execute a student; this page is the narrow interface they share."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.manifest import Artifact, Manifest, TargetName

Array = npt.NDArray[np.float32]

DISTRIBUTIONS: Final[dict[TargetName, str]] = {
    "executorch": "executorch",
    "coreml": "coremltools",
    "onnx": "onnxruntime",
}
"""What is installed to execute each target's artefacts, by its name in the package index."""


class Runtime(Protocol):
    """A loaded student. Arrays are float32 and shaped as the manifest's methods say."""

    name: str
    version: str

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        """The outputs of one call of `method`. They may be overwritten by the next call of the same method."""
        ...


def open_runtime(folder: Path, artifact: Artifact, *, threads: int | None = None) -> Runtime:
    """Load `artifact` of a folder that `open_artifacts` has checked.

    `threads` None leaves the runtime its own choice. Raises InputError where the runtime is not installed here, or is
    another version than the artefact was checked with.
    """
    path = folder / artifact.path
    _refuse_other_version(path, artifact)
    if artifact.target == "executorch":
        from core.runtimes.executorch import ExecuTorchRuntime

        return ExecuTorchRuntime(path, artifact.methods, threads=threads)
    if artifact.target == "onnx":
        from core.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(path, artifact.methods, threads=threads)
    if sys.platform == "darwin":
        from core.runtimes.coreml_native import CoreMLRuntime

        return CoreMLRuntime(path, artifact.methods)
    raise InputError(
        f"{path}: a {artifact.target} artefact cannot be executed on this machine; choose an executorch or onnx one"
    )


def _refuse_other_version(path: Path, artifact: Artifact) -> None:
    """Before anything of the artefact is read: the first two numbers of both versions must be the same."""
    try:
        here = version(DISTRIBUTIONS[artifact.target])
    except PackageNotFoundError:
        return  # What is missing says so itself when it is imported.
    if here.split(".")[:2] != artifact.runtime.version.split(".")[:2]:
        raise InputError(
            f"{path}: was checked with {artifact.runtime.name} {artifact.runtime.version}, here is {here}; "
            "export it again, or install that version"
        )


def preferred_artifact(manifest: Manifest) -> Artifact:
    """The artefact that `detect` takes; InputError where the folder has none."""
    if manifest.preferred is None:
        raise InputError(
            f"the artefacts of {manifest.name} hold none that can be judged with here; "
            "type `python -m export --target executorch`"
        )
    return manifest.artifact(manifest.preferred)


def missing_extra(extra: str, error: ImportError) -> InputError:
    """The line for a runtime that is not installed."""
    return InputError(f"{error.name} is not installed; type `pip install 'megatron-mobile[{extra}]'`")


def cosine(a: Array, b: Array) -> float:
    """Of all values, as one vector each; 1 for two that are zero, 0 for one, NaN where a value is no number."""
    x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    lengths = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    if 0.0 in lengths:
        return 1.0 if lengths == (0.0, 0.0) else 0.0
    return float(x @ y / (lengths[0] * lengths[1]))


def as_float32(array: Any) -> Array:
    """A contiguous float32 view or copy of anything array-like."""
    return np.ascontiguousarray(array, dtype=np.float32)
