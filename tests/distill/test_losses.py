"""The terms of the distillation, on numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from distill.losses import (
    angle_relation_loss,
    depth_loss,
    depth_target,
    distance_relation_loss,
    embedding_loss,
    forged_area_loss,
    label_loss,
    ranking_loss,
    relation_loss,
    soft_target_loss,
)

THREE_TO_ONE = torch.tensor([[math.log(3), 0.0]])
"""Logits whose softmax is (3/4, 1/4)."""


RIGHT_ANGLED = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
"""Sides 3, 4 and 5: over their mean 0.75, 1 and 1.25; cosines 0, 3/5 and 4/5."""
EQUILATERAL = torch.eye(3)
"""All sides 1 over their mean, all cosines 1/2."""


def maps(*frames: list[list[float]]) -> Tensor:
    """One clip, [1, T, H, W]."""
    return torch.tensor([frames])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


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


def test_distances_are_compared_over_their_mean() -> None:
    # Differences of 1/4, 0 and 1/4: squared and halved, since all are below 1.
    loss = distance_relation_loss(RIGHT_ANGLED, EQUILATERAL)

    assert float(loss) == pytest.approx((1 / 32 + 0 + 1 / 32) / 3)


def test_angles_are_compared_by_their_cosines() -> None:
    # Differences of 1/2, 1/10 and 3/10.
    loss = angle_relation_loss(RIGHT_ANGLED, EQUILATERAL)

    assert float(loss) == pytest.approx((0.125 + 0.005 + 0.045) / 3)


def test_a_far_distance_counts_linearly() -> None:
    # Over their mean 3/2, 3/2 and 0, where the teacher has 0, 3/2 and 3/2: two of three are 1.5 apart.
    loss = distance_relation_loss(torch.tensor([[0.0], [1.0], [1.0]]), torch.tensor([[0.0], [0.0], [1.0]]))

    assert float(loss) == pytest.approx((1.0 + 0.0 + 1.0) / 3)


def test_a_far_angle_counts_linearly() -> None:
    # On a line the cosine is -1 in the middle and 1 at both ends; two of the three are 2 apart.
    loss = angle_relation_loss(torch.tensor([[0.0], [2.0], [1.0]]), torch.tensor([[0.0], [1.0], [2.0]]))

    assert float(loss) == pytest.approx((0 + 1.5 + 1.5) / 3)


def test_angles_count_twice_as_much_as_distances() -> None:
    loss = relation_loss(RIGHT_ANGLED, EQUILATERAL, torch.ones(3))

    assert float(loss) == pytest.approx(0.0625 / 3 + 2 * 0.175 / 3)


def test_relations_of_four_are_those_of_all_pairs_and_triplets() -> None:
    student, teacher = noise(4, 5), noise(4, 3, seed=1)
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]

    def distances(rows: Tensor) -> Tensor:
        found = torch.stack([(rows[i] - rows[j]).norm() for i, j in pairs])
        return found / found.mean()

    def cosines(rows: Tensor) -> Tensor:
        corners = [(j, i, k) for j in range(4) for i, k in pairs if j not in (i, k)]
        return torch.stack(
            [torch.cosine_similarity(rows[i] - rows[j], rows[k] - rows[j], dim=0) for j, i, k in corners]
        )

    for found, relations in ((distance_relation_loss, distances), (angle_relation_loss, cosines)):
        expected = torch.nn.functional.smooth_l1_loss(relations(student), relations(teacher))
        torch.testing.assert_close(found(student, teacher), expected)


@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100.0), shift=st.floats(-10.0, 10.0))
def test_turned_scaled_and_shifted_embeddings_have_the_same_relations(seed: int, scale: float, shift: float) -> None:
    teacher = noise(6, 4, seed=seed)
    turn = torch.linalg.qr(noise(4, 4, seed=seed + 1)).Q

    loss = relation_loss(scale * (teacher + shift) @ turn, teacher, torch.ones(6))

    assert float(loss) == pytest.approx(0.0, abs=1e-6)


def test_relations_leave_invalid_rows_out() -> None:
    student = torch.cat([noise(1, 2), RIGHT_ANGLED[:2], noise(1, 2, seed=1), RIGHT_ANGLED[2:]])
    teacher = torch.cat([noise(1, 3), EQUILATERAL[:2], noise(1, 3, seed=1), EQUILATERAL[2:]])

    loss = relation_loss(student, teacher, torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0]))

    assert float(loss) == pytest.approx(0.0625 / 3 + 2 * 0.175 / 3)


def test_two_rows_have_no_angle_and_one_distance_which_is_its_own_mean() -> None:
    for valid in ([1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]):
        student = RIGHT_ANGLED.clone().requires_grad_()
        loss = relation_loss(student, EQUILATERAL, torch.tensor(valid))
        torch.autograd.backward(loss)
        assert float(loss.detach()) == 0.0
        assert student.grad is not None
        assert not student.grad.any()


@pytest.mark.parametrize("together", [2, 5])
@pytest.mark.parametrize("apart", [0.0, 1e-30, 1e-7])
def test_embeddings_that_coincide_have_finite_gradients(together: int, apart: float) -> None:
    student = noise(5, 4)
    student[:together] = student[0] + apart * noise(together, 4, seed=1)
    student.requires_grad_()

    loss = relation_loss(student, noise(5, 4, seed=2), torch.ones(5))
    torch.autograd.backward(loss)

    assert student.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(student.grad).all()
    assert student.grad.abs().max() < 1e6 or apart > 0


def test_a_fake_is_to_be_ranked_above_its_own_real_frame() -> None:
    # Three to one the right way round, and three to one the wrong way round.
    loss = ranking_loss(torch.tensor([5 + math.log(3), 0.0]), torch.tensor([5.0, math.log(3)]))

    assert float(loss) == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


def test_without_a_pair_there_is_nothing_to_rank() -> None:
    assert float(ranking_loss(torch.zeros(0), torch.zeros(0))) == 0.0


MASK = maps([[51.0, 51.0, 51.0, 0.0]] * 4)
"""Cells of 2 x 2 hold 51 on the left and half of that on the right."""
AREA = maps([[math.log(3), -math.log(3)], [0.0, 0.0]])
"""Logits of 3/4, 1/4, 1/2 and 1/2."""
FORGED = (math.log(4 / 3) + (math.log(4) + math.log(4 / 3)) / 2 + 2 * math.log(2)) / 4
"""Cross-entropy of AREA against 1, 1/2, 1 and 1/2."""
UNTOUCHED = (math.log(4) + math.log(4 / 3) + 2 * math.log(2)) / 4
"""Cross-entropy of AREA against 0."""


def test_forged_area_is_the_share_of_a_cell_whatever_the_forgery_s_strength() -> None:
    for mask in (MASK, MASK / 255, MASK.to(torch.uint8)):
        assert float(forged_area_loss(AREA, mask, torch.ones(1, 1))) == pytest.approx(FORGED)


def test_nothing_of_a_real_clip_is_forged() -> None:
    assert float(forged_area_loss(AREA, torch.zeros(1, 1, 4, 4), torch.ones(1, 1))) == pytest.approx(UNTOUCHED)


def test_the_strongest_cell_of_a_clip_is_one_for_all_its_frames() -> None:
    # The second frame is forged at half of the first one's strength: 1/2 on the left, 1/4 on the right.
    second = (0.5 * (math.log(4 / 3) + math.log(4)) + 0.25 * math.log(4) + 0.75 * math.log(4 / 3) + 2 * math.log(2)) / 4

    loss = forged_area_loss(AREA.repeat(1, 2, 1, 1), torch.cat([MASK, MASK / 2], dim=1), torch.ones(1, 2))

    assert float(loss) == pytest.approx((FORGED + second) / 2)


def test_single_frames_are_clips_of_their_own() -> None:
    loss = forged_area_loss(AREA.repeat(2, 1, 1, 1), torch.cat([MASK, MASK / 2]), torch.ones(2))

    assert float(loss) == pytest.approx(FORGED)


def test_a_mask_that_is_not_known_counts_nowhere() -> None:
    logits, masks = torch.cat([AREA, noise(1, 1, 2, 2)], dim=1), torch.cat([MASK, torch.full_like(MASK, 255.0)], dim=1)

    assert float(forged_area_loss(logits, masks, torch.tensor([[1.0, 0.0]]))) == pytest.approx(FORGED)
    assert float(forged_area_loss(logits, masks, torch.zeros(1, 2))) == 0.0


@given(
    values=st.lists(st.integers(0, 255), min_size=32, max_size=32),
    scale=st.integers(1, 64),
    shift=st.integers(-1000, 1000),
)
def test_depth_loss_is_exactly_zero_under_any_positive_scale_and_shift(
    values: list[int], scale: int, shift: int
) -> None:
    target = torch.tensor(values, dtype=torch.float32).view(1, 2, 4, 4)

    assert float(depth_loss(scale * target + shift, target, torch.ones(1, 2), scales=2)) == 0.0


def test_depth_loss_adds_half_of_the_error_and_half_of_the_gradients_of_the_difference() -> None:
    # Medians are 1 and mean deviations 1: the difference is [[0, -1], [1, 0]], all its gradients are 1.
    depth, target = maps([[0.0, 1.0], [2.0, 3.0]]), maps([[0.0, 2.0], [1.0, 3.0]])

    assert float(depth_loss(depth, target, torch.ones(1, 1), scales=1)) == pytest.approx(0.5 * 0.5 + 0.5 * (1 + 1))


def test_the_spread_of_a_clip_is_taken_around_its_median() -> None:
    # Around the median 6 the mean deviation is 8/3: four pixels are -9/4, five 0, and each edge between steps by 9/4.
    depth, flat = maps([[0.0, 0.0, 0.0], [0.0, 6.0, 6.0], [6.0, 6.0, 6.0]]), torch.zeros(1, 1, 3, 3)

    # Of six steps each way one across and three down lie on the edge.
    assert float(depth_loss(depth, flat, torch.ones(1, 1), scales=1)) == pytest.approx(
        0.5 * 1 + 0.5 * (9 / 4 * 1 / 6 + 9 / 4 * 3 / 6)
    )


def test_depth_loss_matches_gradients_at_every_scale() -> None:
    # Normalised, the maps are 0 and 2 by column and by row; their difference steps by 2 in the middle.
    depth = maps([[0.0, 0.0, 2.0, 2.0]] * 4)
    target = depth.transpose(2, 3)

    # Full scale: two of three steps are 0, mean 2/3 both ways. Every second pixel: all steps are 2.
    assert float(depth_loss(depth, target, torch.ones(1, 1), scales=2)) == pytest.approx(
        0.5 * 1 + 0.5 * (2 / 3 + 2 / 3) + 0.5 * (2 + 2)
    )


def test_the_maps_of_a_clip_share_one_scale_and_shift() -> None:
    # Frame by frame the maps agree up to a shift; over the clip they do not.
    depth = maps([[0.0, 0.0], [2.0, 2.0]], [[0.0, 0.0], [2.0, 2.0]])
    target = maps([[0.0, 0.0], [2.0, 2.0]], [[4.0, 4.0], [6.0, 6.0]])

    # Difference (1, 1, 2, 2 | -1, -1, 0, 0): mean 1, no step across, steps of 1 down.
    assert float(depth_loss(depth, target, torch.ones(1, 2), scales=1)) == pytest.approx(0.5 * 1 + 0.5 * (0 + 1))


@settings(deadline=None)
@given(
    valid=st.lists(st.booleans(), min_size=3, max_size=3),
    seed=st.integers(0, 1000),
    left=st.floats(width=32),
)
def test_an_invalid_frame_enters_neither_scale_nor_shift_nor_error(valid: list[bool], seed: int, left: float) -> None:
    depth, target = noise(2, 1, 3, 4, 5, seed=seed)
    kept = torch.tensor(valid)
    expected = (
        depth_loss(depth[:, kept], target[:, kept], torch.ones(1, int(kept.sum())), scales=2) if any(valid) else 0
    )
    depth[:, ~kept], target[:, ~kept] = left, -left
    depth.requires_grad_()

    loss = depth_loss(depth, target, kept[None].float(), scales=2)
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    assert depth.grad is not None
    assert torch.isfinite(depth.grad).all()
    assert not depth.grad[:, ~kept].any()


def test_depth_loss_averages_over_clips_with_a_valid_frame() -> None:
    clip, wanted = maps([[0.0, 1.0], [2.0, 3.0]]), maps([[0.0, 2.0], [1.0, 3.0]])
    other = maps([[9.0, 0.0], [0.0, 9.0]])
    # Of the first clip both frames are valid, of the second one is, of the third none.
    depth = torch.cat([clip, clip, clip]).repeat(1, 2, 1, 1)
    target = torch.cat([torch.cat([first, second], dim=1) for first, second in ((wanted, wanted), (clip, other))])
    target = torch.cat([target, torch.cat([other, other], dim=1)])
    valid = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])

    assert float(depth_loss(depth, target, valid, scales=1)) == pytest.approx((1.25 + 0) / 2)
    assert float(depth_loss(depth, target, torch.zeros(3, 2), scales=1)) == 0.0


def test_a_flat_depth_map_gives_a_finite_loss() -> None:
    flat, target = torch.full((1, 1, 2, 2), 7.0), maps([[0.0, 1.0], [2.0, 3.0]])

    # Normalised, the flat map is 0 and the target (-1, 0, 1, 2).
    assert float(depth_loss(flat, target, torch.ones(1, 1), scales=1)) == pytest.approx(0.5 * 1 + 0.5 * (1 + 2))


def test_depth_target_averages_blocks() -> None:
    depth = torch.arange(16, dtype=torch.uint8).view(1, 1, 1, 4, 4)

    averaged = depth_target(depth, 2)

    assert averaged.tolist() == [[[[[2.5, 4.5], [10.5, 12.5]]]]]


def test_losses_are_float32_where_training_runs_in_bfloat16() -> None:
    is_fake, valid = torch.tensor([0, 1, 1, 0]), torch.ones(4)
    maps_of_clips = noise(2, 2, 8, 8).abs(), noise(2, 2, 8, 8, seed=1).abs()

    def losses() -> list[Tensor]:
        return [
            label_loss(noise(4, 2), is_fake),
            soft_target_loss(noise(4, 2), noise(4, 2, seed=1), 2.0),
            embedding_loss(noise(4, 6), noise(4, 6, seed=1), valid),
            relation_loss(noise(4, 6), noise(4, 6, seed=1), valid),
            ranking_loss(noise(4), noise(4, seed=1)),
            depth_loss(*maps_of_clips, torch.ones(2, 2)),
            forged_area_loss(noise(2, 2, 4, 4), maps_of_clips[0], torch.ones(2, 2)),
        ]

    expected = losses()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = losses()

    for loss, wanted in zip(found, expected, strict=True):
        assert loss.dtype == torch.float32
        assert torch.equal(loss, wanted)
