"""What is trained, on what, and for how long: one Python value a recipe."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from core.errors import InputError
from core.forgery import DEMO, FOOTAGE, STRONG
from core.models import STUDENT_SIZES, Looks, StudentConfig, TeacherConfig
from core.prepare import PrepareSettings
from core.pretrained import TrunkWeights
from core.products import Product, product_named
from core.transforms import FEW_PEOPLE, FULL, LIGHT, Augmentation
from distill.calibration import Threshold
from distill.data import TwinSettings

TrunkTraining = Literal["trained", "frozen"]
Kept = Literal["best", "mean"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training: AdamW (Loshchilov and Hutter, 2019), warm-up, cosine to zero."""

    steps: int
    """Batches."""
    windows: int
    """Clips a batch, half of them fake."""
    learning_rate: float
    weight_decay: float = 0.05
    validate_every: int = 100
    """Steps between two looks at the validation windows and two checkpoints; what is kept is taken there."""
    accumulate: int = 1
    """Batches whose gradients make one step of the optimiser."""
    patience: int | None = None
    """Validations without a better one after which the stage ends early; None: never. Not with `kept_from`."""
    kept_from: float = 0.0
    """Share of the stage from which on weights are kept: where few people validate, an early score may be luck."""
    kept: Kept = "best"
    """Which of the weights at those validations: the best, or the mean of all.

    Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018.
    """

    def __post_init__(self) -> None:
        if not 0.0 <= self.kept_from <= 1.0:
            raise ValueError(f"kept_from {self.kept_from}: allowed is from 0 to 1")
        if self.patience is not None and self.kept_from:
            raise ValueError(f"patience {self.patience} and kept_from {self.kept_from}: leave one of them out")

    @property
    def legs(self) -> int:
        """How often it is validated."""
        return max(1, round(self.steps / self.validate_every))

    @property
    def updates(self) -> int:
        """Steps of the optimiser: each leg ends with one, however few batches it has left."""
        return self.legs * math.ceil(self.leg_steps / self.accumulate)

    @property
    def leg_steps(self) -> int:
        """Batches from one validation to the next: all legs are equally long, so `steps` may be rounded up."""
        return math.ceil(self.steps / self.legs)

    @property
    def batches(self) -> int:
        """Of all legs."""
        return self.legs * self.leg_steps


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """What each term counts; a term of 0 is not computed."""

    label: float = 1.0
    soft: float = 1.0
    """The teacher's softened logits."""
    embedding: float = 1.0
    """Both of the teacher's embeddings, one by one."""
    relation: float = 1.0
    """Distances and angles between them."""
    depth: float = 1.0
    ranking: float = 0.5
    """A forged twin above its own original."""
    area: float = 1.0
    """Where a frame is forged."""


@dataclass(frozen=True, kw_only=True)
class Primer:
    """Plain pictures and strong forgeries, that a trunk which knows nothing begins with.

    A trunk from scratch finds nothing to learn in subtle forgeries behind a varied camera for hundreds of steps; one
    that has seen strong ones finds the subtle ones at once.
    """

    augmentation: Augmentation
    twins: TwinSettings
    share: float
    """Of the stage that it lasts: alone for the first half, then less and less."""


@dataclass(frozen=True, kw_only=True)
class SmallPictures:
    """Pictures below the product's size, that a trunk which knows nothing begins with; a primer's are as small.

    Progressive learning (Tan and Le, "EfficientNetV2", ICML 2021): a step on small pictures costs less, and from
    scratch large ones teach no more in the first hundreds of steps.
    """

    size: int
    """Side, px."""
    share: float
    """Of the stage that they last."""


@dataclass(frozen=True, kw_only=True)
class FrameSampling:
    """What the stages on single frames see."""

    slots: int = 2
    """Frames of a clip, drawn for each of its variants."""
    variants: int = 32
    """K of these stages: random variants of a clip, which shows them in turn."""
    twin_share: float = 0.75
    """Of the fakes in a batch: twins of the very clips beside them, where the recipe makes any."""
    primer: Primer | None = None
    small: SmallPictures | None = None


@dataclass(frozen=True, kw_only=True)
class TeacherRecipe:
    """The reference model and its training."""

    model: TeacherConfig = TeacherConfig()
    weights: TrunkWeights = "scratch"
    trunk: TrunkTraining = "trained"
    """frozen: as its `weights` say, with embeddings that are computed once and never change."""
    frames: Stage
    """Both trunks, on single frames; skipped where they are frozen."""
    fusion: Stage
    """The fusion, on the trunks' embeddings."""
    together: Stage | None = None
    """Trunks and fusion end to end on whole windows; not with frozen trunks."""
    losses: LossWeights = LossWeights()


@dataclass(frozen=True, kw_only=True)
class StudentRecipe:
    """The student and its distillation."""

    start_from_teacher: bool = True
    """Begin with the teacher's RGB trunk, where it is the same, and under its heads, instead of its own `weights`."""
    keep_teachers_trunk: bool = False
    """Leave a trunk that began so, and the heads, without a stage on single frames, unless there is depth to learn.

    Training for int8 still moves it.
    """
    weights: TrunkWeights = "scratch"
    taught: bool = True
    """False: by the terms that need no teacher, to see what the teacher is worth."""
    frames: Stage
    """Trunk and depth head, on single frames."""
    scratch: Stage | None = None
    """The same instead of `frames`, for a trunk that begins from nothing."""
    fusion: Stage
    """The fusion, on the trunk's embeddings."""
    together: Stage | None = None
    """Trunk and fusion end to end on whole windows."""
    quantised: Stage | None = None
    """The trunk and the depth head with int8 arithmetic, held to their float embeddings."""
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
    """K of the stages on whole windows: epoch e of a clip takes k = e mod K."""
    augmentation: Augmentation = FULL
    """What a variant may draw."""
    twins: TwinSettings = TwinSettings()
    sampling: FrameSampling = FrameSampling()
    threshold: Threshold = Threshold()
    calibration_variants: int = 0
    """Of a window of each real validation video and of a twin, forged as preparation forges, to fit the decision on.

    0: it is fitted on the validation videos as they are. Where those are few and of known cameras, variants show more
    of what strangers and their cameras may look like. One window of a video, since others add little and take as long.
    """
    teacher: TeacherRecipe
    student: StudentRecipe

    def __post_init__(self) -> None:
        if self.calibration_variants and not self.prepare.forgeries:
            raise ValueError(f"calibration_variants {self.calibration_variants}: without forgeries in prepare, 0")
        if self.student.keep_teachers_trunk:
            self._refuse_a_trunk_that_is_not_kept()
        primer, small, size = self.sampling.primer, self.sampling.small, self.product.preprocess.size
        if small is not None and small.size >= size:
            raise ValueError(f"small pictures of {small.size} px: allowed is below the product's {size}")
        if small is not None and primer is not None and primer.share > small.share:
            raise ValueError(f"a primer of {primer.share} of the stage: allowed is to {small.share}, as small pictures")

    def _refuse_a_trunk_that_is_not_kept(self) -> None:
        teacher, student = self.teacher, self.student
        against = {
            "start_from_teacher=False": not student.start_from_teacher,
            "a student's together": student.together is not None,
            "a teacher's together": teacher.together is not None,
            "a frozen teacher's trunk": teacher.trunk == "frozen",
        }
        found = [name for name, given in against.items() if given]
        if found:
            raise ValueError(f"keep_teachers_trunk with {found[0]}: leave one of them out")


def _demo() -> Recipe:
    return Recipe(
        product=product_named("demo"),
        corpus=Path("data/demo"),
        prepare=PrepareSettings(crop_margin=1.8),
        variants=4,
        augmentation=LIGHT,
        twins=TwinSettings(forgeries=(DEMO,)),
        sampling=FrameSampling(slots=2, variants=8, twin_share=0.5),
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
    product = product_named("clips")
    return Recipe(
        product=product,
        prepare=PrepareSettings(forgeries=("self_blend", "swap"), depth="none"),
        corpus=Path("../shared/clips"),
        variants=2,
        augmentation=FEW_PEOPLE,
        calibration_variants=8,
        twins=TwinSettings(forgeries=(FOOTAGE, STRONG), swap_share=0.2),
        sampling=FrameSampling(
            slots=1,
            variants=512,
            twin_share=0.9,
            primer=Primer(augmentation=LIGHT, twins=TwinSettings(forgeries=(STRONG,)), share=0.115),
            small=SmallPictures(size=96, share=0.385),
        ),
        teacher=TeacherRecipe(
            model=TeacherConfig(**_looks(product)),
            frames=Stage(steps=2600, windows=32, learning_rate=1e-3, validate_every=200, kept_from=0.67, kept="mean"),
            # Short and slow: with so few people a fusion soon knows them, and then says less than its frames do.
            fusion=Stage(steps=150, windows=32, learning_rate=1e-5, validate_every=50),
        ),
        student=StudentRecipe(
            # Training it further, with no depth to learn, lost 0.01 to 0.02 of what it tells of strangers.
            keep_teachers_trunk=True,
            frames=Stage(steps=300, windows=32, learning_rate=3e-5, validate_every=100, kept_from=0.8),
            scratch=Stage(steps=1000, windows=32, learning_rate=1e-3, validate_every=200, kept_from=0.67, kept="mean"),
            # A third as wide as its teacher's: at its rate logits would keep the offset that frames' verdicts have.
            fusion=Stage(steps=150, windows=32, learning_rate=3e-5, validate_every=50),
            quantised=Stage(steps=100, windows=32, learning_rate=1e-5, weight_decay=0.0, validate_every=50),
        ),
    )


def _faceforensics() -> Recipe:
    return Recipe(
        product=product_named("faceforensics"),
        teacher=TeacherRecipe(
            weights="hub",
            frames=Stage(steps=20_000, windows=16, learning_rate=5e-4, validate_every=1000, patience=8),
            fusion=Stage(steps=10_000, windows=64, learning_rate=3e-4, validate_every=500, patience=8),
        ),
        student=StudentRecipe(
            frames=Stage(steps=20_000, windows=16, learning_rate=5e-4, validate_every=1000, patience=8),
            fusion=Stage(steps=10_000, windows=64, learning_rate=1e-3, validate_every=500, patience=8),
            together=Stage(steps=2_000, windows=4, accumulate=8, learning_rate=5e-5, validate_every=500),
            quantised=Stage(steps=1_000, windows=16, learning_rate=1e-5, weight_decay=0.0, validate_every=250),
        ),
    )


RECIPES = {"demo": _demo, "clips": _clips, "faceforensics": _faceforensics}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name; InputError lists the names there are."""
    return RECIPES[product_named(name).name]()


def of_size(recipe: Recipe, size: str) -> Recipe:
    """`recipe` with the student of that size, which looks as often as the recipe's own; InputError lists the sizes."""
    config = dict[str, StudentConfig](STUDENT_SIZES.items()).get(size)
    if config is None:
        raise InputError(f"--student {size}: unknown; allowed are {', '.join(STUDENT_SIZES)}")
    config = config.model_copy(update=_looks(recipe.product))
    return replace(recipe, product=replace(recipe.product, student=config))


def _looks(product: Product) -> dict[str, Any]:
    """How its models look at a frame: a student of another size and the teacher as its own student does."""
    return {name: getattr(product.student, name) for name in Looks.model_fields}
