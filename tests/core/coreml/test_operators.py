"""Every operator of the Core ML reference gives what torch gives, in float32 and rounded to half precision."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from core.runtimes.coreml import CoreMLReference
from core.runtimes.coreml.operators import OPERATORS
from tests.core.coreml.cases import Case
from tests.core.coreml.compression_cases import COMPRESSION
from tests.core.coreml.elementwise_cases import ELEMENTWISE, REDUCTIONS
from tests.core.coreml.layer_cases import LAYERS
from tests.core.coreml.packages import operations, save_program, specification
from tests.core.coreml.shape_cases import RESIZING, SHAPES

CASES = [*ELEMENTWISE, *REDUCTIONS, *LAYERS, *SHAPES, *RESIZING, *COMPRESSION]

everything = pytest.mark.parametrize("place", range(len(CASES)), ids=[f"{p}-{c.op}" for p, c in enumerate(CASES)])


@dataclass(frozen=True)
class Results:
    """What torch and the reference make of each case, by its place, and the operators that stand in the files."""

    wanted: dict[int, list[Tensor]] = field(default_factory=dict)
    got: dict[int, list[Tensor]] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All cases in float32."""
    return all_results(tmp_path_factory.mktemp("single"), half=False)


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All cases in half precision."""
    return all_results(tmp_path_factory.mktemp("half"), half=True)


def all_results(folder: Path, *, half: bool) -> Results:
    results = Results()
    for target in ("iOS17", "iOS18"):
        add_results(results, target, folder / f"{target}.mlpackage", half=half)
    return results


def add_results(results: Results, target: str, path: Path, *, half: bool) -> None:
    """Run the cases of one target, all in one program: writing a package takes long."""
    cases = {place: case for place, case in enumerate(CASES) if case.target == target}
    inputs = {place: drawn(case, half=half) for place, case in cases.items()}
    counts = {}

    def build(mb: Any, *variables: Any) -> list[Any]:
        given, outputs = iter(variables), []
        for place, case in cases.items():
            made = case.build(mb, *(next(given) for _ in case.shapes), *constants(case, half=half))
            several = list(made) if isinstance(made, list | tuple) else [made]
            counts[place] = len(several)
            outputs += several
        return outputs

    shapes = {f"x{place}_{number}": shape for place, case in cases.items() for number, shape in enumerate(case.shapes)}
    package = save_program(build, shapes, path, half=half, target=target)
    results.written.update(step.type for step in operations(specification(package).mlProgram.functions["main"]))
    outputs = iter(CoreMLReference(package, ["main"]).run("main", *(x for arrays in inputs.values() for x in arrays)))
    for place, case in cases.items():
        results.got[place] = [torch.tensor(next(outputs)) for _ in range(counts[place])]
        given = [torch.tensor(array) for array in (*inputs[place], *constants(case, half=half))]
        expected = case.expected(*(tensor.float() if tensor.is_floating_point() else tensor for tensor in given))
        results.wanted[place] = [expected] if isinstance(expected, Tensor) else list(expected)


def drawn(case: Case, *, half: bool) -> list[npt.NDArray[np.float32]]:
    """Inputs of the case; half precision can hold them where that is asked for."""
    generator = np.random.default_rng(len(case.op))
    arrays = [generator.uniform(0.1, 2, s) if case.positive else generator.normal(size=s) for s in case.shapes]
    return [array.astype(np.float16 if half else np.float32).astype(np.float32) for array in arrays]


def constants(case: Case, *, half: bool) -> list[Any]:
    """Weights of the case, the floats among them in the program's precision."""
    dtype = np.float16 if half else np.float32
    arrays = [array.astype(dtype) if array.dtype == np.float32 else array for array in case.weights]
    # coremltools takes numpy's scalars for scalars, but arrays without dimensions for tensors.
    return [array[()] for array in arrays]


def test_every_known_operator_has_a_case() -> None:
    assert {case.op for case in CASES} == set(OPERATORS)


def test_every_case_stands_in_a_package_as_it_was_written(single: Results, half: Results) -> None:
    assert {case.op for case in CASES} <= single.written
    assert {case.op for case in CASES} <= half.written


@everything
def test_an_operator_gives_what_torch_gives(single: Results, place: int) -> None:
    torch.testing.assert_close(single.got[place], single.wanted[place], rtol=1e-5, atol=1e-6)


@everything
def test_in_half_precision_its_result_is_rounded(half: Results, place: int) -> None:
    for got, wanted in zip(half.got[place], half.wanted[place], strict=True):
        assert torch.equal(got, got.half().float())
        # One step of float16, and one more where the case itself has an operator in between.
        torch.testing.assert_close(got, wanted, rtol=2**-9, atol=1e-3)
