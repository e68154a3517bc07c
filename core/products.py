"""What each recipe ships: the student's architecture, its input and its decision. Training is `distill`'s business."""

from dataclasses import dataclass

from core.decision import Decision
from core.errors import InputError
from core.models import PALER, STANDARD, StudentConfig
from core.preprocess import PreprocessSpec


@dataclass(frozen=True, kw_only=True)
class Product:
    """A student before it has weights. The decision's temperature and threshold are fitted by a run."""

    name: str
    preprocess: PreprocessSpec
    decision: Decision = Decision()
    student: StudentConfig = StudentConfig()


PRODUCTS = {
    product.name: product
    for product in (
        Product(name="demo", preprocess=PreprocessSpec(size=64, margin=1.5)),
        Product(
            name="clips",
            preprocess=PreprocessSpec(size=160, margin=1.6),
            student=StudentConfig(views=2, saturations=PALER, standard=STANDARD),
        ),
        Product(name="faceforensics", preprocess=PreprocessSpec(size=224, margin=1.5)),
    )
}


def product_named(name: str) -> Product:
    """The product of that recipe; InputError lists the names there are."""
    if name not in PRODUCTS:
        raise InputError(f"--recipe {name}: unknown; allowed are {', '.join(PRODUCTS)}")
    return PRODUCTS[name]
