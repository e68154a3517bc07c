"""The anchor: a program that is the same everywhere, run in every measurement so that ratios carry across machines."""

import os
import warnings
from importlib.metadata import version
from pathlib import Path

from benchmarks.cache import cache_folder
from benchmarks.versions import executorch_version

SIZE = 224
METHOD = "forward"


def anchor_program() -> Path:
    """Path of the anchor's `.pte`, built on first use (half a minute) and kept in the user's cache folder.

    timm's RepViT-M0.9 without classifier, fused, float32, XNNPACK. Its weights are random: they change no latency.
    """
    name = f"anchor-timm{version('timm')}-torch{version('torch')}-executorch{executorch_version()}.pte"
    path = cache_folder() / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(_built())
        temporary.replace(path)
    return path


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
