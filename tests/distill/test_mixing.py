"""Styles that clips lend each other: what becomes of means and deviations, and what twins keep between them."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from core.models import Student, StudentConfig, Teacher, TeacherConfig
from core.models.backbone import Trunk
from distill.batches import TaughtFrames
from distill.data import Batch
from distill.mixing import StyleMixing, mixed_style
from distill.recipes import LossWeights, Stage
from distill.stages import StudentFrames, TeacherFrames
from tests.shallow import shallow_trunks


def styles(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over space."""
    return features.mean(dim=(2, 3)), features.std(dim=(2, 3), correction=0)


def maps(count: int) -> Tensor:
    """float32 [count, 3, 8, 8], each row and channel with a style of its own."""
    generator = torch.Generator().manual_seed(0)
    spread, middle = torch.rand(2, count, 3, 1, 1, generator=generator).unbind()
    noise = torch.randn(count, 3, 8, 8, generator=generator)
    return 5 * middle + (1 + spread) * noise


def test_a_row_takes_so_much_of_the_style_of_another() -> None:
    features = maps(2)
    kept = torch.tensor([0.25, 1.0])

    found = mixed_style(features, owner=torch.tensor([0, 1]), lender=torch.tensor([1, 0]), kept=kept)

    for before, after in zip(styles(features), styles(found), strict=True):
        torch.testing.assert_close(after[0], 0.25 * before[0] + 0.75 * before[1], atol=1e-4, rtol=0)
        torch.testing.assert_close(after[1], before[1], atol=1e-4, rtol=0)


def test_a_twin_is_changed_as_its_original_is() -> None:
    features = maps(3)
    owner = torch.tensor([0, 0, 2])
    found = mixed_style(features, owner=owner, lender=torch.tensor([2, 2, 0]), kept=torch.tensor([0.3, 0.3, 0.3]))

    _, deviation = styles(features)
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
    with StyleMixing(share=1.0).applied_to(trunk, clips):
        mixed = seen(trunk, clips)
    torch.manual_seed(1)
    with StyleMixing(share=1.0).applied_to(trunk, clips):
        again = seen(trunk, clips)

    assert not torch.allclose(mixed, plain)
    assert torch.equal(mixed, again)
    assert torch.equal(seen(trunk, clips), plain)


def test_real_clips_lend_and_a_twin_borrows_what_its_original_does() -> None:
    clips = batch([0, 1, 1, 0, 1], [(0, 2), (3, 1)])
    torch.manual_seed(0)
    drawn = [StyleMixing().drawn(clips) for _ in range(100)]

    for owner, lender, kept in drawn:
        assert owner.tolist() == [0, 3, 0, 3, 4]
        assert lender[2] == lender[0]
        assert lender[1] == lender[3]
        assert kept[2] == kept[0]
        assert kept[1] == kept[3]
        assert 0 <= kept.min() <= kept.max() <= 1
    for row in (0, 3, 4):
        assert {int(lender[row]) for _, lender, _ in drawn} == {0, 3}


def test_so_much_is_kept_as_the_distribution_says() -> None:
    clips = batch([0] * 8, [])
    torch.manual_seed(0)
    kept = torch.cat([StyleMixing(concentration=0.1).drawn(clips)[2] for _ in range(500)])

    # Beta(a, a) has a mean of 1/2 and a variance of 1 / (8 a + 4).
    assert float(kept.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(kept.var()) == pytest.approx(1 / 4.8, abs=0.01)


def test_where_no_clip_is_real_nothing_changes(trunk: Trunk) -> None:
    clips = batch([1, 1], [])
    plain = seen(trunk, clips)
    with StyleMixing(share=1.0).applied_to(trunk, clips):
        torch.testing.assert_close(seen(trunk, clips), plain, atol=1e-3, rtol=1e-3)


def test_a_share_of_nothing_mixes_nothing(trunk: Trunk) -> None:
    clips = batch([0, 0], [])
    plain = seen(trunk, clips)
    with StyleMixing(share=0.0).applied_to(trunk, clips):
        assert torch.equal(seen(trunk, clips), plain)


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_the_stages_of_single_frames_mix(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Trunk] = []

    @contextmanager
    def applied_to(self: StyleMixing, trunk: Trunk, batch: Batch) -> Iterator[None]:
        asked.append(trunk)
        yield

    monkeypatch.setattr(StyleMixing, "applied_to", applied_to)
    clips = TaughtFrames(clips=batch([0, 1], [(0, 1)]))
    stage = Stage(steps=1, windows=2, learning_rate=1e-3)
    with shallow_trunks():
        teacher, student = Teacher(TeacherConfig()), Student(StudentConfig())
    trunk = teacher.rgb_trunk if role == "teacher" else student.trunk
    frames: TeacherFrames | StudentFrames
    if role == "teacher":
        frames = TeacherFrames(teacher, stage, losses=LossWeights(), mixing=StyleMixing(), seed=0)
    else:
        frames = StudentFrames(
            student,
            stage,
            losses=LossWeights(),
            temperature=2.0,
            teacher_dim=teacher.embed_dim,
            depth_trained=False,
            mixing=StyleMixing(),
            seed=0,
        )
    monkeypatch.setattr(frames, "log", lambda *_, **__: None)
    monkeypatch.setattr(frames, "log_dict", lambda *_, **__: None)

    frames.training_step(clips)
    assert asked == [trunk]

    frames.validation_step(clips)
    assert asked == [trunk]
