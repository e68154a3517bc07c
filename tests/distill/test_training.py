"""Stages and runs: the best weights or their mean are kept, nothing is trained twice, and no folder is overwritten."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.clips import ClipWindow, windows_of
from core.corpus import Split
from core.embeddings import EmbeddingCache
from core.errors import InputError
from core.metrics import ScoredWindow
from core.models import STANDARD, Teacher, TeacherConfig
from core.models.backbone import Trunk
from core.models.fusion import FusionConfig, TemporalFusion
from core.preprocess import PreprocessSpec
from core.runs import METRICS, read_tensors
from core.store import ClipStore
from distill.batches import Steps, TaughtWindows
from distill.calibration import Calibration, calibrated
from distill.fit import Machine, fit
from distill.recipes import LossWeights, Recipe, Stage, recipe_named
from distill.rendering import Renderer
from distill.stages import Fusion, TrainingStage
from distill.streams import FusedEncoder
from distill.targets import TargetStore, digest_of, frame_teaching
from distill.train import RECORD, RUN, about_run, opened, train
from distill.training import sides_of
from tests.distill.conftest import MadeStore, record
from tests.distill.tiny import tiny_recipe, tiny_records

pytestmark = pytest.mark.usefixtures("shallow")

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


class Unlogged(Fusion):
    """A fusion outside a trainer, where there is no log."""

    def log(self, *_: Any, **__: Any) -> None:
        pass

    def log_dict(self, *_: Any, **__: Any) -> None:
        pass


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


def test_a_students_fusion_is_pulled_towards_its_teachers_logits() -> None:
    torch.manual_seed(0)
    fusion = TemporalFusion(6, FusionConfig(width=8, heads=1, feed_forward=8, dropout=0.0)).eval()
    stage = Unlogged(
        fusion, Stage(steps=1, windows=4, learning_rate=0.1), losses=LossWeights(label=0.0), temperature=1.0, seed=0
    )
    ones = torch.ones(4, 20)
    batch = TaughtWindows(
        rgb=torch.randn(4, 20, 6),
        depth=torch.randn(4, 20, 6),
        face_valid=ones,
        depth_valid=ones,
        is_fake=torch.arange(4) % 2,
        kept=ones,
        heard=ones,
        logits=torch.tensor([[9.0, -9.0]] * 4),
    )

    torch.autograd.backward(stage.training_step(batch))

    # The teacher says real of everything: descending must raise the real logit and lower the fake one.
    bias = fusion.head.bias.grad
    assert bias is not None
    assert float(bias[0]) < 0 < float(bias[1])


def test_a_frozen_teacher_keeps_its_trunk_and_its_statistics(made_store: MadeStore, tmp_path: Path) -> None:
    recipe = tiny_recipe()
    recipe = replace(recipe, teacher=replace(recipe.teacher, trunk="frozen"))
    store = made_store(tiny_records())
    torch.manual_seed(recipe.seed)
    untouched = Teacher(TeacherConfig()).rgb_trunk.state_dict()

    with opened(recipe, store, store.records(), tmp_path / "run", Machine(device="cpu"), workers=0) as run:
        teacher = run.training.teacher().teacher
        first = [entry["clips"] for entry in run.training.embedded]
        run.training.embedded.clear()
        run.training.teacher()

        assert all(torch.equal(value, untouched[name]) for name, value in teacher.rgb_trunk.state_dict().items())
        assert [record.name for record in run.training.records] == ["teacher_fusion"] * 2
        assert sum(int(count) for count in first) > 0
        assert run.training.embedded == []


@pytest.mark.parametrize("rate", [0.0, 1e-3])
def test_fusions_and_the_student_begin_with_what_judged_single_frames(
    rate: float, made_store: MadeStore, tmp_path: Path
) -> None:
    def at(stage: Stage, rate: float) -> Stage:
        return replace(stage, learning_rate=rate)

    recipe = tiny_recipe()
    teacher, student = recipe.teacher, recipe.student
    recipe = replace(
        recipe,
        teacher=replace(teacher, fusion=at(teacher.fusion, 0.0), together=None),
        student=replace(student, frames=at(student.frames, rate), fusion=at(student.fusion, 0.0)),
    )
    run = tmp_path / "run"
    train(recipe, made_store(tiny_records()), run, workers=0)

    judging, following = (
        {name: value for name, value in read_tensors(run / "stages" / file).items() if name.startswith("heads.")}
        for file in ("teacher_frames.safetensors", "student_frames.safetensors")
    )
    assert all(torch.equal(following[name], value) == (rate == 0.0) for name, value in judging.items())
    for role, heads in (("teacher", judging), ("student", following)):
        fusion = read_tensors(run / f"{role}.safetensors")
        assert torch.equal(fusion["fusion.rgb.project.weight"][-2:], heads["heads.label.weight"])
        assert torch.equal(fusion["fusion.head.bias"], heads["heads.label.bias"])


def test_a_teacher_learns_from_frames_as_they_are_and_its_student_in_the_light_that_its_answers_are_of(
    made_store: MadeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned_from: list[Tensor] = []
    forward = Trunk.forward

    def noted(trunk: Trunk, frame: Tensor) -> tuple[Tensor, ...]:
        if trunk.training:
            learned_from.append(frame)
        return forward(trunk, frame)

    monkeypatch.setattr(Trunk, "forward", noted)
    store, recipe = made_store(tiny_records()), tiny_recipe()
    recipe = replace(recipe, teacher=replace(recipe.teacher, together=None))
    with opened(recipe, store, store.records(), tmp_path / "run", Machine(device="cpu"), workers=0) as run:
        teaching = run.training.teacher()
        as_they_are, learned_from = learned_from, []
        run.training.student(teaching, recipe.student, recipe.product.student, seed=0)

    assert len(as_they_are) >= STEPS
    # Neither paler nor in another light, whose levels are no whole numbers.
    assert all(torch.equal(frame, frame.round()) for frame in as_they_are)
    assert len(learned_from) == STEPS
    assert not any(torch.equal(frame, frame.round()) for frame in learned_from)


def test_the_teacher_is_asked_of_every_clip_once(
    made_store: MadeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made_store(tiny_records())
    recipe = tiny_recipe()
    with opened(recipe, store, store.records(), tmp_path / "run", Machine(device="cpu"), workers=0) as run:
        first = run.training.teacher()
        frames = frame_teaching(first.teacher, run.sides.train_frames, run.training.targets, [(0, 0), (1, 1)])
        told = frames.at([0, 1], [0, 1])
        held = len(run.training.targets)

        def asked(*_: object) -> None:
            raise AssertionError("the teacher ran again")

        monkeypatch.setattr(Teacher, "encode_rgb", asked)
        again = run.training.teacher()
        frames = frame_teaching(again.teacher, run.sides.train_frames, run.training.targets, [(0, 0), (1, 1)])

        assert len(run.training.targets) == held == 2 + again.windows[..., 0].numel()
        assert torch.equal(frames.at([0, 1], [0, 1]).logits, told.logits)
        assert torch.equal(again.windows, first.windows)


def test_what_no_weight_shows_is_part_of_a_key() -> None:
    config = TeacherConfig()
    teacher = Teacher(config)

    def alike(**changed: Any) -> Teacher:
        """Another architecture with the very same weights."""
        other = Teacher(config.model_copy(update=changed))
        other.load_state_dict(teacher.state_dict())
        return other

    twice, paler = alike(views=2), alike(views=2, saturations=(0.5, 0.1))
    lit = alike(views=2, saturations=(0.5, 0.1), standard=STANDARD)
    headed = alike(fusion=config.fusion.model_copy(update={"heads": 4}))

    assert digest_of(alike()) == digest_of(teacher)
    assert len({digest_of(model) for model in (teacher, twice, paler, lit, headed)}) == 5
    assert len({FusedEncoder(model).digest for model in (teacher, twice, paler, lit)}) == 4
    # Embeddings know nothing of the fusion.
    assert FusedEncoder(headed).digest == FusedEncoder(teacher).digest


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


def test_the_fullest_window_of_a_video_is_calibrated_on(made_store: MadeStore) -> None:
    row = record("real", is_fake=False, split="val", samples=30, no_face=range(5)).model_copy(
        update={"windows": ((0, 20), (10, 30))}
    )
    store = made_store([row, record("fake", is_fake=True, split="val")])
    windows = windows_of(store.records(), min_coverage=0.0)
    plain = tiny_recipe()
    forging = plain.prepare.model_copy(update={"forgeries": ("self_blend", "swap")})
    recipe = replace(plain, prepare=forging, calibration_variants=2)
    given: dict[Split, list[ClipWindow]] = {"train": windows, "val": windows, "test": windows}

    sides = sides_of(plain, Renderer(store), given)
    assert sides.calibration is sides.val

    shown = sides_of(recipe, Renderer(store), given).calibration.windows
    assert [(window.record.key, window.start, window.forged) for window in shown] == [
        ("real", 10, False),
        ("real", 10, True),
    ]


def test_a_damaged_store_of_targets_is_refused_by_name(tmp_path: Path) -> None:
    with TargetStore(tmp_path / "targets") as store:
        store.put([("a", {"logits": torch.zeros(2)})])
        store.write([("a", b"no tensors")])
        with pytest.raises(InputError, match="targets: damaged"):
            store.get("a")


def test_a_file_in_the_place_of_the_cache_is_refused(tmp_path: Path) -> None:
    for kind in (EmbeddingCache, TargetStore):
        folder = tmp_path / kind.__name__
        folder.mkdir()
        (folder / "data.mdb").write_bytes(b"not a database" * 1000)
        with pytest.raises(InputError, match=f"{kind.__name__}: not "):
            kind(folder)


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
