"""Programs made only where somebody names them, what a failing worker leaves, and programs that do not hold."""

from pathlib import Path

import pytest

from core.manifest import size_of
from core.runtimes import Array
from core.runtimes.torch import TorchRuntime
from export import build, onnx, schemes
from export.build import build_all, built, runtimes_of, undelegated, write
from export.parity import compare
from export.schemes import PARTS
from export.source import Origin, Source
from export.targets import VARIANTS, chosen_variants
from tests.core.coreml.packages import operations, specification

# The exporters use what the standard library and torch deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

UNTRAINED = Origin(untrained="demo")
BY_NAME = {variant.path: variant for variant in VARIANTS if variant.by_name_only}


def test_a_delegate_that_nothing_here_executes_says_what_it_takes(source: Source, tmp_path: Path) -> None:
    path = "student_vulkan_fp16.pte"

    delegation, _ = write(source, BY_NAME[path], tmp_path / path)

    assert BY_NAME[path].built_only
    assert runtimes_of(BY_NAME[path], tmp_path / path) == []
    assert size_of(tmp_path / path) > 1_000_000
    assert delegation is not None
    assert delegation.delegated > 100


@pytest.mark.parametrize("path", ["student_onnx_int8", "student_w8a8.mlpackage", "student_fp16_ios17"])
def test_what_is_made_by_name_keeps_what_its_precision_promises(source: Source, tmp_path: Path, path: str) -> None:
    delegation, scheme = write(source, BY_NAME[path], tmp_path / path)
    (runtime,) = runtimes_of(BY_NAME[path], tmp_path / path)

    assert compare(source, runtime).broken(BY_NAME[path]) is None
    assert undelegated(BY_NAME[path], delegation) is None
    assert set(scheme.float_parts) < set(PARTS)
    assert size_of(tmp_path / path) > 1_000_000


@pytest.mark.parametrize(
    "path",
    ["student_xnnpack_fp32.pte", "student_xnnpack_int8.pte", "student_fp16.mlpackage", "student_int8.mlpackage"],
)
def test_a_student_that_looks_twice_holds_with_nothing_left_outside_the_delegate(
    twice: Source, tmp_path: Path, path: str
) -> None:
    variant = next(variant for variant in VARIANTS if variant.path == path)

    delegation, _ = write(twice, variant, tmp_path / path)
    (runtime,) = runtimes_of(variant, tmp_path / path)

    assert twice.student.views.count == 2
    assert compare(twice, runtime).broken(variant) is None
    assert delegation is None or not delegation.undelegated_ops


def test_the_matrices_of_views_are_not_among_the_weights_that_core_ml_has_in_8_bits(
    twice: Source, tmp_path: Path
) -> None:
    variant = next(variant for variant in VARIANTS if variant.path == "student_int8.mlpackage")
    write(twice, variant, tmp_path / variant.path)

    rounded, products, convolutions = set(), set(), set()
    for operation in operations(specification(tmp_path / variant.path).mlProgram.functions["encode"]):
        weights = {part.name for part in operation.inputs["weight"].arguments}
        if operation.type.startswith("constexpr"):
            rounded |= {output.name for output in operation.outputs}
        elif operation.type == "linear":
            products |= weights
        elif operation.type == "conv":
            convolutions |= weights

    assert len(products) >= 4
    assert not products & rounded
    assert len(convolutions & rounded) > 30


def test_a_worker_that_breaks_off_ends_its_own_variant_alone(tmp_path: Path) -> None:
    said: list[int] = []
    nowhere = tmp_path / "missing"

    (outcome,) = build_all(
        UNTRAINED, chosen_variants("onnx", "fp32"), nowhere, on_done=lambda _, done: said.append(done)
    )

    assert outcome.problem is not None
    assert outcome.problem.startswith("could not be built: FileNotFoundError")
    assert said == [1]


class Opposite(TorchRuntime):
    """Says the opposite of what it is asked."""

    methods = ("encode",)

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        outputs = super().run(method, *inputs)
        return tuple(-output for output in outputs) if method in self.methods else outputs


@pytest.fixture
def wrong(source: Source, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the runtime is wrong about each program that is written for it, one after the other; consumed."""
    wrong: list[bool] = []
    monkeypatch.setattr(onnx, "build", lambda modules, source, path: path.write_text("a program"))
    monkeypatch.setattr(schemes, "SAFE_COSINE", 0.5)
    monkeypatch.setattr(
        build,
        "runtimes_of",
        lambda variant, path: [Opposite(source.student) if wrong.pop(0) else TorchRuntime(source.student)],
    )
    return wrong


def test_what_was_written_decides_how_much_of_it_is_int8(source: Source, tmp_path: Path, wrong: list[bool]) -> None:
    wrong += [True, True, False]

    outcome = built(source, BY_NAME["student_onnx_int8"], tmp_path)

    assert outcome.problem is None
    assert (tmp_path / outcome.variant.path).exists()
    parts = outcome.scheme.float_parts
    assert len(parts) == 2
    assert [trial.float_parts for trial in outcome.scheme.rejected] == [(), parts[:1]]
    assert all("of an embedding is below 0.995" in trial.reason for trial in outcome.scheme.rejected)


def test_what_no_scheme_mends_is_not_kept(source: Source, tmp_path: Path, wrong: list[bool]) -> None:
    wrong += [True] * (len(PARTS) + 1)

    outcome = built(source, BY_NAME["student_onnx_int8"], tmp_path)

    assert outcome.problem is not None
    assert set(outcome.scheme.float_parts) == set(PARTS)
    assert len(outcome.scheme.rejected) == len(PARTS)
    assert list(tmp_path.iterdir()) == []


def test_what_no_scheme_could_mend_is_written_once(
    source: Source, tmp_path: Path, wrong: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong += [True]
    monkeypatch.setattr(Opposite, "methods", ("classify",))

    outcome = built(source, BY_NAME["student_onnx_int8"], tmp_path)

    assert outcome.problem is not None
    assert "of the logits" in outcome.problem
    assert outcome.scheme.rejected == ()


def test_what_has_no_scheme_is_written_once(source: Source, tmp_path: Path, wrong: list[bool]) -> None:
    wrong += [True]
    (variant,) = chosen_variants("onnx", "fp32")

    outcome = built(source, variant, tmp_path)

    assert outcome.problem is not None
    assert wrong == []
    assert list(tmp_path.iterdir()) == []
