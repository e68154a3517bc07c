"""The terms of the distillation, on numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.losses import depth_loss, depth_target, embedding_loss, label_loss, soft_target_loss

THREE_TO_ONE = torch.tensor([[math.log(3), 0.0]])
"""Logits whose softmax is (3/4, 1/4)."""


def maps(*frames: list[list[float]]) -> torch.Tensor:
    """One clip, [1, T, H, W]."""
    return torch.tensor([frames])


def test_label_loss_is_the_cross_entropy_of_the_named_class() -> None:
    loss = label_loss(THREE_TO_ONE, torch.tensor([1]), smoothing=0.0)

    assert float(loss) == pytest.approx(math.log(4))


def test_label_smoothing_gives_each_class_half_of_its_share() -> None:
    loss = label_loss(THREE_TO_ONE, torch.tensor([0]), smoothing=0.02)

    assert float(loss) == pytest.approx(0.99 * math.log(4 / 3) + 0.01 * math.log(4))


def test_soft_targets_are_softened_and_scaled_by_the_squared_temperature() -> None:
    # At T = 2 the teacher says (3/4, 1/4) and the student (1/2, 1/2).
    teacher, student = 2 * THREE_TO_ONE, torch.zeros(1, 2)

    loss = soft_target_loss(student, teacher, temperature=2.0)

    assert float(loss) == pytest.approx(4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)))


def test_soft_targets_are_averaged_over_the_batch() -> None:
    teacher = torch.cat([2 * THREE_TO_ONE, torch.zeros(1, 2)])

    loss = soft_target_loss(torch.zeros(2, 2), teacher, temperature=2.0)

    assert float(loss) == pytest.approx(2 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)))


def test_embedding_loss_is_one_minus_cosine_whatever_the_lengths() -> None:
    student = torch.tensor([[5.0, 0.0], [1.0, 1.0]])
    teacher = torch.tensor([[0.0, 0.1], [3.0, 0.0]])

    loss = embedding_loss(student, teacher, torch.ones(2))

    assert float(loss) == pytest.approx((1 + (1 - math.sqrt(0.5))) / 2)


def test_embedding_loss_leaves_invalid_rows_out() -> None:
    student = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    teacher = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])

    assert float(embedding_loss(student, teacher, torch.tensor([1.0, 0.0]))) == pytest.approx(1.0)
    assert float(embedding_loss(student, teacher, torch.zeros(2))) == 0.0


@given(
    values=st.lists(st.integers(0, 255), min_size=32, max_size=32),
    scale=st.integers(1, 64),
    shift=st.integers(-1000, 1000),
)
def test_depth_loss_is_exactly_zero_under_any_positive_scale_and_shift(
    values: list[int], scale: int, shift: int
) -> None:
    target = torch.tensor(values, dtype=torch.float32).view(1, 2, 4, 4)

    assert float(depth_loss(scale * target + shift, target, torch.ones(1), scales=2)) == 0.0


def test_depth_loss_adds_the_error_and_half_of_the_gradients_of_the_difference() -> None:
    # Medians are 1 and mean deviations 1: the difference is [[0, -1], [1, 0]], all its gradients are 1.
    depth, target = maps([[0.0, 1.0], [2.0, 3.0]]), maps([[0.0, 2.0], [1.0, 3.0]])

    assert float(depth_loss(depth, target, torch.ones(1), scales=1)) == pytest.approx(0.5 + 0.5 * (1 + 1))


def test_depth_loss_matches_gradients_at_every_scale() -> None:
    # Normalised, the maps are 0 and 2 by column and by row; their difference steps by 2 in the middle.
    depth = maps([[0.0, 0.0, 2.0, 2.0]] * 4)
    target = depth.transpose(2, 3)

    # Full scale: two of three steps are 0, mean 2/3 both ways. Every second pixel: all steps are 2.
    assert float(depth_loss(depth, target, torch.ones(1), scales=2)) == pytest.approx(
        1 + 0.5 * (2 / 3 + 2 / 3) / 2 + 0.5 * (2 + 2) / 2
    )


def test_the_maps_of_a_clip_share_one_scale_and_shift() -> None:
    # Frame by frame the maps agree up to a shift; over the clip they do not.
    depth = maps([[0.0, 0.0], [2.0, 2.0]], [[0.0, 0.0], [2.0, 2.0]])
    target = maps([[0.0, 0.0], [2.0, 2.0]], [[4.0, 4.0], [6.0, 6.0]])

    # Difference (1, 1, 2, 2 | -1, -1, 0, 0): mean 1, no step across, steps of 1 down.
    assert float(depth_loss(depth, target, torch.ones(1), scales=1)) == pytest.approx(1 + 0.5 * (0 + 1))


def test_depth_loss_averages_over_valid_clips_only() -> None:
    depth = torch.cat([maps([[0.0, 1.0], [2.0, 3.0]])] * 2)
    target = torch.cat([maps([[0.0, 2.0], [1.0, 3.0]]), maps([[9.0, 0.0], [0.0, 9.0]])])

    assert float(depth_loss(depth, target, torch.tensor([1.0, 0.0]), scales=1)) == pytest.approx(1.5)
    assert float(depth_loss(depth, target, torch.zeros(2), scales=1)) == 0.0


def test_a_flat_depth_map_gives_a_finite_loss() -> None:
    flat, target = torch.full((1, 1, 2, 2), 7.0), maps([[0.0, 1.0], [2.0, 3.0]])

    # Normalised, the flat map is 0 and the target (-1, 0, 1, 2).
    assert float(depth_loss(flat, target, torch.ones(1), scales=1)) == pytest.approx(1 + 0.5 * (1 + 2))


def test_depth_target_averages_blocks() -> None:
    depth = torch.arange(16, dtype=torch.uint8).view(1, 1, 1, 4, 4)

    averaged = depth_target(depth, 2)

    assert averaged.tolist() == [[[[[2.5, 4.5], [10.5, 12.5]]]]]
