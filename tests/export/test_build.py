"""Programs that are made only where somebody names them, and what a failing worker leaves of the others."""

from pathlib import Path

import pytest

from core.manifest import size_of
from export.build import Outcome, build_all
from export.source import Origin
from export.targets import VARIANTS, chosen_variants

UNTRAINED = Origin(untrained="demo")
ONE_OF_EACH = ("student_onnx_int8", "student_fp16_ios17", "student_vulkan_fp16.pte")
BY_NAME = [variant for variant in VARIANTS if variant.path in ONE_OF_EACH]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, Outcome]:
    """By path, of what is made only by name."""
    made = build_all(UNTRAINED, BY_NAME, folder, on_done=lambda outcome, done: None)
    return {outcome.variant.path: outcome for outcome in made}


@pytest.mark.parametrize("path", ONE_OF_EACH)
def test_what_is_made_by_name_keeps_what_its_precision_promises(
    outcomes: dict[str, Outcome], folder: Path, path: str
) -> None:
    outcome = outcomes[path]

    assert outcome.problem is None
    assert (outcome.parity is None) == outcome.variant.built_only
    assert size_of(folder / path) > 1_000_000


def test_a_delegate_that_nothing_here_executes_says_what_it_takes(outcomes: dict[str, Outcome]) -> None:
    delegation = outcomes["student_vulkan_fp16.pte"].delegation

    assert delegation is not None
    assert delegation.delegated > 100


def test_a_worker_that_breaks_off_ends_its_own_variant_alone(tmp_path: Path) -> None:
    said: list[int] = []
    nowhere = tmp_path / "missing"

    (outcome,) = build_all(
        UNTRAINED, chosen_variants("onnx", "fp32"), nowhere, on_done=lambda _, done: said.append(done)
    )

    assert outcome.problem is not None
    assert outcome.problem.startswith("could not be built: FileNotFoundError")
    assert said == [1]
