"""A small source that needs no run: the demo's untrained student on 64 px, with two made-up validation windows."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.decision import WINDOW
from core.preprocess import PreprocessSpec
from export.source import Origin, Source

SIZE = 64


@pytest.fixture(scope="session")
def untrained() -> Source:
    """The demo's product as `--untrained` builds it."""
    return Origin(untrained="demo").read()


@pytest.fixture(scope="session")
def source(untrained: Source) -> Source:
    """`untrained` on smaller inputs, and as if it had validation windows: three faces in each."""
    crops = F.interpolate(untrained.crops[:20], size=(SIZE, SIZE), mode="area").round()
    face_valid = torch.zeros(2, WINDOW)
    face_valid[0, -3:] = 1.0
    face_valid[1, 5:8] = 1.0
    return replace(
        untrained,
        preprocess=PreprocessSpec(size=SIZE, margin=1.5),
        depth_trained=True,
        crops=crops,
        windows=torch.stack([crops, crops.flip(0)]),
        face_valid=face_valid,
        is_fake=torch.tensor([0, 1]),
    )
