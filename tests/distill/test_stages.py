"""What the terms of a frame's training are given."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from distill.data import Batch
from distill.recipes import LossWeights
from distill.stages import FrameHeads, PlaceHead, frame_terms

CHANNELS = (4, 6, 8, 10)
S = 32
LEVELS = torch.tensor([[8, 16], [24, 32]])
"""By how much each slot of either twin is redder than its original, all over the picture: 1 to 4 units."""


@pytest.fixture
def batch() -> Batch:
    """Two real clips of two slots, the twin of the second, that of the first, and a fake of nobody here."""
    real = torch.stack([torch.full((2, 3, S, S), level, dtype=torch.uint8) for level in (100, 60)])
    frames = torch.cat([real, real.flip(0), torch.full((1, 2, 3, S, S), 200, dtype=torch.uint8)])
    frames[2:4, :, 0] += LEVELS.view(2, 2, 1, 1).to(torch.uint8)
    return Batch(
        windows=torch.arange(5),
        variants=torch.zeros(5, dtype=torch.int64),
        slots=torch.tensor([[0, 1]] * 5),
        frames=frames,
        depth=torch.zeros(5, 2, 1, S, S, dtype=torch.uint8),
        masks=torch.zeros(5, 2, 1, S, S, dtype=torch.uint8),
        masked=torch.ones(5),
        face_valid=torch.ones(5, 2),
        depth_valid=torch.zeros(5, 2),
        is_fake=torch.tensor([0, 0, 1, 1, 1]),
        pairs=torch.tensor([[1, 2], [0, 3]]),
    )


def change_term(batch: Batch, red: float = 0.0) -> float:
    """Of heads that tell so many units of red at every place, and no other change."""
    heads = FrameHeads(CHANNELS)
    for value in heads.change.parameters():
        torch.nn.init.zeros_(value)
    assert heads.change.fine.bias is not None
    with torch.no_grad():
        heads.change.fine.bias[0] = red
    terms, _ = frame_terms(
        heads, torch.zeros(10, CHANNELS[-1]), features(10), batch, LossWeights(ranking=0.0, area=0.0, change=1.0)
    )
    return float(terms["change"].detach())


def features(count: int) -> tuple[Tensor, ...]:
    """Of a trunk that sees nothing."""
    return tuple(
        torch.zeros(count, width, S // step, S // step) for width, step in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    )


def off_by(*units: float) -> float:
    """The term of eight known frames, of which so many are off by so much in one of their four maps."""
    return sum(max(0.0, unit - 0.25) for unit in units) / 4 / 8


def test_a_twin_is_held_to_what_changed_its_own_original(batch: Batch) -> None:
    assert change_term(batch) == pytest.approx(off_by(1, 2, 3, 4))
    # Then the four real frames are off by two as well, and one twin is right.
    assert change_term(batch, red=2.0) == pytest.approx(off_by(1, 1, 2) + off_by(2, 2, 2, 2))


def test_a_fake_beside_no_original_of_its_own_counts_nowhere(batch: Batch) -> None:
    unlike = batch.frames.clone()
    unlike[4] = 0
    without = replace(batch, face_valid=torch.tensor([[1.0, 1.0]] * 4 + [[0.0, 0.0]]))

    for other in (replace(batch, frames=unlike), without):
        assert change_term(other, red=2.0) == change_term(batch, red=2.0)


def test_a_slot_without_a_face_counts_nowhere(batch: Batch) -> None:
    valid = batch.face_valid.clone()
    valid[3, 1] = 0.0

    assert change_term(replace(batch, face_valid=valid)) == pytest.approx(off_by(1, 2, 3) * 8 / 7)


def test_without_pairs_only_real_frames_are_known(batch: Batch) -> None:
    alone = replace(batch, pairs=torch.zeros(0, 2, dtype=torch.int64))

    assert change_term(alone) == 0.0
    assert change_term(alone, red=2.0) == pytest.approx(1.75 / 4)


def test_maps_of_places_are_of_both_scales() -> None:
    head = PlaceHead(CHANNELS, 1)
    for value in head.parameters():
        torch.nn.init.zeros_(value)
    seen = list(features(1))
    # The finer scale tells the upper left place of four, the coarser all that its upper left covers.
    seen[1][0, 0, 0, 0], seen[2][0, 0, 0, 0] = 1.0, 1.0
    with torch.no_grad():
        head.fine.weight[0, 0], head.coarse.weight[0, 0] = 2.0, 10.0

    maps = head(tuple(seen))

    assert maps.shape == (1, 1, S // 8, S // 8)
    # Half-pixel centres: the corner is all of its coarse place, the next a quarter of the way to the neighbour.
    assert maps[0, 0, 0, :].tolist() == pytest.approx([12.0, 7.5, 2.5, 0.0])
    assert maps[0, 0, :, 0].tolist() == pytest.approx([12.0, 7.5, 2.5, 0.0])
