"""The run: teacher, student, calibration, figures; each step written down before the next begins."""

import json
import math
import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from core.clips import windows_of
from core.command_line import say
from core.corpus import SPLITS, Split
from core.embeddings import EmbeddingCache
from core.errors import InputError
from core.evaluation.intervals import paired_auc_gap
from core.metrics import Metrics, ScoredWindow, video_probabilities
from core.models import Student, Teacher
from core.records import VideoRecord
from core.runs import (
    DATA,
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
from core.spacing import evenly_spaced
from core.store import ClipStore
from distill.calibration import Calibration, calibrated
from distill.evaluation import metrics_of, score
from distill.fit import THIS_MACHINE, Machine
from distill.recipes import Recipe, Stage
from distill.rendering import Renderer, rendering_workers
from distill.targets import TargetStore
from distill.training import Side, Sides, Training, sides_of

RUN = "run.json"
RECORD = "record.json"
STAGES_FORMAT = 2
"""Changes with what a run's stages hold and begin with: one that stands in the middle does not go on as another."""
EMBEDDINGS, TARGETS = "embeddings", "targets"
"""Folders in the store: runs on the same clips share what models said of them."""
CALIBRATION_CROPS = 128
VALIDATION_WINDOWS = 128
LIBRARIES = ("torch", "timm", "lightning", "torchao", "numpy", "opencv-python-headless")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A model's windows on the held-out sides, and the decision that was fitted on the validation side's videos."""

    scored: dict[Split, list[ScoredWindow]]
    calibration: Calibration
    metrics: dict[str, Metrics]


def train(
    recipe: Recipe,
    store: ClipStore,
    folder: Path,
    *,
    machine: Machine = THIS_MACHINE,
    epochs: int | None = None,
    workers: int | None = None,
) -> None:
    """Fill `folder` with a run of `recipe` on `store`, or go on with one that was interrupted.

    `epochs` stands for the steps of every stage; `workers` processes render clips ahead (None: as many as suit the
    machine; 0: none). A finished run is left as it is. A folder of anything else (another recipe, other data, other
    files) is refused with InputError: nothing is ever overwritten.
    """
    about = about_run(recipe, store, epochs)
    state = _state(folder, about)
    if state == "finished":
        say(f"{folder}: finished already, nothing to do; give another --run to train anew")
        return
    records = store.records()
    with opened(recipe, store, records, folder, machine, epochs=epochs, workers=workers) as training:
        if state == "new":
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / RUN, {**about, **surroundings(recipe)})
        _run(training, recipe, store, records, folder)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """All that the stages of a run work on."""

    recipe: Recipe
    sides: Sides
    training: Training
    depth_trained: bool


@contextmanager
def opened(
    recipe: Recipe,
    store: ClipStore,
    records: list[VideoRecord],
    folder: Path,
    machine: Machine,
    *,
    epochs: int | None = None,
    workers: int | None = None,
) -> Iterator[Opened]:
    """The windows of `records`, and caches in the store's folder; InputError where they are too few or too narrow."""
    _refuse_narrow(recipe, store)
    windows: dict[Split, Any] = {
        split: windows_of([record for record in records if record.split == split], min_coverage=0.0) for split in SPLITS
    }
    with ExitStack() as stack:
        count = rendering_workers() if workers is None else workers
        renderer = stack.enter_context(Renderer(store, workers=count))
        sides = sides_of(recipe, renderer, windows)
        _refuse_empty(sides, store)
        cache = stack.enter_context(EmbeddingCache(store.folder / EMBEDDINGS))
        targets = stack.enter_context(TargetStore(store.folder / TARGETS))
        depth_trained = any(sample.depth_valid for record in records for sample in record.samples)
        timed = recipe if epochs is None else _for_epochs(recipe, sides, epochs)
        yield Opened(
            recipe=timed,
            sides=sides,
            training=Training(timed, sides, folder, cache, targets, machine, depth_trained=depth_trained),
            depth_trained=depth_trained,
        )


def _run(opened: Opened, recipe: Recipe, store: ClipStore, records: list[VideoRecord], folder: Path) -> None:
    """Train, calibrate and judge both models, and write the run; metrics.json comes last and says that it is whole."""
    training, told = opened.training, opened.recipe.student
    teaching = training.teacher()
    student = training.student(teaching, told, recipe.product.student, seed=recipe.seed)
    ranges: dict[str, tuple[float, float]] | None = None
    if told.quantised is not None:
        student, ranges = training.quantised(student, told.quantised)
    if torch.distributed.is_initialized() and torch.distributed.get_rank():
        # The first of several processes writes for all.
        return
    judged: dict[Role, Judged] = {}
    models: dict[Role, Teacher | Student] = {"teacher": teaching.teacher, "student": student}
    for role, model in models.items():
        judged[role] = _judged(opened, role, model, records)
        document = ModelDocument(
            role=role,
            architecture=model.config,
            preprocess=recipe.product.preprocess,
            decision=judged[role].calibration.decision,
            depth_trained=opened.depth_trained,
            recipe=recipe_document(recipe),
            data_fingerprint=store.fingerprint,
            code_version=code_version(),
            weights_sha256=weights_sha256(model),
            fused=isinstance(model, Student) and model.trunk.fused,
            activation_ranges=ranges if role == "student" else None,
        )
        write_model(folder, model, document)
    write_tensors(folder / SAMPLES, _samples(opened.sides))
    write_json(folder / DATA, data_document(records))
    write_json(folder / RECORD, _record(opened, recipe, store, judged, records))
    write_json(folder / METRICS, {role: model.metrics for role, model in judged.items()})


def _judged(opened: Opened, role: Role, model: Teacher | Student, records: list[VideoRecord]) -> Judged:
    def scores(side: Side) -> list[ScoredWindow]:
        data = opened.sides.whole(side)
        return score(model, opened.training.streams(role, model, side), data) if data.judged else []

    held_out: tuple[Split, ...] = ("val", "test")
    scored = {split: scores(split) for split in held_out}
    recipe = opened.recipe
    fitted_on = scores("calibration") if recipe.calibration_variants else scored["val"]
    variants = max(1, recipe.calibration_variants)
    calibration = calibrated(fitted_on, recipe.product.decision, recipe.threshold, variants=variants)
    metrics: dict[str, Metrics] = {
        split: metrics_of(scored[split], [r for r in records if r.split == split], calibration.decision)
        for split in held_out
    }
    return Judged(scored=scored, calibration=calibration, metrics=metrics)


def _record(
    opened: Opened, recipe: Recipe, store: ClipStore, judged: Mapping[Role, Judged], records: list[VideoRecord]
) -> dict[str, Any]:
    """What a reader needs to trust and to repeat the run."""
    training = opened.training
    stages = training.documents()
    return {
        "recipe": recipe.product.name,
        "data_fingerprint": store.fingerprint,
        **surroundings(recipe),
        "stages": stages,
        "seconds": sum(stage["seconds"] for stage in stages) + sum(float(e["seconds"]) for e in training.embedded),
        "embedding": training.embedded,
        "frozen_trunk": _frozen(opened, stages),
        "replaced_clips": sum(stage["replaced"] for stage in stages),
        "calibration": {
            role: {
                "temperature": model.calibration.decision.temperature,
                "threshold": model.calibration.decision.threshold,
                "ece_before": model.calibration.ece_before,
                "ece_after": model.calibration.ece_after,
            }
            for role, model in judged.items()
        },
        "gap_to_teacher": _gap(judged, records),
    }


def _frozen(opened: Opened, stages: list[dict[str, Any]]) -> dict[str, float | None] | None:
    """How much faster a frozen trunk's teacher trains on what is cached; None where the trunk learns.

    An epoch without the cache encodes each of its clips, and then does what an epoch with it does. None too where
    every clip was in the cache already, so that this run could not measure what encoding takes.
    """
    if opened.recipe.teacher.trunk != "frozen":
        return None
    cached = next(stage["epoch_seconds"] for stage in stages if stage["name"] == "teacher_fusion")
    made = [entry for entry in opened.training.embedded if (entry["model"], entry["side"]) == ("teacher", "train")]
    if not made:
        return {"epoch_seconds_cached": cached, "epoch_seconds_recomputed": None, "ratio": None}
    clip = float(made[0]["seconds"]) / float(made[0]["clips"])
    recomputed = cached + clip * len(opened.sides.train.judged)
    return {"epoch_seconds_cached": cached, "epoch_seconds_recomputed": recomputed, "ratio": recomputed / cached}


def _gap(judged: Mapping[Role, Judged], records: list[VideoRecord]) -> dict[str, Any] | None:
    """Teacher's video AUC on the test side minus the student's, by paired bootstrap over identities."""
    identity = {record.key: record.identity for record in records}
    teacher, student = (
        video_probabilities(judged[role].scored["test"], judged[role].calibration.decision)
        for role in ("teacher", "student")
    )
    gap = paired_auc_gap(
        [(identity[key], is_fake, score, student[key][1]) for key, (is_fake, score) in teacher.items()]
    )
    return None if gap is None else asdict(gap)


def surroundings(recipe: Recipe) -> dict[str, Any]:
    """Seed, commit, versions and machine."""
    return {
        "seed": recipe.seed,
        "code_version": code_version(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "machine": {"system": platform.platform(terse=True), "threads": torch.get_num_threads()},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ModuleNotFoundError:
        return None


def data_document(records: list[VideoRecord]) -> dict[str, Any]:
    """`data.json`: which videos the run has seen, so that none of them is ever tested on."""
    videos = {
        (record.path, record.identity, record.split, record.content_sha256): None
        for record in sorted(records, key=lambda record: record.path)
    }
    names = ("path", "identity", "split", "content_sha256")
    return {"videos": [dict(zip(names, video, strict=True)) for video in videos]}


def _samples(sides: Sides) -> dict[str, Tensor]:
    """Crops of the training windows, and validation windows whole."""
    train = sides.train_plain
    places = [(window, slot) for window in train.judged for slot in train.windows[window].valid_slots]
    crops = [train.sample(*place).frames for place in evenly_spaced(places, CALIBRATION_CROPS)]
    # They stand in the order of their paths, one class before the other: the first ones would be of one class.
    judged = evenly_spaced(sides.val.judged, VALIDATION_WINDOWS)
    batches = list(sides.val.in_turn([(window, 0) for window in judged]))
    return {
        "crops": torch.cat(crops),
        "windows": torch.cat([batch.frames for batch in batches]),
        "face_valid": torch.cat([batch.face_valid for batch in batches]),
        "is_fake": torch.cat([batch.is_fake for batch in batches]),
    }


def _for_epochs(recipe: Recipe, sides: Sides, epochs: int) -> Recipe:
    """`recipe` with every stage as long as `epochs` passes over the clips of the larger class."""

    fake = int(sides.train.is_fake.sum())
    windows = max(fake, len(sides.train.windows) - fake)

    def timed(part: Any) -> dict[str, Any]:
        stages = {field.name: value for field in fields(part) if isinstance(value := getattr(part, field.name), Stage)}
        steps = {name: epochs * max(1, round(2 * windows / stage.windows)) for name, stage in stages.items()}
        return {
            name: replace(stage, steps=steps[name], validate_every=min(stage.validate_every, steps[name]))
            for name, stage in stages.items()
        }

    teacher, student = recipe.teacher, recipe.student
    return replace(recipe, teacher=replace(teacher, **timed(teacher)), student=replace(student, **timed(student)))


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
        what = {"recipe": "recipe", "data_fingerprint": "data", "stages_format": "version"}[changed[0]]
        raise InputError(f"{folder}: a run of another {what}; give another --run, or remove the folder")
    return "finished" if (folder / METRICS).is_file() else "unfinished"


def _refuse_narrow(recipe: Recipe, store: ClipStore) -> None:
    """InputError where variants would cut beyond the stored crops, into black."""
    stored = float(store.settings().get("crop_margin", math.inf))
    needed = recipe.augmentation.room(recipe.product.preprocess.margin)
    if stored < needed:
        raise InputError(
            f"{store.folder}: its crops are {stored:g} times the face, this recipe cuts up to {needed:.2f}; prepare "
            "the corpus again in another folder with the settings of `python -m core prepare`"
        )


def _refuse_empty(sides: Sides, store: ClipStore) -> None:
    for split, data in (("train", sides.train), ("val", sides.val)):
        judged = data.is_fake[data.judged]
        fakes = int(judged.sum())
        if not fakes or fakes == len(judged):
            raise InputError(
                f"{store.folder}: {split} has {len(judged) - fakes} real and {fakes} fake windows with a face; both "
                "are needed: add videos, or have forgeries made: `prepare --forge`, `distill --recipe clips`"
            )


def about_run(recipe: Recipe, store: ClipStore, epochs: int | None = None) -> dict[str, Any]:
    """What a run that goes on must be of, as run.json holds it."""
    return {
        "recipe": recipe_document(recipe, epochs),
        "data_fingerprint": store.fingerprint,
        "stages_format": STAGES_FORMAT,
    }


def recipe_document(recipe: Recipe, epochs: int | None = None) -> dict[str, Any]:
    """The recipe as run.json and the models' documents hold it."""
    document = dict(json.loads(json.dumps(asdict(recipe), default=_plain)))
    return document if epochs is None else {**document, "epochs": epochs}


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_bytes()))
    except ValueError as error:
        raise InputError(f"{file}: damaged; give another --run, or remove the folder") from error
