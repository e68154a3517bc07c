"""The whole line on a small scale: every stage for real, with too little training to mean anything."""

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.commands import Run
from core.commands import Detect
from core.corpus import read_corpus
from core.demo import DemoSettings, make_demo_corpus
from core.prepare import prepare
from core.preprocess import PreprocessSpec
from core.store import ClipStore
from distill.recipes import Recipe, Stage, recipe_named
from distill.train import train
from export.commands import Export

CORPUS = DemoSettings(train_identities=2, val_identities=2, test_identities=2, train_clips=2, held_out_clips=2)
VIDEOS = {"train": 2, "val": 2, "test": 2}
"""Real videos on each side of the split; as many are fake."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What every stage left."""

    corpus: Path
    store: Path
    run: Path
    artifacts: Path
    report: Path
    recipe: Recipe


def short_recipe() -> Recipe:
    """The demo's recipe for a student of 64 px, a few steps a stage, and a last one for int8."""
    recipe = recipe_named("demo")
    return replace(
        recipe,
        product=replace(recipe.product, preprocess=PreprocessSpec(size=64, margin=1.5)),
        variants=2,
        sampling=replace(recipe.sampling, variants=2),
        teacher=replace(recipe.teacher, frames=_short(recipe.teacher.frames), fusion=_short(recipe.teacher.fusion)),
        student=replace(
            recipe.student,
            frames=_short(recipe.student.frames),
            fusion=_short(recipe.student.fusion),
            # The demo leaves it out; here export is to take the ranges that were trained.
            quantised=Stage(steps=2, windows=8, learning_rate=1e-5, weight_decay=0.0, validate_every=2),
        ),
    )


def line_below(folder: Path) -> Line:
    """Where everything of a line in `folder` lies."""
    return Line(
        corpus=folder / "corpus",
        store=folder / "store",
        run=folder / "run",
        artifacts=folder / "artifacts",
        report=folder / "report",
        recipe=short_recipe(),
    )


def run_the_line(folder: Path) -> None:
    """Corpus, store, run, artefacts and report, in new folders below `folder`."""
    line = line_below(folder)
    make_demo_corpus(line.corpus, settings=CORPUS, workers=2)
    prepare(read_corpus(line.corpus), line.store, line.recipe.prepare, workers=2)
    distil(line.recipe, line.store, line.run)
    assert Export(run=line.run, out=line.artifacts).execute() == 0
    assert Run(artifact=line.artifacts, quick=True, out=line.report).execute() == 0


def distil(recipe: Recipe, store: Path, run: Path) -> None:
    """`python -m distill` of a recipe that has no name."""
    with ClipStore.read(store) as clips:
        train(recipe, clips, run, workers=0)


def detected(artifacts: Path, videos: Sequence[Path]) -> list[dict[str, Any]]:
    """The document of `python -m core detect --json`."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert Detect(videos=tuple(videos), artifact=artifacts, json=True).execute() == 0
    return list(json.loads(printed.getvalue()))


def _short(stage: Stage) -> Stage:
    return replace(stage, steps=6, windows=8, validate_every=6)
