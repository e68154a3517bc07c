"""Core ML itself, on macOS: a package on one kind of compute unit."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from core.errors import InputError
from core.models import TENSORS
from core.runtimes import Array, as_float32, missing_extra
from core.runtimes.coreml.package import is_package

COMPUTE_UNITS = ("CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL")
"""Of `coremltools.ComputeUnit`. An accelerator takes what it can of a program, and the CPU the rest."""


class CoreMLRuntime:
    """A multifunction package, or a folder with one `METHOD.mlpackage` each."""

    name = "coreml"

    def __init__(self, path: Path, methods: Sequence[str], unit: str = "ALL") -> None:
        """Load `methods`; InputError where coremltools is missing or Core ML refuses the package."""
        try:
            import coremltools as ct
        except ImportError as error:
            raise missing_extra("coreml", error) from error
        self.version = version("coremltools")
        together = is_package(path)
        self._models = {}
        for method in methods:
            file = path if together else path / f"{method}.mlpackage"
            function = {"function_name": method} if together else {}
            try:
                self._models[method] = ct.models.MLModel(
                    str(file), compute_units=getattr(ct.ComputeUnit, unit), **function
                )
            # What Core ML raises shares no class below Exception.
            except Exception as error:
                raise InputError(f"{file}: not a package that Core ML can load; export it again") from error

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        """See `core.runtimes.Runtime`."""
        names, outputs = TENSORS[method]
        predicted = self._models[method].predict(dict(zip(names, inputs, strict=True)))
        return tuple(as_float32(predicted[name]) for name in outputs)
