"""A RepViT of a few blocks in the place of the real ones: for tests that its depth would only make slow.

Widths, strides and names of its parts are those of RepViT-M0.9, so everything but the depth is as it is. What tests the
architecture itself, or starts a program of its own, has the real trunks.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from timm.models.repvit import RepVit
from torch import nn

from core.models import backbone


def shallow_model(name: str) -> nn.Module:
    """One block of stride 1 a stage and four in the third, which is the longest in the real ones, too.

    Whatever trunk `name` asks for.
    """
    return RepVit(embed_dim=(48, 96, 192, 384), depth=(1, 1, 4, 1), num_classes=0)


@contextmanager
def shallow_trunks() -> Iterator[None]:
    """Every trunk that is built meanwhile in this process is shallow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbone, "_timm_model", shallow_model)
        yield
