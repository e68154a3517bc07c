"""The anchor: a program that is the same everywhere, run in every measurement so that ratios carry across machines."""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.kept_programs import kept_program

if TYPE_CHECKING:
    from torch import Tensor, nn

SIZE = 224


def anchor_program() -> Path:
    """Path of the anchor's `.pte`, built on first use (half a minute).

    timm's RepViT-M0.9 without classifier, fused, float32, XNNPACK. Its weights are random: they change no latency.
    """
    return kept_program("anchor", _module)


def _module() -> "tuple[nn.Module, Tensor]":
    import timm
    import torch
    from timm.utils.model import reparameterize_model

    torch.manual_seed(0)
    model = reparameterize_model(timm.create_model("repvit_m0_9", pretrained=False, num_classes=0).eval())
    return model, torch.zeros(1, 3, SIZE, SIZE)
