"""ExecuTorch's Python runtime, the same XNNPACK kernels as on the phone."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from core.errors import InputError
from core.runtimes import Array, as_float32, missing_extra


class ExecuTorchRuntime:
    """One `.pte` with all methods of a student."""

    name = "executorch"

    def __init__(self, path: Path, methods: Sequence[str], *, threads: int | None = None) -> None:
        """Load `methods` of the program at `path`; InputError where it is no such program."""
        loader = bindings()
        self.version = version("executorch")
        try:
            with without_chatter():
                if threads is not None:
                    # XNNPACK's pool belongs to the process; nothing may run in it while its size changes.
                    loader._unsafe_reset_threadpool(threads)
                check = loader.Verification.InternalConsistency
                self._program = loader._load_program(str(path), program_verification=check)
                self._methods = {name: self._program.load_method(name) for name in methods}
        except RuntimeError as error:
            raise InputError(
                f"{path}: not a program that executorch {self.version} can load; export it again"
            ) from error

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        """See `core.runtimes.Runtime`."""
        outputs = self._methods[method]([torch.from_numpy(array) for array in inputs])
        return tuple(as_float32(output) for output in outputs)


def bindings() -> Any:
    """What executes programs; InputError where it is not installed.

    By itself: `executorch.runtime`, which wraps it, imports the whole exporter for one class of warnings first, and
    that takes more than twice as long as all that is needed.
    """
    with without_chatter():
        try:
            # Quantise operators left outside the delegate find their kernels only after this import.
            import executorch.kernels.quantized  # noqa: F401
            from executorch.extension.pybindings import _C
        except ImportError as error:
            raise missing_extra("executorch", error) from error
    return _C


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Keep the runtime's notes about the processor and its own imports off stderr, the C++ ones too.

    What matters comes as an exception; a command's stderr is for its own lines.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
