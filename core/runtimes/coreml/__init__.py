"""A saved Core ML package, executed operator by operator in torch: the reference where Core ML itself cannot run.

It reads what was written to disk and knows nothing of the model it came from. It shows that a package computes what it
should; it says nothing of speed, nor of an accelerator's own rounding inside one operator: hence `reference` in the
manifest, never `runtime`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch

from core.errors import InputError
from core.runtimes import Array, as_float32
from core.runtimes.coreml.interpreter import Function
from core.runtimes.coreml.package import Package, is_package
from core.runtimes.coreml.values import UnreadableError

__all__ = ["CoreMLReference"]

ONLY_FUNCTION = "main"
"""What coremltools calls the function of a package that has one."""


class CoreMLReference:
    """One package with a function for each method (iOS 18), or a folder with one `METHOD.mlpackage` each (iOS 17)."""

    name = "coreml-reference"

    def __init__(self, path: Path, methods: Sequence[str]) -> None:
        """Load `methods` from `path`.

        In a package of its own a method is the function `main`. Raises InputError where a package is damaged, lacks a
        method or uses an operator that is not known here, or where coremltools is not installed.
        """
        self._paths = {method: path if is_package(path) else path / f"{method}.mlpackage" for method in methods}
        self._functions: dict[str, Function] = {}
        packages: dict[Path, Package] = {}
        for method, place in self._paths.items():
            with _refused(place):
                if place not in packages:
                    packages[place] = Package(place)
                alone = list(self._paths.values()).count(place) == 1
                self._functions[method] = _function(packages[place], method, alone=alone)
        self.version = version("coremltools")

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        """See `core.runtimes.Runtime`. InputError where the program reads what its tensors do not have."""
        with _refused(self._paths[method]):
            outputs = self._functions[method].run([torch.tensor(array) for array in inputs])
        return tuple(as_float32(output) for output in outputs)


def _function(package: Package, method: str, *, alone: bool) -> Function:
    name = method if method in package.functions or not alone else ONLY_FUNCTION
    if name not in package.functions:
        raise UnreadableError(f"it has no function {name!r}, only {', '.join(sorted(package.functions))}")
    try:
        return Function(package.functions[name], package)
    except UnreadableError as error:
        raise UnreadableError(f"{name}: {error}") from error


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except UnreadableError as error:
        # Names in the file are whatever the file says.
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: {reason}; export it again") from error
