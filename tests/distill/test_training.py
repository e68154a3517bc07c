"""Stages and runs: the best weights are kept, nothing is trained twice, and no folder is overwritten."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from core.errors import InputError
from core.models.fusion import FusionConfig, TemporalFusion
from core.preprocess import PreprocessSpec
from core.runs import METRICS, read_tensors
from core.store import ClipStore
from distill.fit import fit
from distill.recipes import LossWeights, Recipe, Stage, recipe_named
from distill.stages import Embeddings, Fusion, FusionBatches, Targets, TrainingStage
from distill.train import RUN, recipe_document, train
from tests.distill.conftest import MadeStore, record

STEPS = 4


class Counting(TrainingStage):
    """Each step adds one to a weight; validation scores are told beforehand, one for each look."""

    def __init__(self, margins: list[float]) -> None:
        super().__init__(Stage(steps=STEPS, windows=2, learning_rate=0.0, validate_every=1))
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.module.weight)
        self.margins = list(margins)
        self.steps = 0

    def trained(self) -> nn.Module:
        return self.module

    def training_step(self, batch: Tensor) -> Tensor:
        self.steps += 1
        self.module.weight.data += 1.0
        loss: Tensor = (self.module(batch) * 0.0).sum()
        return loss

    def validation_step(self, batch: Tensor) -> None:
        margin = self.margins.pop(0)
        self.record(torch.tensor([[0.0, -margin], [0.0, margin]]), torch.tensor([0, 1]))


class Unlogged(Fusion):
    """A fusion outside a trainer, where there is no log."""

    def log(self, *_: Any, **__: Any) -> None:
        pass

    def log_dict(self, *_: Any, **__: Any) -> None:
        pass


class Ones(IterableDataset[Tensor]):
    def __iter__(self) -> Any:
        while True:
            yield torch.ones(1, 1)


def fitted(stage: Counting, folder: Path) -> float:
    """The weight that the stage ends with."""
    fit("counting", stage, Ones(), [torch.ones(1)], folder=folder / "stages", device="cpu", seed=0)
    return float(stage.module.weight.detach())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    return tmp_path


def test_the_weights_of_the_best_validation_are_kept(folder: Path) -> None:
    # A positive margin is an AUC of 1, a negative one of 0; the larger, the smaller the loss.
    assert fitted(Counting([-1.0, 1.0, 2.0, -1.0]), folder) == 3.0
    assert float(read_tensors(folder / "stages" / "counting.safetensors")["weight"]) == 3.0


def test_a_better_order_counts_more_than_a_smaller_loss(folder: Path) -> None:
    # At the second look the classes are in order, though barely; at no other are they.
    assert fitted(Counting([-0.1, 0.001, -0.1, -0.1]), folder) == 2.0


def test_a_finished_stage_is_read_and_not_trained_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fitted(Counting([-1.0, 1.0, -1.0, -1.0]), folder)

    again = Counting([])

    assert fitted(again, folder) == 2.0
    assert again.steps == 0
    assert "counting: reusing" in capsys.readouterr().err


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    fitted(Counting([1.0] * STEPS), folder)
    other = Counting([])
    other.module = nn.Linear(2, 1, bias=False)

    with pytest.raises(InputError, match=r"counting\.safetensors: weights of another architecture; give another --run"):
        fitted(other, folder)


def embeddings(windows: int, variants: int = 2) -> Embeddings:
    torch.manual_seed(0)
    return Embeddings(
        rgb=torch.randn(variants, windows, 20, 6),
        depth=torch.randn(variants, windows, 20, 6),
        face_valid=torch.ones(windows, 20),
        depth_valid=torch.ones(windows, 20),
        is_fake=torch.arange(windows) % 2,
    )


def test_a_students_fusion_is_pulled_towards_its_teachers_logits() -> None:
    data = embeddings(4)
    fusion = TemporalFusion(6, FusionConfig(width=8, heads=1, feed_forward=8, dropout=0.0)).eval()
    told = Targets(
        embeddings=data, frame_logits=torch.zeros(2, 4, 20, 2), window_logits=torch.tensor([[[9.0, -9.0]] * 4] * 2)
    )
    stage = Unlogged(
        fusion,
        Stage(steps=1, windows=4, learning_rate=0.1),
        train=data,
        val=data,
        targets=told,
        losses=LossWeights(label=0.0),
        temperature=1.0,
    )

    loss = stage.training_step((1, torch.arange(4), torch.ones(4, 20)))
    torch.autograd.backward(loss)

    # The teacher says real of everything: descending must raise the real logit and lower the fake one.
    bias = fusion.head.bias.grad
    assert bias is not None
    assert float(bias[0]) < 0 < float(bias[1])


def test_fusion_batches_drop_slots_of_every_other_window_or_so() -> None:
    batches = iter(FusionBatches(embeddings(8), windows=4, seed=0))

    kept = torch.cat([next(batches)[2] for _ in range(200)])

    assert set(kept.flatten().tolist()) == {0.0, 1.0}
    # A quarter is cut at the front and a quarter loses slots here and there: 9 of 16 stay whole, and some that
    # are cut lose nothing.
    assert 0.5 < float((kept.sum(dim=1) == 20).float().mean()) < 0.65


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
        train(recipe, one_class, tmp_path / "run", device="cpu")


def test_a_folder_of_other_files_is_refused_and_untouched(recipe: Recipe, one_class: ClipStore, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")

    with pytest.raises(InputError, match="run: not empty and not a run; give another --run"):
        train(recipe, one_class, folder, device="cpu")

    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("name", "changed"), [("recipe", "a run of another recipe"), ("data_fingerprint", "a run of another data")]
)
def test_a_run_of_something_else_is_refused(
    recipe: Recipe, one_class: ClipStore, tmp_path: Path, name: str, changed: str
) -> None:
    folder = begun(recipe, one_class, tmp_path / "run")
    about = json.loads((folder / RUN).read_text())
    (folder / RUN).write_text(json.dumps({**about, name: "other"}))

    with pytest.raises(InputError, match=f"{changed}; give another --run, or remove the folder"):
        train(recipe, one_class, folder, device="cpu")


def test_a_damaged_run_document_is_refused(recipe: Recipe, one_class: ClipStore, tmp_path: Path) -> None:
    folder = begun(recipe, one_class, tmp_path / "run")
    (folder / RUN).write_text("{")

    with pytest.raises(InputError, match=r"run\.json: damaged; give another --run, or remove the folder"):
        train(recipe, one_class, folder, device="cpu")


def test_a_finished_run_needs_nothing(
    recipe: Recipe, one_class: ClipStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = begun(recipe, one_class, tmp_path / "run")
    (folder / METRICS).write_text("{}")

    train(recipe, one_class, folder, device="cpu")

    assert "finished already, nothing to do" in capsys.readouterr().err
    assert (folder / METRICS).read_text() == "{}"


def begun(recipe: Recipe, store: ClipStore, folder: Path) -> Path:
    """A run that ended before its first stage."""
    folder.mkdir()
    about = {"recipe": recipe_document(recipe), "data_fingerprint": store.fingerprint}
    (folder / RUN).write_text(json.dumps(about))
    return folder
