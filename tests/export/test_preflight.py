"""What a program asks for and the app's runtime does not contain is named before anything is bundled."""

import dataclasses
from pathlib import Path

import pytest
import torch

from core.errors import InputError
from export.preflight import PackedRuntime, needs_of, packed_runtime, refuse_what_is_missing
from tests.export.lowering import lowered


class Sine(torch.nn.Module):
    """One operator that a program keeps outside of XNNPACK unless it is lowered."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 [1, 4] -> [1, 4]."""
        return torch.sin(torch.cumsum(x, dim=1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("programs")
    (made / "linear.pte").write_bytes(lowered(torch.nn.Linear(4, 2)))
    (made / "sine.pte").write_bytes(lowered(Sine(), delegated=False))
    return made


def without(**taken: str) -> PackedRuntime:
    """The packed runtime, had it not the names that are given, by field."""
    runtime = packed_runtime()
    return runtime.model_copy(
        update={field: tuple(name for name in getattr(runtime, field) if name != one) for field, one in taken.items()}
    )


def test_a_delegated_program_asks_for_its_backend_its_nodes_and_its_formats(folder: Path) -> None:
    needs = needs_of(folder / "linear.pte")

    assert needs.backends == {"XnnpackBackend"}
    assert needs.nodes == {"XNNFullyConnected"}
    assert needs.formats == {"ET12", "XN01"}
    assert needs.operators == set()


def test_operators_outside_a_delegate_are_asked_for_with_their_overload(folder: Path) -> None:
    needs = needs_of(folder / "sine.pte")

    assert needs.operators == {"aten::sin.out", "aten::cumsum.out"}
    assert dataclasses.asdict(needs)["backends"] == frozenset()


def test_what_the_runtime_contains_passes(folder: Path) -> None:
    for program in folder.iterdir():
        refuse_what_is_missing(program)


@pytest.mark.parametrize(
    ("program", "field", "name"),
    [
        ("sine.pte", "operators", "aten::cumsum.out"),
        ("linear.pte", "nodes", "XNNFullyConnected"),
        ("linear.pte", "backends", "XnnpackBackend"),
        ("linear.pte", "formats", "XN01"),
        ("sine.pte", "formats", "ET12"),
    ],
)
def test_what_is_missing_stops_by_its_name(folder: Path, program: str, field: str, name: str) -> None:
    with pytest.raises(InputError, match=f"asks for .* {name}, which the app's runtime"):
        refuse_what_is_missing(folder / program, without(**{field: name}))


@pytest.mark.parametrize("content", [b"", b"program", bytes(200), b"\0\0\0\0ET12" + bytes(200)])
def test_what_is_no_program_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "student.pte"
    file.write_bytes(content)

    with pytest.raises(InputError, match="not a program that ExecuTorch can read") as refused:
        needs_of(file)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_none_says_how_to_write_it(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("{}")

    with pytest.raises(InputError, match=r"type `python -m android_demo\.assembly runtime`"):
        packed_runtime(tmp_path / "table.json")
