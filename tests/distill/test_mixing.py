"""Looks that clips lend each other: what becomes of means and deviations, and what twins keep between them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from core.models.backbone import Trunk
from distill.data import Batch
from distill.mixing import StyleMixing, mixed_style
from tests.shallow import shallow_trunks


def looks(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over space."""
    return features.mean(dim=(2, 3)), features.std(dim=(2, 3), correction=0)


def maps(count: int) -> Tensor:
    """float32 [count, 3, 8, 8], each row and channel with a look of its own."""
    generator = torch.Generator().manual_seed(0)
    spread, middle = torch.rand(2, count, 3, 1, 1, generator=generator).unbind()
    noise = torch.randn(count, 3, 8, 8, generator=generator)
    return 5 * middle + (1 + spread) * noise


def test_a_row_takes_so_much_of_the_look_of_another() -> None:
    features = maps(2)
    kept = torch.tensor([0.25, 1.0])

    found = mixed_style(features, owner=torch.tensor([0, 1]), lender=torch.tensor([1, 0]), kept=kept)

    for before, after in zip(looks(features), looks(found), strict=True):
        torch.testing.assert_close(after[0], 0.25 * before[0] + 0.75 * before[1], atol=1e-4, rtol=0)
        torch.testing.assert_close(after[1], before[1], atol=1e-4, rtol=0)


def test_a_twin_is_changed_as_its_original_is() -> None:
    features = maps(3)
    owner = torch.tensor([0, 0, 2])
    found = mixed_style(features, owner=owner, lender=torch.tensor([2, 2, 0]), kept=torch.tensor([0.3, 0.3, 0.3]))

    _, deviation = looks(features)
    stretch = (0.3 * deviation[0] + 0.7 * deviation[2]) / deviation[0]
    apart = stretch.view(3, 1, 1) * (features[1] - features[0])
    torch.testing.assert_close(found[1] - found[0], apart, atol=1e-4, rtol=1e-4)


def test_an_even_map_stays_finite() -> None:
    features = torch.ones(2, 3, 4, 4, requires_grad=True)
    found = mixed_style(
        features, owner=torch.tensor([0, 1]), lender=torch.tensor([1, 0]), kept=torch.tensor([0.5, 0.5])
    )
    (gradient,) = torch.autograd.grad(found.sum(), features)
    assert bool(found.isfinite().all() and gradient.isfinite().all())


def batch(is_fake: list[int], pairs: list[tuple[int, int]]) -> Batch:
    """Clips of two slots."""
    count = len(is_fake)
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 2, 3, 64, 64), np.uint8))
    one_channel = torch.zeros(count, 2, 1, 64, 64, dtype=torch.uint8)
    return Batch(
        windows=torch.arange(count),
        variants=torch.zeros(count, dtype=torch.int64),
        frames=pictures,
        depth=one_channel,
        masks=one_channel,
        slots=torch.zeros(count, 2, dtype=torch.int64),
        face_valid=torch.ones(count, 2),
        depth_valid=torch.zeros(count, 2),
        is_fake=torch.tensor(is_fake),
        masked=torch.ones(count),
        pairs=torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2),
    )


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    with shallow_trunks():
        return Trunk("repvit_m0_6").eval()


def seen(trunk: Trunk, clips: Batch) -> Tensor:
    with torch.no_grad():
        features: tuple[Tensor, ...] = trunk(clips.frames.flatten(0, 1).float())
    return features[-1]


def test_a_trunk_mixes_while_it_is_asked_to_and_not_after(trunk: Trunk) -> None:
    clips = batch([0, 0, 1, 1], [(0, 2)])
    plain = seen(trunk, clips)

    torch.manual_seed(1)
    with StyleMixing(share=1.0).of(trunk, clips):
        mixed = seen(trunk, clips)
    torch.manual_seed(1)
    with StyleMixing(share=1.0).of(trunk, clips):
        again = seen(trunk, clips)

    assert not torch.allclose(mixed, plain)
    assert torch.equal(mixed, again)
    assert torch.equal(seen(trunk, clips), plain)


def test_forged_clips_lend_nothing(trunk: Trunk) -> None:
    """One real clip among fakes can only lend its own look: to itself it makes no difference."""
    clips = batch([0, 1, 1], [(0, 1)])
    torch.manual_seed(0)
    with StyleMixing(share=1.0).of(trunk, clips):
        mixed = seen(trunk, clips)
    torch.testing.assert_close(mixed[:4], seen(trunk, clips)[:4], atol=1e-3, rtol=1e-3)

    clips = batch([1, 1], [])
    plain = seen(trunk, clips)
    with StyleMixing(share=1.0).of(trunk, clips):
        assert torch.equal(seen(trunk, clips), plain)
