"""Runs: what they say of themselves, what their decision is fitted on, and that no folder is overwritten."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import InputError
from core.metrics import ScoredWindow
from core.preprocess import PreprocessSpec
from core.runs import METRICS
from core.store import ClipStore
from distill.calibration import Calibration, calibrated
from distill.recipes import Recipe, recipe_named
from distill.train import RECORD, RUN, about_run, train
from tests.distill.conftest import MadeStore, record
from tests.distill.tiny import tiny_recipe, tiny_records

pytestmark = pytest.mark.usefixtures("shallow")


def test_a_run_says_what_it_was_made_of(made_store: MadeStore, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(tiny_recipe(quantised=True), made_store(tiny_records()), run, workers=0)

    record, student = (json.loads((run / name).read_text()) for name in (RECORD, "student.json"))
    assert record["seed"] == 0
    assert record["data_fingerprint"] == "made"
    assert torch.__version__.startswith(record["versions"]["torch"])
    assert [stage["name"] for stage in record["stages"]] == [
        *("teacher_frames", "teacher_fusion", "teacher_together"),
        *("student_frames", "student_fusion", "student_quantised"),
    ]
    assert all(stage["seconds"] > 0 for stage in record["stages"])
    # One of the real clips to train on shows too few faces.
    assert record["replaced_clips"] > 0
    assert set(record["calibration"]) == {"teacher", "student"}
    assert record["gap_to_teacher"] is not None
    assert student["fused"]
    assert len(student["activation_ranges"]) > 100
    videos = json.loads((run / "data.json").read_text())["videos"]
    assert len(videos) == len(tiny_records())
    assert (run / "samples.safetensors").is_file()


def test_a_run_may_be_calibrated_on_variants_of_its_real_validation_videos_and_of_their_twins(
    made_store: MadeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[ScoredWindow]] = []

    def noted(windows: list[ScoredWindow], *rest: Any, variants: int) -> Calibration:
        assert variants == 3
        seen.append(windows)
        return calibrated(windows, *rest, variants=variants)

    monkeypatch.setattr("distill.train.calibrated", noted)
    recipe = tiny_recipe()
    forging = recipe.prepare.model_copy(update={"forgeries": ("self_blend",)})
    recipe = replace(recipe, prepare=forging, calibration_variants=3)
    train(recipe, made_store(tiny_records()), tmp_path / "run", workers=0)

    # Teacher and student: three real videos of the validation side and a twin of each, three times.
    assert [len({window.video for window in windows}) for windows in seen] == [18, 18]
    assert all(sum(window.is_fake for window in windows) == 9 for windows in seen)
    assert len({window.logits for window in seen[0]}) == 18
    validated = json.loads((tmp_path / "run" / METRICS).read_text())["student"]["val"]
    assert (validated["videos_real"], validated["videos_fake"]) == (3, 3)


@pytest.fixture
def recipe() -> Recipe:
    recipe = recipe_named("demo")
    return replace(recipe, product=replace(recipe.product, preprocess=PreprocessSpec(size=32, margin=1.2)))


@pytest.fixture
def one_class(made_store: MadeStore) -> ClipStore:
    """Fakes on the training side only."""
    train_side = [record("a", is_fake=False), record("b", is_fake=True)]
    return made_store([*train_side, record("c", is_fake=False, split="val")])


def test_a_side_of_one_class_is_refused_with_its_counts(recipe: Recipe, one_class: ClipStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="val has 1 real and 0 fake windows with a face; both are needed: add videos"):
        train(recipe, one_class, tmp_path / "run", workers=0)


def test_a_folder_of_other_files_is_refused_and_untouched(recipe: Recipe, one_class: ClipStore, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")

    with pytest.raises(InputError, match="run: not empty and not a run; give another --run"):
        train(recipe, one_class, folder, workers=0)

    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("recipe", "a run of another recipe"),
        ("data_fingerprint", "a run of another data"),
        ("stages_format", "a run of another version"),
    ],
)
def test_a_run_of_something_else_is_refused(
    recipe: Recipe, one_class: ClipStore, tmp_path: Path, name: str, changed: str
) -> None:
    folder = begun(recipe, one_class, tmp_path / "run")
    about = json.loads((folder / RUN).read_text())
    (folder / RUN).write_text(json.dumps({**about, name: "other"}))

    with pytest.raises(InputError, match=f"{changed}; give another --run, or remove the folder"):
        train(recipe, one_class, folder, workers=0)


def test_a_damaged_run_document_is_refused(recipe: Recipe, one_class: ClipStore, tmp_path: Path) -> None:
    folder = begun(recipe, one_class, tmp_path / "run")
    (folder / RUN).write_text("{")

    with pytest.raises(InputError, match=r"run\.json: damaged; give another --run, or remove the folder"):
        train(recipe, one_class, folder, workers=0)


def test_a_finished_run_needs_nothing(
    recipe: Recipe, one_class: ClipStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = begun(recipe, one_class, tmp_path / "run")
    (folder / METRICS).write_text("{}")

    train(recipe, one_class, folder, workers=0)

    assert "finished already, nothing to do" in capsys.readouterr().err
    assert (folder / METRICS).read_text() == "{}"


def begun(recipe: Recipe, store: ClipStore, folder: Path) -> Path:
    """A run that ended before its first stage."""
    folder.mkdir()
    (folder / RUN).write_text(json.dumps(about_run(recipe, store)))
    return folder
