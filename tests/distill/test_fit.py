"""One stage: its batches, the best weights or their mean, and what is not trained twice."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.errors import InputError
from core.runs import read_tensors
from distill.batches import Steps
from distill.fit import Machine, fit
from distill.recipes import Stage
from distill.stages import TrainingStage

STEPS = 4


class Counting(TrainingStage):
    """Each step adds one to a weight; validation scores are told beforehand, one for each look."""

    def __init__(self, margins: list[float], **told: Any) -> None:
        stage = Stage(steps=STEPS, windows=2, learning_rate=0.0, validate_every=1, **told)
        super().__init__(stage, seed=0)
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.module.weight)
        self.margins = list(margins)
        self.seen: list[float] = []

    def trained(self) -> nn.Module:
        return self.module

    def training_step(self, batch: Tensor) -> Tensor:
        self.seen.append(float(batch))
        self.module.weight.data += 1.0
        loss: Tensor = (self.module(batch) * 0.0).sum()
        return loss

    def validation_step(self, batch: Tensor) -> None:
        margin = self.margins.pop(0)
        self.record(torch.tensor([[0.0, -margin], [0.0, margin]]), torch.tensor([0, 1]))


class Numbers(Steps[Tensor]):
    """Every batch is the number of its step."""

    epoch_steps = 2

    def __getitem__(self, step: int) -> Tensor:
        return torch.tensor([[float(step)]])


def fitted(stage: Counting, folder: Path) -> float:
    """The weight that the stage ends with."""
    fit("counting", stage, Numbers(), [torch.ones(1)], folder=folder / "stages", machine=Machine(device="cpu"))
    return float(stage.module.weight.detach())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    return tmp_path


def test_the_weights_of_the_best_validation_are_kept(folder: Path) -> None:
    # A positive margin is an AUC of 1, a negative one of 0; of equals the latest is kept.
    assert fitted(Counting([-1.0, 1.0, 2.0, -1.0]), folder) == 3.0
    assert float(read_tensors(folder / "stages" / "counting.safetensors")["weight"]) == 3.0


def test_a_score_of_the_time_before_weights_are_kept_does_not_count(folder: Path) -> None:
    assert fitted(Counting([2.0, -1.0, -1.0, -1.0], kept_from=0.75), folder) == 4.0


def test_the_mean_of_the_weights_at_the_validations_that_count_may_be_kept(folder: Path) -> None:
    assert fitted(Counting([1.0, 2.0, -1.0, -1.0], kept_from=0.5, kept="mean"), folder) == (2.0 + 3.0 + 4.0) / 3
    assert float(read_tensors(folder / "stages" / "counting.safetensors")["weight"]) == 3.0


def test_a_stage_takes_its_batches_in_order_and_says_where_its_time_went(folder: Path) -> None:
    stage = Counting([1.0] * STEPS)
    record = fit("x", stage, Numbers(), [torch.ones(1)], folder=folder / "stages", machine=Machine(device="cpu"))

    assert stage.seen == [0.0, 1.0, 2.0, 3.0]
    assert (record.steps, record.best_step, record.epoch_steps) == (STEPS, STEPS, 2)
    assert record.training_share + record.waiting_share == pytest.approx(1.0)
    assert 0 < record.epoch_seconds <= record.seconds


def test_a_stage_ends_early_where_nothing_gets_better(folder: Path) -> None:
    stage = Counting([1.0, -1.0, -1.0, 1.0], patience=2)

    fitted(stage, folder)

    assert stage.seen == [0.0, 1.0, 2.0]


def test_adams_moments_do_not_change_with_the_rate() -> None:
    configured: Any = Counting([]).configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    seen = set()
    for _ in range(STEPS):
        seen.add(optimizer.param_groups[0]["betas"])
        optimizer.step()
        schedule.step()

    assert seen == {(0.9, 0.999)}


def test_gradients_of_several_batches_make_one_step(folder: Path) -> None:
    stage = Counting([1.0], accumulate=3)
    stage.stage = replace(stage.stage, validate_every=STEPS)

    fitted(stage, folder)

    # Four batches are a step of three and the rest; the schedule was told so beforehand.
    assert stage.stage.updates == 2
    assert len(stage.seen) == STEPS


def test_a_finished_stage_is_read_and_not_trained_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fitted(Counting([-1.0, 1.0, -1.0, -1.0]), folder)

    again = Counting([])

    assert fitted(again, folder) == 2.0
    assert again.seen == []
    assert "counting: reusing" in capsys.readouterr().err


def test_weights_of_another_architecture_are_refused_by_name(folder: Path) -> None:
    fitted(Counting([1.0] * STEPS), folder)
    other = Counting([])
    other.module = nn.Linear(2, 1, bias=False)

    with pytest.raises(InputError, match=r"counting\.safetensors: weights of another architecture \(weight\)"):
        fitted(other, folder)
