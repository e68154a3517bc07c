"""ExecuTorch with the Core ML delegate: made by name, executed by nothing here."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from export.build import runtimes_of, write
from export.executorch import repeatable
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


def test_nothing_here_is_said_to_execute_it(twice: tuple[Path, Path]) -> None:
    assert runtimes_of(DELEGATE, twice[0]) == []


def test_the_same_student_gives_the_same_bytes(twice: tuple[Path, Path]) -> None:
    first, second = (path.read_bytes() for path in twice)

    assert first == second
    assert len(first) > 1_000_000


def test_other_weights_have_another_identifier() -> None:
    def named(model: str, first: str, second: str, weights: bytes) -> bytes:
        entries = {first: {"path": "a"}, second: {"path": "b"}}
        table = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": first}
        return repeatable(model.encode() + weights + json.dumps(table, indent=4).encode())

    one, other, third = (str(UUID(int=number)) for number in (1, 2, 3))

    assert named(one, other, third, b"weights") == named(other, third, one, b"weights")
    assert named(one, other, third, b"weights")[:36] != named(one, other, third, b"Weights")[:36]
    assert len(named(one, other, third, b"")) == len(named(third, one, other, b""))
