"""What a person gets for wrong input: one line on stderr, the exit code, and never a traceback."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.__main__ import COMMANDS
from core.command_line import Pace, progress, run_command
from core.errors import InputError, WorkError
from core.manifest import MANIFEST

PROGRAM = "python -m core"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A command that ends as it is told."""

    end: str
    """How."""
    count: int = 1

    def execute(self) -> int:
        """Do it."""
        if self.end == "input":
            raise InputError("--count 0: give 1 or more")
        if self.end == "work":
            raise WorkError("the disk is full")
        if self.end == "interrupt":
            raise KeyboardInterrupt
        if self.end == "bug":
            raise ZeroDivisionError("not the user's doing")
        return 3 if self.end == "gate" else 0


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The only line that `python -m core ARGUMENTS` prints when it ends with 2."""
    assert run_command(COMMANDS, PROGRAM, [str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line


# Codes


@pytest.mark.parametrize(
    ("end", "code", "lines"),
    [
        ("done", 0, []),
        ("gate", 3, []),
        ("input", 2, ["error: --count 0: give 1 or more"]),
        ("work", 1, ["error: the disk is full"]),
        ("interrupt", 130, ["interrupted"]),
    ],
)
def test_the_end_of_a_command_is_its_code_and_at_most_one_line(
    capsys: pytest.CaptureFixture[str], end: str, code: int, lines: list[str]
) -> None:
    assert run_command(Sample, "sample", ["--end", end]) == code
    printed = capsys.readouterr()
    assert printed.err.splitlines() == lines
    assert printed.out == ""


def test_a_bug_shows_itself() -> None:
    with pytest.raises(ZeroDivisionError, match="not the user's doing"):
        run_command(Sample, "sample", ["--end", "bug"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--end"),
        (["--end", "done", "--cuont", "2"], "--cuont"),
        (["--end", "done", "--count", "two"], "two"),
        (["--end"], "--end"),
    ],
)
def test_a_command_line_that_cannot_be_parsed_is_one_line_that_names_the_flag(
    capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    assert run_command(Sample, "sample", arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert named in line


def test_a_line_longer_than_the_terminal_stays_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    line = refusal(capsys, "prepare", tmp_path / "absent" / ("x" * 100), "--store", "s")
    assert line.endswith("type `make demo`")


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run_command(Sample, "sample", ["--help"])
    assert stop.value.code == 0
    assert "--count" in capsys.readouterr().out


def test_a_log_gets_plain_lines_of_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("prepare [clips]") as report:
        for done in range(1, 4):
            report(done, 3)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("prepare [clips]: 3/3 after ")
    assert line.endswith("/s, 0 s left")


def test_the_pace_counts_what_was_done_now_and_not_what_was_there_before() -> None:
    seconds = iter([0.0, 4.0, 4.0])
    pace = Pace(clock=lambda: next(seconds))
    pace.note(91)
    pace.note(98)
    # Eight in four seconds, of which two are left.
    assert pace.text(98, 100) == "2.00/s, 1 s left"


def test_a_rate_nobody_can_know_is_not_made_up() -> None:
    pace = Pace(clock=lambda: 1.0)
    pace.note(1)
    assert pace.text(1, 5) == "rate unknown"


# Commands


def test_prepare_names_a_missing_corpus(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = refusal(capsys, "prepare", tmp_path / "absent", "--store", tmp_path / "store")
    assert line.startswith(f"error: {tmp_path / 'absent'}: no such corpus folder")
    assert not (tmp_path / "store").exists()


def test_prepare_asks_for_the_store(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "--store" in refusal(capsys, "prepare", tmp_path)


def test_prepare_needs_a_worker(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = refusal(capsys, "prepare", tmp_path, "--store", tmp_path / "store", "--workers", "0")
    assert line == "error: --workers 0: give 1 or more"


@pytest.mark.parametrize("arguments", [[], ["judge"], ["detect", "--artefact", "x", "a.mp4"]])
def test_an_unknown_command_or_flag_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert refusal(capsys, *arguments).startswith("error: ")


def test_detect_without_a_video_says_what_to_type(capsys: pytest.CaptureFixture[str], artifacts: Path) -> None:
    assert (
        refusal(capsys, "detect", "--artifact", artifacts)
        == "error: no video given; type `python -m core detect VIDEO`"
    )


def test_detect_names_a_missing_video(capsys: pytest.CaptureFixture[str], artifacts: Path) -> None:
    line = refusal(capsys, "detect", "absent.mp4", "--artifact", artifacts)
    assert line == "error: absent.mp4: no such file; give the path of a video"


def test_detect_names_a_folder_without_a_manifest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = refusal(capsys, "detect", "a.mp4", "--artifact", tmp_path)
    assert line.startswith(f"error: {tmp_path}: no manifest.json here; give a folder that `python -m export` wrote")


def test_detect_refuses_an_untrained_program_unless_it_is_allowed(
    capsys: pytest.CaptureFixture[str], artifacts: Path
) -> None:
    document = json.loads((artifacts / MANIFEST).read_text())
    (artifacts / MANIFEST).write_text(json.dumps({**document, "trained": False, "metrics": None}))
    line = refusal(capsys, "detect", "a.mp4", "--artifact", artifacts)
    assert "an untrained program, its answers mean nothing" in line
    assert "--allow-untrained" in line
    allowed = refusal(capsys, "detect", "a.mp4", "--artifact", artifacts, "--allow-untrained")
    assert allowed == "error: a.mp4: no such file; give the path of a video"


# The process


def test_the_program_ends_with_the_code_and_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "core", "prepare", str(tmp_path / "absent"), "--store", str(tmp_path / "store")],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")


def test_importing_core_loads_no_heavy_library() -> None:
    code = "import sys, core; print({'torch', 'cv2', 'av', 'dlib', 'timm', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "set()"
