"""A whole run in seconds, on a store of noise.

`python -m tests.distill.tiny STORE RUN [DEVICES]` trains it, with shallow trunks.
"""

import sys
from dataclasses import replace
from pathlib import Path

from core.models import PALER, STANDARD, StudentConfig, TeacherConfig
from core.preprocess import PreprocessSpec
from core.records import VideoRecord
from core.store import ClipStore
from distill.recipes import FrameSampling, Primer, Recipe, SmallPictures, Stage, recipe_named
from tests.distill.conftest import record

STEPS = 4
_LOOKS_TWICE = StudentConfig(views=2, saturations=PALER, standard=STANDARD)


def tiny_records(*, depth: bool = True) -> list[VideoRecord]:
    """Three real and three fake videos on each side; one of those to train on shows too few faces."""
    return [
        record(
            f"{split}-{kind}{place}",
            is_fake=kind == "fake",
            split=split,
            no_face=range(15) if patchy else (),
            depth=depth,
        )
        for split in ("train", "val", "test")
        for kind in ("real", "fake")
        for place in range(3)
        for patchy in [(split, kind, place) == ("train", "real", 2)]
    ]


def tiny_recipe(*, quantised: bool = False) -> Recipe:
    """The demo's recipe at 64 px, two looks at a frame and two validations a stage; a primer at 32 px to begin with.

    The teacher's trunk keeps the mean of both, the student's the last alone, so that what is said of interrupted runs
    holds for means, and for runs that have kept nothing yet.
    """

    def short(stage: Stage) -> Stage:
        return replace(stage, steps=STEPS, windows=4, validate_every=STEPS // 2)

    recipe = recipe_named("demo")
    return replace(
        recipe,
        product=replace(recipe.product, preprocess=PreprocessSpec(size=64, margin=1.2), student=_LOOKS_TWICE),
        variants=2,
        sampling=FrameSampling(
            slots=2,
            variants=3,
            twin_share=0.5,
            primer=Primer(augmentation=recipe.augmentation, twins=recipe.twins, share=0.5),
            small=SmallPictures(size=32, share=0.75),
        ),
        teacher=replace(
            recipe.teacher,
            model=TeacherConfig(views=2, saturations=PALER, standard=STANDARD),
            frames=replace(short(recipe.teacher.frames), kept="mean"),
            fusion=short(recipe.teacher.fusion),
            together=replace(short(recipe.teacher.fusion), windows=2),
        ),
        student=replace(
            recipe.student,
            frames=replace(short(recipe.student.frames), kept_from=0.75),
            fusion=short(recipe.student.fusion),
            quantised=short(Stage(steps=STEPS, windows=4, learning_rate=1e-5)) if quantised else None,
        ),
    )


def train_tiny(store: Path, run: Path, devices: int = 1) -> None:
    """The whole run, on `devices` processes."""
    # Imported here: a child that only looks at the recipe needs no trainer.
    from distill.fit import Machine
    from distill.train import train
    from tests.shallow import shallow_trunks

    with shallow_trunks(), ClipStore.read(store) as clips:
        train(tiny_recipe(), clips, run, machine=Machine(device="cpu", devices=devices), workers=0)


if __name__ == "__main__":
    train_tiny(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
