"""The stages of a run in their order: what each begins with and learns from, and what is computed once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from core.clips import ClipWindow, windows_of
from core.corpus import Split
from core.embeddings import EmbeddingCache
from core.errors import InputError
from core.models import STANDARD, Student, Teacher, TeacherConfig
from core.models.backbone import Trunk, TrunkName
from core.models.fusion import FusionConfig, TemporalFusion
from core.runs import read_tensors
from distill.batches import TaughtWindows
from distill.fit import Machine
from distill.recipes import LossWeights, Recipe, Stage
from distill.rendering import Renderer
from distill.stages import Fusion
from distill.streams import FusedEncoder
from distill.targets import TargetStore, digest_of, frame_teaching
from distill.train import opened, train
from distill.training import sides_of
from tests.distill.conftest import MadeStore, record
from tests.distill.tiny import STEPS, tiny_recipe, tiny_records

pytestmark = pytest.mark.usefixtures("shallow")


def keeping(recipe: Recipe) -> Recipe:
    """`recipe` with a student that keeps its teacher's trunk, and with a fusion that stays as it begins."""
    return replace(
        recipe,
        teacher=replace(recipe.teacher, together=None),
        student=replace(
            recipe.student, keep_teachers_trunk=True, fusion=replace(recipe.student.fusion, learning_rate=0.0)
        ),
    )


class Unlogged(Fusion):
    """A fusion outside a trainer, where there is no log."""

    def log(self, *_: Any, **__: Any) -> None:
        pass

    def log_dict(self, *_: Any, **__: Any) -> None:
        pass


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


def test_a_kept_trunk_is_the_teachers_and_its_embeddings_are_computed_once(
    made_store: MadeStore, tmp_path: Path
) -> None:
    recipe = keeping(tiny_recipe())
    store = made_store(tiny_records(depth=False))

    with opened(recipe, store, store.records(), tmp_path / "run", Machine(device="cpu"), workers=0) as run:
        teaching = run.training.teacher()
        assert teaching.heads is not None
        run.training.embedded.clear()
        student = run.training.student(teaching, recipe.student, recipe.product.student, seed=0)
        stages = [record.name for record in run.training.records]

    assert stages == ["teacher_frames", "teacher_fusion", "student_fusion"]
    kept = teaching.teacher.rgb_trunk.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in student.trunk.state_dict().items())
    assert run.training.embedded == []
    assert torch.equal(student.fusion.rgb.project.weight[-2:], teaching.heads.label.weight)


@pytest.mark.parametrize(("depth", "trunk", "steps"), [(True, "repvit_m0_9", STEPS), (False, "repvit_m0_6", 1)])
def test_where_there_is_depth_to_learn_or_another_trunk_the_student_trains_its_own(
    depth: bool, trunk: TrunkName, steps: int, made_store: MadeStore, tmp_path: Path
) -> None:
    recipe = keeping(tiny_recipe())
    scratch = replace(recipe.student.frames, steps=1)
    told, config = replace(recipe.student, scratch=scratch), recipe.product.student.model_copy(update={"trunk": trunk})
    store = made_store(tiny_records(depth=depth))

    with opened(recipe, store, store.records(), tmp_path / "run", Machine(device="cpu"), workers=0) as run:
        run.training.student(run.training.teacher(), told, config, seed=0)
        trained = {record.name: record.steps for record in run.training.records}

    assert trained["student_frames"] == steps


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


def test_embeddings_of_rgb_alone_are_the_same_whoevers_trunk_it_is(made_store: MadeStore) -> None:
    recipe = tiny_recipe()
    config = recipe.teacher.model
    teacher, student = Teacher(config), Student(recipe.product.student)
    once, stranger = Teacher(TeacherConfig()), Teacher(config)
    student.trunk.load_state_dict(teacher.rgb_trunk.state_dict())
    once.load_state_dict(teacher.state_dict())
    store = made_store([record("real", is_fake=False)])
    windows = windows_of(store.records(), min_coverage=0.0)
    given: dict[Split, list[ClipWindow]] = {"train": windows, "val": windows, "test": windows}
    batch = sides_of(recipe, Renderer(store), given).val.batch([0], [0])

    of_teacher, of_student, *others = (
        FusedEncoder(model, depth_trained=False) for model in (teacher, student, once, stranger)
    )

    assert of_teacher.digest == of_student.digest
    others += [FusedEncoder(teacher), FusedEncoder(student)]
    assert len({encoder.digest for encoder in (of_teacher, *others)}) == 5
    (rgb, depth), (again, _) = of_teacher(batch), of_student(batch)
    assert torch.equal(rgb, again)
    assert float(rgb.abs().max()) > 0 == float(depth.abs().max())


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
