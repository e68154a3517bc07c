"""ExecuTorch's Python runtime, the same XNNPACK kernels as on the phone."""

import warnings
from collections.abc import Sequence
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
        with warnings.catch_warnings():
            # ExecuTorch warns of its own imports.
            warnings.simplefilter("ignore")
            try:
                # Quantise operators left outside the delegate find their kernels only after this import.
                import executorch.kernels.quantized  # noqa: F401
                from executorch.extension.pybindings import portable_lib
                from executorch.runtime import Runtime as Loader
            except ImportError as error:
                raise missing_extra("executorch", error) from error
        self.version = version("executorch")
        if threads is not None:
            # XNNPACK's pool belongs to the process; nothing may run in it while its size changes.
            portable_lib._unsafe_reset_threadpool(threads)
        try:
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


def thread_count() -> int:
    """Threads in XNNPACK's pool."""
    from executorch.extension.pybindings import portable_lib

    return int(portable_lib._threadpool_get_thread_count())
