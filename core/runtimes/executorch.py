"""ExecuTorch's Python runtime, the same XNNPACK kernels as on the phone."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from core.errors import InputError
from core.runtimes import Array, as_float32, missing_extra


class ExecuTorchRuntime:
    """One `.pte` with all methods of a student."""

    name = "executorch"

    def __init__(self, path: Path, methods: Sequence[str], *, threads: int | None = None) -> None:
        """Load `methods` of the program at `path`; InputError where it is no such program."""
        with without_chatter():
            try:
                # Quantise operators left outside the delegate find their kernels only after this import.
                import executorch.kernels.quantized  # noqa: F401
                from executorch.extension.pybindings import portable_lib
                from executorch.runtime import Runtime as Loader
            except ImportError as error:
                raise missing_extra("executorch", error) from error
        self.version = version("executorch")
        try:
            with without_chatter():
                if threads is not None:
                    # XNNPACK's pool belongs to the process; nothing may run in it while its size changes.
                    portable_lib._unsafe_reset_threadpool(threads)
                self._program = Loader.get().load_program(path)
                self._methods = {name: self._program.load_method(name) for name in methods}
        except (RuntimeError, KeyError) as error:
            raise InputError(
                f"{path}: not a program that executorch {self.version} can load; export it again"
            ) from error

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        """See `core.runtimes.Runtime`."""
        outputs = self._methods[method].execute([torch.from_numpy(array) for array in inputs])
        return tuple(as_float32(output) for output in outputs)


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
