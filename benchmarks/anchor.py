"""The anchor: a program that is the same everywhere, run in every measurement so that ratios carry across machines."""

import os
import warnings
from importlib.metadata import version
from pathlib import Path

from core.runtimes import missing_extra

SIZE = 224
METHOD = "forward"


def anchor_program() -> Path:
    """Path of the anchor's `.pte`, built on first use (half a minute) and kept in the user's cache folder.

    timm's RepViT-M0.9 without classifier, fused, float32, XNNPACK. Its weights are random: they change no latency.
    """
    name = f"anchor-timm{version('timm')}-torch{version('torch')}-executorch{_executorch_version()}.pte"
    path = cache_folder() / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(_built())
        temporary.replace(path)
    return path


def cache_folder() -> Path:
    """Where what takes long to build is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "megatron-mobile"


def _executorch_version() -> str:
    try:
        return version("executorch")
    except ImportError as error:
        raise missing_extra("executorch", error) from error


def _built() -> bytes:
    with warnings.catch_warnings():
        # ExecuTorch's exporter warns of its own imports, which is no news to who measures.
        warnings.simplefilter("ignore")
        import timm
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower
        from timm.utils.model import reparameterize_model

        torch.manual_seed(0)
        model = reparameterize_model(timm.create_model("repvit_m0_9", pretrained=False, num_classes=0).eval())
        program = torch.export.export(model, (torch.zeros(1, 3, SIZE, SIZE),), strict=True)
        lowered = to_edge_transform_and_lower({METHOD: program}, partitioner=[XnnpackPartitioner()])
        return bytes(lowered.to_executorch().buffer)
