"""`--ablate`: what each term of the distillation is worth, students of equal steps and seeds side by side."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.table import Table

from core.command_line import page, say
from core.errors import InputError
from core.metrics import auc, video_probabilities, window_log_loss
from core.runs import METRICS, write_json
from core.store import ClipStore
from distill.evaluation import score
from distill.fit import Machine
from distill.recipes import LossWeights, Recipe, StudentRecipe
from distill.train import Opened, opened

SEEDS = (0, 1, 2)
ABLATION = "ablation.json"
TABLE = "ablation.md"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A student that is taught differently."""

    name: str
    student: StudentRecipe


def arms_of(told: StudentRecipe, *, depth_trained: bool) -> list[Arm]:
    """All terms, no teacher at all, the teacher's start alone, and each term left out that the recipe uses.

    They train their trunks for as many steps, since a kept one would be the same whatever term is left out. Where the
    recipe keeps its teacher's, that is an arm too.
    """
    plain = replace(told, quantised=None, keep_teachers_trunk=False, scratch=None)
    alone = replace(plain, taught=False)
    arms = [
        Arm(name="all terms", student=plain),
        Arm(name="no teacher", student=replace(alone, start_from_teacher=False)),
    ]
    if told.start_from_teacher:
        arms.append(Arm(name="the teacher's trunk and heads to start from, no answers", student=alone))
        scratch = replace(plain, start_from_teacher=False)
        arms.append(Arm(name="the teacher's answers, trunk and heads from scratch", student=scratch))
    for term in fields(LossWeights):
        used = getattr(told.losses, term.name) and (term.name != "depth" or depth_trained)
        # Without labels a student has the teacher's word alone, which is an arm as well.
        if used:
            losses = replace(told.losses, **{term.name: 0.0})
            arms.append(Arm(name=f"without {term.name}", student=replace(plain, losses=losses)))
    if told.keep_teachers_trunk and not depth_trained:
        arms.append(Arm(name="the teacher's trunk as it is", student=replace(plain, keep_teachers_trunk=True)))
    return arms


def ablate(
    recipe: Recipe,
    store: ClipStore,
    folder: Path,
    *,
    machine: Machine,
    epochs: int | None = None,
    workers: int | None = None,
    seeds: Sequence[int] = SEEDS,
) -> None:
    """Train every arm with every seed beside the finished run in `folder`, and write the table there.

    What was trained before stands: killed at any point, the same command goes on.
    """
    if not (folder / METRICS).is_file():
        raise InputError(f"{folder}: no finished run; type the same command without --ablate first")
    records = store.records()
    with opened(recipe, store, records, folder, machine, epochs=epochs, workers=workers) as run:
        teaching = run.training.teacher()
        rows = [
            {"arm": arm.name, "seed": seed, **_figures(run, teaching, arm, place, seed, folder)}
            for place, arm in enumerate(arms_of(run.recipe.student, depth_trained=run.depth_trained))
            for seed in seeds
        ]
    write_json(folder / ABLATION, {"recipe": recipe.product.name, "side": "test", "rows": rows})
    (folder / TABLE).write_text(_markdown(rows))
    page().print(_table(rows))
    say(f"ablation: {folder / TABLE}")


def _figures(run: Opened, teaching: Any, arm: Arm, place: int, seed: int, folder: Path) -> dict[str, float]:
    """AUC by video and by window, and the windows' log loss, on the test side."""
    file = folder / "stages" / f"ablation_{place}_{seed}.json"
    if file.is_file():
        return dict(json.loads(file.read_bytes()))
    prefix = f"ablation_{place}_{seed}"
    say(f"{prefix}: {arm.name}, seed {seed}")
    student = run.training.student(teaching, arm.student, run.recipe.product.student, prefix=prefix, seed=seed)
    scored = score(student, run.training.streams(prefix, student, "test"), run.sides.test)
    decision = run.recipe.product.decision
    windows = [(window.is_fake, decision.probability([window.logits])) for window in scored]
    figures = {
        "auc": auc(list(video_probabilities(scored, decision).values())),
        "window_auc": auc(windows),
        "window_log_loss": window_log_loss(scored, decision),
    }
    missing = [name for name, value in figures.items() if value is None]
    if missing:
        raise InputError(f"{folder}: the test side lacks a class, so there is no {missing[0]}; add videos")
    write_json(file, figures)
    for weights in (folder / "stages").glob(f"{prefix}_*.safetensors"):
        weights.unlink()
    return {name: float(value) for name, value in figures.items() if value is not None}


def _summary(rows: Iterable[dict[str, Any]]) -> list[tuple[str, list[tuple[float, float]]]]:
    """(arm, (mean, standard deviation) of each figure)."""
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_arm.setdefault(row["arm"], []).append(row)
    names = ("auc", "window_auc", "window_log_loss")
    return [
        (
            arm,
            [
                (mean(row[name] for row in found), stdev([row[name] for row in found]) if len(found) > 1 else 0.0)
                for name in names
            ],
        )
        for arm, found in by_arm.items()
    ]


HEAD = ("student", "video AUC", "window AUC", "window log loss")


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    seeds = sorted({row["seed"] for row in rows})
    lines = [
        f"Students of equal steps on the test side; mean ± standard deviation over seeds {', '.join(map(str, seeds))}.",
        "",
        f"| {' | '.join(HEAD)} |",
        "|---|---|---|---|",
    ]
    lines += [f"| {arm} | {' | '.join(f'{m:.4f} ± {s:.4f}' for m, s in figures)} |" for arm, figures in _summary(rows)]
    return "\n".join([*lines, "", _verdict(rows), ""])


def _verdict(rows: Sequence[dict[str, Any]]) -> str:
    """Whether the teacher was worth it, in one plain sentence."""
    losses = {arm: figures[2][0] for arm, figures in _summary(rows)}
    full, alone = losses["all terms"], losses["no teacher"]
    word = "lower than" if full < alone else "not lower than"
    return f"With all terms the window log loss is {full:.4f}, {word} the {alone:.4f} of the student without a teacher."


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(*HEAD, caption=_verdict(rows))
    for column in table.columns[1:]:
        column.justify = "right"
    for arm, figures in _summary(rows):
        table.add_row(arm, *(f"{m:.4f} ± {s:.4f}" for m, s in figures))
    return table
