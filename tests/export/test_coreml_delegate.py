"""ExecuTorch with the Core ML delegate: made by name, executed by nothing here."""

from pathlib import Path

import pytest

from export.build import runtimes_of, write
from export.source import Source
from export.targets import VARIANTS

# The exporter uses what the standard library and torch deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

DELEGATE = next(variant for variant in VARIANTS if variant.path == "student_coreml_fp16.pte")


@pytest.fixture(scope="module")
def twice(source: Source, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same program, made two times."""
    folder = tmp_path_factory.mktemp("coreml")
    first, second = folder / "first.pte", folder / "second.pte"
    for path in (first, second):
        delegation, _ = write(source, DELEGATE, path)
        assert delegation is not None
        assert delegation.delegated > 100
    return first, second


def test_it_is_built_and_never_said_to_have_been_executed(twice: tuple[Path, Path]) -> None:
    assert DELEGATE.built_only
    assert runtimes_of(DELEGATE, twice[0]) == []


def test_the_same_student_gives_the_same_bytes(twice: tuple[Path, Path]) -> None:
    first, second = (path.read_bytes() for path in twice)

    assert first == second
    assert len(first) > 1_000_000
