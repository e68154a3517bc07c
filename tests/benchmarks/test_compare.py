"""`python -m benchmarks compare`: two documents on disk."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.results import Results
from core.command_line import run_command
from core.runs import write_json
from tests.benchmarks.conftest import MACHINE, document, rows
from tests.benchmarks.test_gate import slowed


def written(folder: Path, name: str, results: Results) -> str:
    write_json(folder / name, results)
    return str(folder / name)


@pytest.fixture
def before(tmp_path: Path) -> str:
    return written(tmp_path, "a.json", document())


@pytest.fixture
def after(tmp_path: Path) -> str:
    found = slowed(rows(), "student_int8.pte", 1.10)
    return written(tmp_path, "b.json", document(rows=tuple(one for one in found if one.artifact != "teacher")))


def test_the_difference_comes_with_its_interval(before: str, after: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(COMMANDS, "benchmarks", ["compare", before, after, "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    by_row = {(one["artifact"], one["method"]): one for one in told["rows"]}
    slower = by_row["student_int8.pte", "encode"]
    assert slower["verdict"] == "slower"
    assert slower["interval"][0] < 1.10 < slower["interval"][1]
    assert slower["change"] == pytest.approx(1.10, rel=0.02)
    assert by_row["student_fp32.pte", "encode"]["verdict"] == "no difference shown"
    assert told["same_cpu"] is True
    assert told["only_a"] == ["teacher encode on host", "teacher classify on host"]
    assert told["only_b"] == []


def test_the_other_way_round_it_is_faster(before: str, after: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(COMMANDS, "benchmarks", ["compare", after, before, "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert next(one for one in told["rows"] if one["artifact"] == "student_int8.pte")["verdict"] == "faster"


def test_the_table_names_both_files_and_how_they_were_compared(
    before: str, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(COMMANDS, "benchmarks", ["compare", before, after]) == 0

    words = " ".join(capsys.readouterr().out.split())
    assert "slower" in words
    assert "through ratios to the anchor" in words


@pytest.fixture
def elsewhere(tmp_path: Path) -> str:
    other = MACHINE.model_copy(update={"cpu": "another processor"})
    return written(tmp_path, "c.json", document(machine=other))


def test_another_cpu_model_is_refused(before: str, elsewhere: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(COMMANDS, "benchmarks", ["compare", before, elsewhere]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert "measured on 'another processor', not on 'a processor'" in told.err
    assert "add --ratios" in told.err


def test_ratios_compare_across_cpu_models_and_say_so(
    before: str, elsewhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(COMMANDS, "benchmarks", ["compare", before, elsewhere, "--ratios"]) == 0

    assert "a processor against another processor: no times" in " ".join(capsys.readouterr().out.split())


def test_documents_without_a_common_row_are_refused(
    before: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = written(tmp_path, "d.json", document(rows=rows()[1:3]))
    third = written(tmp_path, "e.json", document(rows=rows()[3:]))

    assert run_command(COMMANDS, "benchmarks", ["compare", other, third]) == 2

    assert "have no row in common" in capsys.readouterr().err


def test_a_missing_document_is_refused(before: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(COMMANDS, "benchmarks", ["compare", before, "none.json"]) == 2

    assert "none.json: no results here" in capsys.readouterr().err
