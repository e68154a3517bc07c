"""The ablation: which students are trained, and the table that says what the teacher was worth."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InputError
from distill import ablation
from distill.ablation import ABLATION, TABLE, ablate, arms_of
from distill.fit import Machine
from distill.recipes import LossWeights, recipe_named
from distill.train import train
from tests.distill.conftest import MadeStore
from tests.distill.tiny import tiny_recipe, tiny_records

pytestmark = pytest.mark.usefixtures("shallow")

MACHINE = Machine(device="cpu")


def test_every_term_that_counts_is_left_out_once() -> None:
    told = replace(recipe_named("demo").student, losses=LossWeights(ranking=0.0))

    names = [arm.name for arm in arms_of(told, depth_trained=True)]

    assert names[:2] == ["all terms", "no teacher"]
    assert [name for name in names if name.startswith("without")] == [
        *("without label", "without soft", "without embedding", "without relation", "without depth", "without area"),
    ]
    assert "without depth" not in [arm.name for arm in arms_of(told, depth_trained=False)]


def test_a_student_without_a_teacher_has_neither_its_answers_nor_its_trunk() -> None:
    arms = {arm.name: arm.student for arm in arms_of(recipe_named("demo").student, depth_trained=True)}

    alone = arms["no teacher"]
    assert not alone.taught
    assert not alone.start_from_teacher
    assert {(arm.frames.steps, arm.fusion.steps) for arm in arms.values()} == {(100, 250)}
    assert all(arm.quantised is None for arm in arms.values())


def test_students_train_their_trunks_for_as_many_steps_and_a_kept_one_is_beside_them() -> None:
    arms = arms_of(recipe_named("clips").student, depth_trained=False)

    assert [arm.name for arm in arms if arm.student.keep_teachers_trunk] == ["the teacher's trunk as it is"]
    assert arms[-1].student.keep_teachers_trunk
    assert {(arm.student.frames.steps, arm.student.scratch) for arm in arms} == {(300, None)}


def test_a_run_that_is_not_finished_cannot_be_ablated(made_store: MadeStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run: no finished run; type the same command without --ablate first"):
        ablate(tiny_recipe(), made_store(tiny_records()), tmp_path / "run", machine=MACHINE, workers=0)


def test_the_table_compares_students_and_a_second_call_trains_none(
    made_store: MadeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, run = made_store(tiny_records()), tmp_path / "run"
    two = arms_of(tiny_recipe().student, depth_trained=True)[:2]
    monkeypatch.setattr(ablation, "arms_of", lambda *_, **__: two)
    train(tiny_recipe(), store, run, machine=MACHINE, workers=0)

    ablate(tiny_recipe(), store, run, machine=MACHINE, workers=0, seeds=(0,))
    first = json.loads((run / ABLATION).read_text())
    capsys.readouterr()
    ablate(tiny_recipe(), store, run, machine=MACHINE, workers=0, seeds=(0,))

    assert "ablation_0_0_frames" not in capsys.readouterr().err
    assert json.loads((run / ABLATION).read_text()) == first
    assert [(row["arm"], row["seed"]) for row in first["rows"]] == [("all terms", 0), ("no teacher", 0)]
    table = (run / TABLE).read_text()
    low, high = sorted(row["window_log_loss"] for row in first["rows"])
    assert f"{low:.4f}" in table
    assert f"{high:.4f}" in table
    verdict = "lower than" if first["rows"][0]["window_log_loss"] < first["rows"][1]["window_log_loss"] else "not lower"
    assert f", {verdict}" in table
