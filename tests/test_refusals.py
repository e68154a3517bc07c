"""Wrong input to the commands: exit code 2, one line that says what to do, no traceback, nothing written."""

from pathlib import Path

import numpy as np
import pytest

from core.command_line import run_command
from core.commands import Detect, Prepare
from core.video import encode_video
from distill.commands import Distill
from export.commands import Export


def refused(capsys: pytest.CaptureFixture[str], form: type, *words: str) -> str:
    """The one line with which a command refuses `words`."""
    code = run_command(form, "command", words)
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_unknown_recipe_lists_the_allowed_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, Distill, "--recipe", "dmeo")

    assert "--recipe dmeo: unknown; allowed are demo, clips, faceforensics" in line
    assert list(folder.iterdir()) == []


def test_an_unknown_device_lists_the_allowed_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, Distill, "--device", "tpu")

    assert "--device tpu: allowed are auto, cpu, cuda, mps" in line
    assert list(folder.iterdir()) == []


def test_an_unknown_target_lists_the_allowed_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, Export, "--target", "tflite")

    assert "--target tflite: unknown; allowed are executorch, coreml, onnx and all" in line


def test_a_run_without_a_student_names_what_to_type(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run").mkdir()

    line = refused(capsys, Export, "--run", "run", "--out", "artifacts")

    assert "run: no student.json in it, so no finished student; type `python -m distill --run run`" in line
    assert not (folder / "artifacts").exists()


@pytest.mark.parametrize(
    "words", [("--untrained",), ("--untrained", "--recipe", "demo", "--run", "run")], ids=["no recipe", "a run"]
)
def test_untrained_takes_a_recipe_and_no_run(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert "give --recipe NAME and no --run" in refused(capsys, Export, *words)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--run", "run", "--recipe", "demo"), "two names of what to export; give one of them"),
        (("--run", "run", "--allow-untrained"), "it is for --bundle; add that, or leave it out"),
    ],
    ids=["two sources", "nothing to allow"],
)
def test_flags_that_would_be_ignored_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str
) -> None:
    assert line in refused(capsys, Export, *words)


def test_an_empty_corpus_says_what_belongs_into_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "corpus" / "real").mkdir(parents=True)

    line = refused(capsys, Prepare, "corpus", "--store", "store")

    assert "corpus: no video in it; put videos" in line
    assert "into real/ and fake/" in line
    assert not (folder / "store").exists()


@pytest.mark.parametrize("form", [Prepare, Distill])
def test_a_corpus_of_one_class_is_refused_by_every_command_that_takes_it(
    folder: Path, capsys: pytest.CaptureFixture[str], form: type
) -> None:
    (folder / "corpus" / "real").mkdir(parents=True)
    encode_video(folder / "corpus" / "real" / "a_1.mp4", [np.zeros((64, 64, 3), np.uint8)], fps=10)
    words = ("corpus", "--store", "store") if form is Prepare else ("--corpus", "corpus")

    line = refused(capsys, form, *words)

    assert "corpus: all 1 videos are real; add the other class" in line
    assert [path.name for path in folder.iterdir()] == ["corpus"]


def test_a_folder_without_a_manifest_names_the_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "artifacts").mkdir()

    line = refused(capsys, Detect, "clip.mp4", "--artifact", "artifacts")

    assert "artifacts: no manifest.json here; give a folder that `python -m export` wrote" in line
