"""Small sources that need no run: the demo's untrained student, and one with made-up validation windows."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.decision import WINDOW
from core.models import PALER, STANDARD, StudentConfig
from core.preprocess import PreprocessSpec
from core.products import PRODUCTS
from export.source import Origin, Source
from tests.shallow import shallow_trunks

SIZE = 64


@pytest.fixture(scope="session")
def untrained() -> Source:
    """The demo's product as `--untrained` builds it."""
    return Origin(untrained="demo").read()


@pytest.fixture(scope="session")
def source() -> Source:
    """An untrained student of few blocks, as if it had validation windows: three faces in each."""
    return small_source(StudentConfig())


@pytest.fixture(scope="session")
def twice() -> Source:
    """The same of a student that looks twice at a frame."""
    return small_source(StudentConfig(views=2, saturations=PALER, standard=STANDARD))


def small_source(student: StudentConfig) -> Source:
    """Of the demo's product with that student, shallow and at 64 px."""
    with shallow_trunks(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRODUCTS, "demo", replace(PRODUCTS["demo"], student=student))
        untrained = Origin(untrained="demo").read()
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
