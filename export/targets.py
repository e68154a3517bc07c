"""What can be exported, and what each variant must hold."""

from dataclasses import KW_ONLY, dataclass, replace

from core.errors import InputError
from core.manifest import Precision, TargetName


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the parity of a program with the torch student must hold."""

    least_cosine: float
    """Of either embedding, on every face."""
    most_error: float | None = None
    """Largest absolute error of an output over max(1, largest absolute value of the reference)."""
    logit_error: float = 1e-3
    """As most_error, of the logits of given embeddings under every kind of mask."""
    probability_difference: float
    """Largest difference of a window's fake probability."""
    ranges_are_fixed: bool = False
    """int8 activations clip what is no face: noise, black and white are held to finite answers alone."""


_HALF_LOGIT_ERROR = 2e-2
"""Of `classify` in float16."""

FLOAT = Limits(least_cosine=0.9999, most_error=1e-3, probability_difference=0.02)
HALF = Limits(least_cosine=0.9999, logit_error=_HALF_LOGIT_ERROR, probability_difference=0.02)
INT8 = Limits(least_cosine=0.995, probability_difference=0.05, ranges_are_fixed=True)
INT8_WITH_HALF = replace(INT8, logit_error=_HALF_LOGIT_ERROR)
INT8_WEIGHTS = replace(INT8_WITH_HALF, ranges_are_fixed=False)

UNDELEGATED = {"xnnpack": 2}
"""Operators of each method that may stay outside the delegate, by backend."""

IOS_17 = "mlprogram-ios17"
"""Core ML before multifunction packages: one a method."""


@dataclass(frozen=True)
class Variant:
    """One artefact of the folder."""

    target: TargetName
    precision: Precision
    backend: str
    path: str
    limits: Limits
    _: KW_ONLY
    by_name_only: bool = False
    """Made only where --precision names it: a target's other variants serve most users better."""
    built_only: bool = False
    """Nothing here can execute it; made only where --target and --precision both name it, and never preferred."""

    @property
    def timed_here(self) -> bool:
        """Whether what executes it here tells how fast it is: a reference interpreter does not."""
        return self.target != "coreml"

    @property
    def rounds_activations(self) -> bool:
        """Whether activations of `encode` are rounded, but for what a scheme leaves float; else weights alone are."""
        return self.precision == "w8a8" or (self.precision == "int8" and self.target != "coreml")

    @property
    def undelegated(self) -> int | None:
        """Operators of each method that may stay outside the delegate; None without a limit."""
        return UNDELEGATED.get(self.backend)


VARIANTS = (
    # The slowest to build comes first, so that two workers finish together.
    Variant("executorch", "int8", "xnnpack", "student_xnnpack_int8.pte", INT8),
    Variant("executorch", "fp32", "xnnpack", "student_xnnpack_fp32.pte", FLOAT),
    Variant("coreml", "fp16", "mlprogram", "student_fp16.mlpackage", HALF),
    Variant("coreml", "int8", "mlprogram", "student_int8.mlpackage", INT8_WEIGHTS),
    Variant("coreml", "w8a8", "mlprogram", "student_w8a8.mlpackage", INT8_WITH_HALF, by_name_only=True),
    Variant("coreml", "fp16", IOS_17, "student_fp16_ios17", HALF, by_name_only=True),
    Variant("coreml", "int8", IOS_17, "student_int8_ios17", INT8_WEIGHTS, by_name_only=True),
    Variant("executorch", "fp16", "vulkan", "student_vulkan_fp16.pte", HALF, by_name_only=True, built_only=True),
    Variant("executorch", "fp16", "coreml", "student_coreml_fp16.pte", HALF, by_name_only=True, built_only=True),
    Variant("onnx", "fp32", "cpu", "student_onnx_fp32", FLOAT),
    Variant("onnx", "int8", "cpu", "student_onnx_int8", INT8, by_name_only=True),
)

AGREEMENT = 0.99
"""Least share of equal verdicts among windows further than UNDECIDABLE from the threshold."""

UNDECIDABLE = 0.02

DEPTH_COSINE = 0.95
"""Least of a depth map on every face, in every precision: it is no verdict, but no noise either."""

MOST_AUC_LOST = 0.01
"""By a variant that --precision auto may keep: AUC of the float student on the validation windows less its own."""

PREFERRED = ("student_xnnpack_int8.pte", "student_xnnpack_fp32.pte", "student_onnx_fp32", "student_onnx_int8")
"""What `detect` and an app take, best first."""


AUTO = "auto"
"""--precision: everything that a target has, of which the fastest is kept."""


def chosen_variants(target: str, precision: str | None) -> list[Variant]:
    """The variants that --target and --precision name; InputError lists what is allowed."""
    targets = list(dict.fromkeys(variant.target for variant in VARIANTS))
    if target != "all" and target not in targets:
        raise InputError(f"--target {target}: unknown; allowed are {', '.join(targets)} and all")
    rows = [variant for variant in VARIANTS if target in ("all", variant.target)]
    # What nothing here can execute is made only for who asks for it by both names.
    if target == "all" or precision == AUTO:
        rows = [variant for variant in rows if not variant.built_only]
    if precision == AUTO:
        return rows
    if precision is None:
        return [variant for variant in rows if not variant.by_name_only]
    precisions = [*sorted({variant.precision for variant in rows}), AUTO]
    if precision not in precisions:
        raise InputError(f"--precision {precision}: for --target {target} allowed are {', '.join(precisions)}")
    return [variant for variant in rows if variant.precision == precision]
