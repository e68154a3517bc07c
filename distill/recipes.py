"""What is trained, on what, and for how long: one Python value a recipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.forgery import DEMO, FOOTAGE, ForgerySettings
from core.models import TeacherConfig
from core.prepare import PrepareSettings
from core.products import Product, product_named
from core.transforms import FULL, LIGHT, Augmentation

Weights = Literal["scratch", "hub"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training: AdamW (Loshchilov and Hutter, 2019), warm-up, cosine to zero."""

    steps: int
    windows: int
    """Windows a batch, half of them fake."""
    learning_rate: float
    weight_decay: float = 0.05
    validate_every: int = 100
    """Steps between two looks at the validation windows; the best weights are kept."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """What each term of the distillation counts."""

    label: float = 1.0
    soft: float = 1.0
    embedding: float = 1.0
    depth: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TeacherRecipe:
    """The reference model and its training."""

    model: TeacherConfig = TeacherConfig()
    weights: Weights = "scratch"
    frames: Stage
    """Both trunks, on single frames."""
    fusion: Stage
    """The fusion, on the trunks' embeddings."""


@dataclass(frozen=True, kw_only=True)
class StudentRecipe:
    """The student and its distillation."""

    start_from_teacher: bool = True
    """Begin with the teacher's RGB trunk, where it is the same architecture, instead of its own `weights`."""
    weights: Weights = "scratch"
    frames: Stage
    fusion: Stage
    losses: LossWeights = LossWeights()
    temperature: float = 2.0
    """Softens both logits of the soft-target term (Hinton et al., 2015)."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a run depends on but its data."""

    product: Product
    """What comes out: the student, its input, its decision."""
    seed: int = 0
    prepare: PrepareSettings = PrepareSettings()
    corpus: Path | None = None
    """Where the recipe's data stands if the user names none."""
    methods: tuple[str, ...] = ()
    """Fakes of a corpus to train and judge on, by method; all that are there if empty."""
    compressions: tuple[str, ...] = ()
    """Of FaceForensics++'s raw, c23 and c40, those to use; all that are there if empty."""
    variants: int = 8
    """K: random variants of a clip; epoch e takes k = e mod K."""
    augmentation: Augmentation = FULL
    """What a variant may draw."""
    twins: bool = True
    """Train on a self-blended copy of every real clip as well, drawn anew in every variant."""
    twin_forgery: ForgerySettings = FOOTAGE
    """What such a copy may draw."""
    slots: int = 2
    """Frames taken of each window in a batch of single frames."""
    teacher: TeacherRecipe
    student: StudentRecipe


def _demo() -> Recipe:
    return Recipe(
        product=product_named("demo"),
        corpus=Path("data/demo"),
        prepare=PrepareSettings(crop_margin=1.8),
        variants=6,
        augmentation=LIGHT,
        twin_forgery=DEMO,
        teacher=TeacherRecipe(
            frames=Stage(steps=200, windows=16, learning_rate=1.5e-3, validate_every=50),
            fusion=Stage(steps=120, windows=32, learning_rate=3e-4, validate_every=40),
        ),
        student=StudentRecipe(
            frames=Stage(steps=100, windows=16, learning_rate=5e-4, validate_every=50),
            fusion=Stage(steps=250, windows=32, learning_rate=1e-3, validate_every=50),
        ),
    )


def _clips() -> Recipe:
    return Recipe(
        product=product_named("clips"),
        prepare=PrepareSettings(forgeries=("self_blend", "swap"), depth="none"),
        corpus=Path("../shared/clips"),
        teacher=TeacherRecipe(
            frames=Stage(steps=2400, windows=16, learning_rate=1e-3, validate_every=200),
            fusion=Stage(steps=600, windows=32, learning_rate=3e-4),
        ),
        student=StudentRecipe(
            frames=Stage(steps=1200, windows=16, learning_rate=5e-4, validate_every=200),
            fusion=Stage(steps=600, windows=32, learning_rate=1e-3),
        ),
    )


def _faceforensics() -> Recipe:
    return Recipe(
        product=product_named("faceforensics"),
        teacher=TeacherRecipe(
            weights="hub",
            frames=Stage(steps=20_000, windows=16, learning_rate=5e-4, validate_every=1000),
            fusion=Stage(steps=10_000, windows=64, learning_rate=3e-4, validate_every=500),
        ),
        student=StudentRecipe(
            frames=Stage(steps=20_000, windows=16, learning_rate=5e-4, validate_every=1000),
            fusion=Stage(steps=10_000, windows=64, learning_rate=1e-3, validate_every=500),
        ),
    )


RECIPES = {"demo": _demo, "clips": _clips, "faceforensics": _faceforensics}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name; InputError lists the names there are."""
    return RECIPES[product_named(name).name]()
