"""What the terms of a frame's training are given."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from distill.data import Batch
from distill.recipes import LossWeights
from distill.stages import FrameHeads, frame_terms

CHANNELS = (4, 6, 8, 10)
S = 32
CHANGE_ONLY = LossWeights(ranking=0.0, area=0.0)


@pytest.fixture
def batch() -> Batch:
    """Two real clips, a twin of the second that is 16 levels redder, and a fake of nobody here; two slots each."""
    frames = torch.full((4, 2, 3, S, S), 100, dtype=torch.uint8)
    frames[2, :, 0] += 16
    frames[3] += 50
    return Batch(
        windows=torch.arange(4),
        variants=torch.zeros(4, dtype=torch.int64),
        slots=torch.tensor([[0, 1]] * 4),
        frames=frames,
        depth=torch.zeros(4, 2, 1, S, S, dtype=torch.uint8),
        masks=torch.zeros(4, 2, 1, S, S, dtype=torch.uint8),
        masked=torch.ones(4),
        face_valid=torch.ones(4, 2),
        depth_valid=torch.zeros(4, 2),
        is_fake=torch.tensor([0, 0, 1, 1]),
        pairs=torch.tensor([[1, 2]]),
    )


def change_term(batch: Batch, red: float = 0.0) -> Tensor:
    """Of heads that tell the same change of red everywhere, and no other."""
    heads = FrameHeads(CHANNELS)
    for layer in (heads.change.fine, heads.change.coarse):
        torch.nn.init.zeros_(layer.weight)
        assert layer.bias is not None
        torch.nn.init.zeros_(layer.bias)
    assert heads.change.fine.bias is not None
    with torch.no_grad():
        heads.change.fine.bias[0] = red
    features = tuple(
        torch.zeros(8, width, S // side, S // side) for width, side in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    )
    terms, _ = frame_terms(heads, torch.zeros(8, CHANNELS[-1]), features, batch, CHANGE_ONLY)
    return terms["change"].detach()


def test_a_fake_is_held_to_what_changed_its_own_original(batch: Batch) -> None:
    # Six of the eight frames are known; two units in one of four maps is 1.75 there.
    assert float(change_term(batch)) == pytest.approx(2 * (1.75 / 4) / 6)
    assert float(change_term(batch, red=2.0)) == pytest.approx(4 * (1.75 / 4) / 6)


def test_a_fake_beside_another_original_is_held_to_nothing(batch: Batch) -> None:
    black = batch.frames.clone()
    black[3] = 0

    assert torch.equal(change_term(replace(batch, frames=black)), change_term(batch))


def test_a_slot_without_a_face_is_held_to_nothing(batch: Batch) -> None:
    valid = batch.face_valid.clone()
    valid[2, 1] = 0.0

    assert float(change_term(replace(batch, face_valid=valid))) == pytest.approx((1.75 / 4) / 5)


def test_without_pairs_only_real_frames_are_known(batch: Batch) -> None:
    alone = replace(batch, pairs=torch.zeros(0, 2, dtype=torch.int64))

    assert float(change_term(alone)) == 0.0
    assert float(change_term(alone, red=2.0)) == pytest.approx(1.75 / 4)
