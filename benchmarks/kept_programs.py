"""Programs that benchmarks build for themselves, each kept in the user's cache folder once it was built."""

import os
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cache import cache_folder
from benchmarks.versions import executorch_version

if TYPE_CHECKING:
    from torch import Tensor, nn

METHOD = "forward"
"""The only method of each."""


def kept_program(name: str, module: "Callable[[], tuple[nn.Module, Tensor]]") -> Path:
    """Path of the `.pte` for XNNPACK of what `module` gives, an `eval()` module and its input, made on first use.

    `name` tells it from others of the same versions of what goes into it.
    """
    versions = f"timm{version('timm')}-torch{version('torch')}-executorch{executorch_version()}"
    path = cache_folder() / f"{name}-{versions}.pte"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with warnings.catch_warnings():
            # ExecuTorch's exporter warns of its own imports, which is no news to who measures.
            warnings.simplefilter("ignore")
            temporary.write_bytes(_lowered(*module()))
        temporary.replace(path)
    return path


def _lowered(module: "nn.Module", example: "Tensor") -> bytes:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(module, (example,))
    lowered = to_edge_transform_and_lower({METHOD: program}, partitioner=[XnnpackPartitioner()])
    return bytes(lowered.to_executorch().buffer)
