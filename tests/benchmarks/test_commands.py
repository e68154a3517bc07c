"""`python -m benchmarks` around the measuring: what is refused before it, what comes of it, and the exit code."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmarks import commands, host
from benchmarks.__main__ import COMMANDS
from benchmarks.results import RESULTS, Results, read_results
from benchmarks.row import Row
from core.command_line import run_command
from core.manifest import Manifest
from core.runs import write_json
from tests.benchmarks.conftest import MACHINE, document, rows
from tests.benchmarks.test_gate import slowed
from tests.benchmarks.test_tables import manifest


class Bench:
    """A machine that measures what it is told, at once."""

    def __init__(self) -> None:
        self.groups: list[tuple[Row, ...]] = [rows()]
        self.asked: list[list[str]] = []
        """Folders of each measurement."""

    def measure_together(
        self, main: tuple[Path, Manifest], others: Sequence[tuple[Path, Manifest]], *, quick: bool
    ) -> list[list[Row]]:
        self.asked.append([str(folder) for folder, _ in (main, *others)])
        return [list(group) for group in self.groups]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """Stands in for this machine; any folder holds the artefacts of `test_tables`."""
    found = Bench()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(host, "measure_together", found.measure_together)
    monkeypatch.setattr(host, "machine", lambda: MACHINE)
    monkeypatch.setattr(commands, "open_artifacts", lambda folder: manifest(None))
    return found


@pytest.fixture
def run(bench: Bench, tmp_path: Path) -> Callable[..., int]:
    return lambda *words: run_command(COMMANDS, "benchmarks", ["run", "--out", str(tmp_path / "report"), *words])


def stored(folder: Path, results: Results) -> str:
    write_json(folder / "old.json", results)
    return str(folder / "old.json")


def test_a_run_leaves_three_files_and_a_table(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0

    assert sorted(file.name for file in (tmp_path / "report").iterdir()) == [
        "report.html",
        "report.md",
        "results.json",
    ]
    told = read_results(tmp_path / "report" / RESULTS)
    assert told.rows[0].artifact == "anchor"
    assert told.command == "python -m benchmarks --artifact artifacts/demo --device host"
    assert told.versions["megatron-mobile"]
    assert told.published
    assert {check.target for check in told.checks} == {
        "host",
        "iphone-12",
        "iphone-15-pro",
        "pixel-8",
        "galaxy-s24",
        "galaxy-a54",
    }
    assert "student_int8.pte encode" in capsys.readouterr().out


def test_rows_are_marked_with_the_budget_they_are_held_to(run: Callable[..., int], tmp_path: Path) -> None:
    run()

    held = {(row.artifact, row.budget) for row in read_results(tmp_path / "report" / RESULTS).rows}
    assert held == {
        ("anchor", None),
        ("teacher", None),
        ("student_fp32.pte", None),
        ("student_int8.pte", "host"),
    }


def test_a_gate_that_holds_is_silent(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--gate") == 0

    assert "gate:" not in capsys.readouterr().err


def test_a_row_beyond_its_budget_is_exit_3_and_the_report_stands(
    run: Callable[..., int], bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.groups = [slowed(rows(), "student_int8.pte", 4.0)]

    assert run("--gate") == 3

    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gate:")]
    assert line.startswith("gate: student_int8.pte: frame, x anchor is 1.6")
    assert line.endswith("at most 1.000 for host: short")
    assert (tmp_path / "report" / "report.html").is_file()


def test_without_the_gate_the_same_rows_are_exit_0(run: Callable[..., int], bench: Bench) -> None:
    bench.groups = [slowed(rows(), "student_int8.pte", 4.0)]

    assert run() == 0


@pytest.mark.parametrize(("factor", "code"), [(1.10, 3), (1.0, 0)], ids=["a tenth slower", "as before"])
def test_a_stored_baseline_finds_a_slowdown_and_no_other(
    run: Callable[..., int], bench: Bench, tmp_path: Path, factor: float, code: int
) -> None:
    bench.groups = [slowed(rows(), "student_int8.pte", factor)]

    assert run("--gate", "--baseline", stored(tmp_path, document())) == code

    told = read_results(tmp_path / "report" / RESULTS)
    assert told.baseline is not None
    assert told.baseline.endswith("old.json, measured 2026-01-01T00:00:00+00:00")
    assert told.baseline_rows == ()
    short = {check.subject for check in told.baseline_checks if check.fails}
    assert short == ({f"student_int8.pte {name}, executorch" for name in ("encode", "classify")} if code else set())


def test_another_artefact_folder_is_measured_in_the_same_rounds(
    run: Callable[..., int], bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "before").mkdir()
    bench.groups = [slowed(rows(), "student_int8.pte", 1.10), rows()]

    assert run("--gate", "--baseline", "before") == 3

    assert bench.asked == [["artifacts/demo", "before"]]
    told = read_results(tmp_path / "report" / RESULTS)
    assert told.baseline == "before, in the same rounds"
    assert [row.artifact for row in told.baseline_rows] == [row.artifact for row in rows()]


def test_a_baseline_of_another_cpu_model_is_refused_before_anything_is_measured(
    run: Callable[..., int], bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = document(machine=MACHINE.model_copy(update={"cpu": "another processor"}))

    assert run("--gate", "--baseline", stored(tmp_path, other)) == 2

    assert "measured on 'another processor', not on 'a processor'" in capsys.readouterr().err
    assert bench.asked == []
    assert not (tmp_path / "report").exists()


def test_a_baseline_that_is_not_there_is_refused(
    run: Callable[..., int], bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--baseline", "none.json") == 2

    assert "none.json: no results here" in capsys.readouterr().err
    assert bench.asked == []


def test_a_gate_with_nothing_to_hold_is_refused(
    run: Callable[..., int], bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = manifest(None).model_copy(update={"artifacts": (), "preferred": None})
    monkeypatch.setattr(commands, "open_artifacts", lambda folder: empty)

    assert run("--gate") == 2

    assert "holds no artefact that benchmarks/targets.toml has a budget for" in capsys.readouterr().err
    assert bench.asked == []
