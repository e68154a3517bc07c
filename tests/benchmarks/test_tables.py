"""What a person reads, from documents made by hand."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.results import Results
from benchmarks.sheets import Sheet, comparison_sheet, latency_sheet
from benchmarks.subject import subject_of
from benchmarks.tables import table
from core.decision import Decision
from core.manifest import Artifact, Manifest, RuntimeVersion, Source
from core.preprocess import PreprocessSpec
from tests.benchmarks.conftest import MACHINE, row

RESULTS = Results(
    name="demo",
    created="now",
    machine=MACHINE,
    rows=(
        row("anchor", "forward", 4.0),
        row("student_int8.pte", "encode", 2.0),
        row("student_int8.pte", "classify", 0.5, valid=False, noisy=True),
        row("teacher", "encode", 30.0),
        row("teacher", "classify", 5.0),
    ),
)


def artifact(path: str, precision: str) -> Artifact:
    return Artifact.model_validate(
        {
            "path": path,
            "target": "coreml" if path.endswith(".mlpackage") else "executorch",
            "backend": "xnnpack",
            "precision": precision,
            "methods": ("encode", "classify"),
            "sha256": "0",
            "size_bytes": 5_460_000,
            "runtime": RuntimeVersion(name="executorch", version="1"),
            "parity": None,
            "accuracy": None,
            "delegation": None,
            "verified": "runtime",
        }
    )


def manifest(run: Path | None) -> Manifest:
    """An int8 program that was measured and a Core ML package that was not; figures only where there was a run."""

    def side(auc: float, frame_auc: float) -> dict[str, dict[str, float | int | None]]:
        # Validation figures differ, so that taking the wrong side shows.
        return {"val": {"auc": 0.111, "frame_auc": 0.111}, "test": {"auc": auc, "frame_auc": frame_auc}}

    return Manifest(
        name="demo",
        created="now",
        trained=run is not None,
        depth_trained=True,
        source=Source(run=None if run is None else str(run), recipe="demo", weights_sha256="0", code_version="0"),
        preprocess=PreprocessSpec(size=96, margin=1.5),
        decision=Decision(hop=10),
        methods=(),
        metrics=None if run is None else {"teacher": side(0.987, 0.876), "student": side(0.954, 0.843)},
        preferred="student_int8.pte",
        artifacts=(artifact("student_int8.pte", "int8"), artifact("student_fp16.mlpackage", "fp16")),
    )


def cells(sheet: Sheet) -> list[list[str]]:
    """The table as printed, split into cells."""
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(table(sheet))
    lines = console.export_text().splitlines()
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with a teacher of 2.5 MB."""
    (tmp_path / "teacher.safetensors").write_bytes(bytes(2_500_000))
    return tmp_path


def test_the_comparison_sets_the_students_figures_beside_the_teachers(run: Path) -> None:
    # A frame costs its encoding and a tenth of a classification, which comes once in ten frames.
    assert cells(comparison_sheet(subject_of(manifest(run)), RESULTS)) == [
        ["teacher, torch float32", "0.987", "0.876", "2.5", "30.0", "5.00", "30.5"],
        ["student, executorch int8 *", "0.954", "0.843", "5.5", "2.00", "0.50", "2.05"],
    ]


def test_the_comparison_says_whose_figures_it_shows(run: Path) -> None:
    note = str(comparison_sheet(subject_of(manifest(run)), RESULTS).note)

    assert "held-out identities" in note
    assert "classify / 10 (once every 10 frames)" in note
    assert "* is what detect runs" in note


def test_an_untrained_program_has_speed_and_no_accuracy() -> None:
    assert cells(comparison_sheet(subject_of(manifest(None)), RESULTS)) == [
        ["student, executorch int8 *", "-", "-", "5.5", "2.00", "0.50", "2.05"],
    ]


def test_a_teacher_that_is_gone_keeps_its_accuracy(tmp_path: Path) -> None:
    without = RESULTS.model_copy(update={"rows": RESULTS.rows[:3]})

    (teacher, _) = cells(comparison_sheet(subject_of(manifest(tmp_path)), without))

    assert teacher == ["teacher, torch float32", "0.987", "0.876", "-", "-", "-", "-"]


def test_the_latency_table_shows_every_row_and_marks_the_doubtful() -> None:
    rows = cells(latency_sheet(RESULTS))

    assert rows[0] == [
        *("anchor forward", "executorch xnnpack", "4.000", "6.000", "8.000"),
        *("1.000", "12", "34", "1024", ""),
    ]
    assert [line[0] for line in rows] == [f"{row.artifact} {row.method}" for row in RESULTS.rows]
    assert [line[-1] for line in rows] == ["", "", "invalid noisy", "", ""]


def test_the_latency_table_names_the_machine_and_the_anchor() -> None:
    note = str(latency_sheet(RESULTS).note)

    assert "a processor, 4 cores, 2 threads, load 0.5" in note
    assert "RepViT-M0.9" in note
