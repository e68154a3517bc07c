"""A fusion that begins as the mean of a frame head's verdicts."""

import pytest
import torch
from torch import Tensor, nn

from core.decision import WINDOW
from core.models import StudentConfig, TeacherConfig
from core.models.fusion import FusionConfig, TemporalFusion, masked_mean
from distill.beginnings import begin_as_mean

D = 24


@pytest.fixture(params=[StudentConfig().fusion, TeacherConfig().fusion], ids=["student", "teacher"])
def begun(request: pytest.FixtureRequest) -> tuple[TemporalFusion, nn.Linear]:
    """A fusion, and the head that it begins with."""
    torch.manual_seed(0)
    config: FusionConfig = request.param
    fusion, head = TemporalFusion(D, config).eval(), nn.Linear(D, 2)
    begin_as_mean(fusion, head)
    return fusion, head


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three windows, the last of which shows no face."""
    generator = torch.Generator().manual_seed(1)
    rgb, depth = torch.randn(2, 3, WINDOW, D, generator=generator)
    face_valid, depth_valid = (torch.rand(2, 3, WINDOW, generator=generator) < 0.5).float()
    face_valid[2] = 0.0
    return rgb, depth, face_valid, depth_valid


def test_its_logits_are_the_mean_of_the_verdicts_on_valid_frames(begun: tuple[TemporalFusion, nn.Linear]) -> None:
    fusion, head = begun
    rgb, _, face_valid, _ = windows = inputs()

    logits = fusion(*windows)

    verdicts = masked_mean(head(rgb), face_valid.unsqueeze(2))
    # Positions differ a little from slot to slot.
    torch.testing.assert_close(logits[:2], verdicts[:2], rtol=0.0, atol=0.005)
    torch.testing.assert_close(logits[2], head.bias)


def test_what_it_will_add_to_that_mean_can_be_learned(begun: tuple[TemporalFusion, nn.Linear]) -> None:
    fusion, _ = begun
    silent = ("attention.output.weight", "feed_forward.4.weight")
    weights = [
        value
        for name, value in fusion.named_parameters()
        if name.endswith(silent) and name.startswith(("rgb.", "rgb_from_depth."))
    ]

    head, *blocks = torch.autograd.grad(fusion(*inputs()).square().sum(), [fusion.head.weight, *weights])

    # Depth has no word before the head gives it one.
    width = fusion.rgb.project.out_features
    assert head[:, :width].any()
    assert head[:, width:].any()
    assert len(blocks) == 4
    assert all(gradient.any() for gradient in blocks)
