"""The run: teacher, targets, student, calibration, figures; each step written down before the next begins."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from core.clips import windows_of
from core.command_line import say
from core.corpus import SPLITS, Split
from core.decision import Decision
from core.embeddings import EmbeddingCache
from core.errors import InputError
from core.models import Student, Teacher
from core.runs import (
    METRICS,
    SAMPLES,
    ModelDocument,
    Role,
    code_version,
    weights_sha256,
    write_json,
    write_model,
    write_tensors,
)
from core.store import ClipStore, VideoRecord
from distill.calibration import calibrated
from distill.data import ClipData, FrameBatches
from distill.evaluation import embed, metrics_of, score, targets_of
from distill.fit import Device, fit
from distill.recipes import Recipe
from distill.stages import (
    Embeddings,
    Fusion,
    FusionBatches,
    StudentFrames,
    Targets,
    TeacherFrames,
    validation_batches,
)

RUN = "run.json"
EMBEDDINGS = "embeddings"
"""Folder of the embedding cache, in the store: runs on the same clips share it."""
CALIBRATION_CROPS = 128
VALIDATION_WINDOWS = 128


def train(recipe: Recipe, store: ClipStore, folder: Path, *, device: Device = "auto") -> None:
    """Fill `folder` with a run of `recipe` on `store`, or go on with one that was interrupted.

    A finished run is left as it is. A folder of anything else (another recipe, other data, other files) is refused
    with InputError: nothing is ever overwritten.
    """
    about = {"recipe": recipe_document(recipe), "data_fingerprint": store.fingerprint}
    state = _state(folder, about)
    if state == "finished":
        say(f"{folder}: finished already, nothing to do; give another --run to train anew")
        return
    _refuse_narrow(recipe, store)
    records = store.records()
    sides = {split: _side(recipe, store, records, split) for split in SPLITS}
    plain = _clip_data(recipe, store, records, "train", variants=0)
    _refuse_empty(sides, store)
    if state == "new":
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RUN, about)
    depth_trained = any(sample.depth_valid for record in records for sample in record.samples)
    with EmbeddingCache(store.folder / EMBEDDINGS) as cache:
        trainer = _Run(recipe, sides, folder, cache, device)
        teacher, embeddings = trainer.teacher()
        student = trainer.student(teacher, targets_of(teacher, embeddings), depth_trained=depth_trained)
        _finish(recipe, store, records, sides, plain, folder, cache, teacher, student, depth_trained=depth_trained)


class _Run:
    """The four stages, each skipped where its weights stand already."""

    def __init__(
        self, recipe: Recipe, sides: dict[Split, ClipData], folder: Path, cache: EmbeddingCache, device: Device
    ) -> None:
        self._recipe, self._sides, self._cache, self._device = recipe, sides, cache, device
        self._stages = folder / "stages"
        self._stages.mkdir(exist_ok=True)

    def teacher(self) -> tuple[Teacher, Embeddings]:
        """The trained teacher, and what its trunks make of the training side."""
        told = self._recipe.teacher
        torch.manual_seed(self._recipe.seed)
        teacher = Teacher(told.model, pretrained=told.weights == "hub")
        self._fit("teacher_frames", TeacherFrames(teacher, told.frames), *self._frames(told.frames.windows))
        train = embed("teacher embeddings", teacher, self._sides["train"], self._cache)
        val = embed("teacher on validation", teacher, self._sides["val"], self._cache)
        fusion = Fusion(teacher.fusion, told.fusion, train=train, val=val)
        self._fit("teacher_fusion", fusion, *self._windows(train, val, told.fusion.windows))
        return teacher, train

    def student(self, teacher: Teacher, targets: Targets, *, depth_trained: bool) -> Student:
        """The student that `teacher` taught."""
        told = self._recipe.student
        torch.manual_seed(self._recipe.seed + 1)
        student = Student(self._recipe.product.student, pretrained=told.weights == "hub")
        if told.start_from_teacher and student.config.trunk == teacher.config.trunk:
            student.trunk.load_state_dict(teacher.rgb_trunk.state_dict())
        frames = StudentFrames(student, told.frames, targets=targets, losses=told.losses, temperature=told.temperature)
        self._fit("student_frames", frames, *self._frames(told.frames.windows))
        train = embed("student embeddings", student, self._sides["train"], self._cache, depth_trained=depth_trained)
        val = embed("student on validation", student, self._sides["val"], self._cache, depth_trained=depth_trained)
        fusion = Fusion(
            student.fusion,
            told.fusion,
            train=train,
            val=val,
            targets=targets,
            losses=told.losses,
            temperature=told.temperature,
        )
        self._fit("student_fusion", fusion, *self._windows(train, val, told.fusion.windows))
        return student

    def _frames(self, windows: int) -> tuple[FrameBatches, list[Any]]:
        recipe = self._recipe
        batches = FrameBatches(self._sides["train"], windows=windows, slots=recipe.slots, seed=recipe.seed)
        return batches, validation_batches(self._sides["val"], slots=4)

    def _windows(self, train: Embeddings, val: Embeddings, windows: int) -> tuple[FusionBatches, list[Any]]:
        batches = FusionBatches(train, windows=windows, seed=self._recipe.seed)
        return batches, list(torch.split(torch.arange(len(val.is_fake)), 64))

    def _fit(self, name: str, stage: Any, batches: Any, validation: list[Any]) -> None:
        fit(name, stage, batches, validation, folder=self._stages, device=self._device, seed=self._recipe.seed)


def _state(folder: Path, about: dict[str, Any]) -> Literal["new", "unfinished", "finished"]:
    """What `folder` is to the run that `about` describes, by the rule that `train` documents."""
    file = folder / RUN
    if not file.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder}: not empty and not a run; give another --run")
        return "new"
    found = _read_json(file)
    changed = [name for name in about if found.get(name) != about[name]]
    if changed:
        what = "recipe" if "recipe" in changed else "data"
        raise InputError(f"{folder}: a run of another {what}; give another --run, or remove the folder")
    return "finished" if (folder / METRICS).is_file() else "unfinished"


def _finish(
    recipe: Recipe,
    store: ClipStore,
    records: list[VideoRecord],
    sides: dict[Split, ClipData],
    plain: ClipData,
    folder: Path,
    cache: EmbeddingCache,
    teacher: Teacher,
    student: Student,
    *,
    depth_trained: bool,
) -> None:
    """Calibrate and judge both models, and write the run; metrics.json comes last and says that it is whole."""
    metrics: dict[str, dict[str, object]] = {}
    models: dict[Role, Teacher | Student] = {"teacher": teacher, "student": student}
    for role, model in models.items():
        scored = {
            split: score(
                model,
                embed(f"{role} on {split}", model, sides[split], cache, depth_trained=depth_trained),
                sides[split],
            )
            for split in ("val", "test")
        }
        decision = calibrated(scored["val"], recipe.product.decision)
        metrics[role] = {
            split: metrics_of(scored[split], [record for record in records if record.split == split], decision)
            for split in ("val", "test")
        }
        write_model(folder, model, _document(role, model, recipe, store, decision, depth_trained=depth_trained))
    write_tensors(folder / SAMPLES, _samples(plain, sides["val"]))
    write_json(folder / METRICS, metrics)


def _document(
    role: Role,
    model: Teacher | Student,
    recipe: Recipe,
    store: ClipStore,
    decision: Decision,
    *,
    depth_trained: bool,
) -> ModelDocument:
    return ModelDocument(
        role=role,
        architecture=model.config,
        preprocess=recipe.product.preprocess,
        decision=decision,
        depth_trained=depth_trained,
        recipe=recipe_document(recipe),
        data_fingerprint=store.fingerprint,
        code_version=code_version(),
        weights_sha256=weights_sha256(model),
    )


def _samples(train: ClipData, val: ClipData) -> dict[str, torch.Tensor]:
    """Crops spread evenly over the training windows, and validation windows whole."""
    places = [(window, slot) for window, clip in enumerate(train.windows) for slot in clip.valid_slots]
    chosen = np.unique(np.linspace(0, len(places) - 1, CALIBRATION_CROPS).round().astype(int))
    crops = [train.slots(places[place][0], 0, [places[place][1]]).frames for place in chosen]
    batches = list(val.whole_windows(0))
    windows = torch.cat([batch.frames for batch in batches])[:VALIDATION_WINDOWS]
    return {
        "crops": torch.cat(crops),
        "windows": windows,
        "face_valid": torch.cat([batch.face_valid for batch in batches])[: len(windows)],
        "is_fake": val.is_fake[: len(windows)],
    }


def _side(recipe: Recipe, store: ClipStore, records: list[VideoRecord], split: Split) -> ClipData:
    return _clip_data(recipe, store, records, split, variants=recipe.variants if split == "train" else 0)


def _clip_data(
    recipe: Recipe, store: ClipStore, records: list[VideoRecord], split: Split, *, variants: int
) -> ClipData:
    windows = windows_of(
        [record for record in records if record.split == split],
        min_coverage=recipe.product.decision.min_coverage,
    )
    twins = recipe.twins and variants > 0
    return ClipData(
        store,
        windows,
        recipe.product.preprocess,
        variants=variants,
        seed=recipe.seed,
        augmentation=recipe.augmentation,
        twin_forgery=recipe.twin_forgery,
        twins=twins,
    )


def _refuse_narrow(recipe: Recipe, store: ClipStore) -> None:
    """InputError where variants would cut beyond the stored crops, into black."""
    stored = float(store.settings().get("crop_margin", math.inf))
    needed = recipe.augmentation.room(recipe.product.preprocess.margin)
    if stored < needed:
        raise InputError(
            f"{store.folder}: its crops are {stored:g} times the face, this recipe cuts up to {needed:.2f}; prepare "
            "the corpus again in another folder with the settings of `python -m core prepare`"
        )


def _refuse_empty(sides: dict[Split, ClipData], store: ClipStore) -> None:
    for split in ("train", "val"):
        fakes = int(sides[split].is_fake.sum())
        reals = len(sides[split].windows) - fakes
        if not fakes or not reals:
            raise InputError(
                f"{store.folder}: {split} has {reals} real and {fakes} fake windows with a face; both are needed: "
                "add videos, or have forgeries made: `prepare --forge`, `distill --recipe clips`"
            )


def recipe_document(recipe: Recipe) -> dict[str, Any]:
    """The recipe as run.json and the models' documents hold it."""
    return dict(json.loads(json.dumps(asdict(recipe), default=_plain)))


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_bytes()))
    except ValueError as error:
        raise InputError(f"{file}: damaged; give another --run, or remove the folder") from error
