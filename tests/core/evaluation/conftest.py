"""A run, a store to judge it on, and the command as a user gives it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.command_line import run_command
from core.evaluation.command import Evaluate
from tests.core.judging import filled, record, student_run

VIDEOS = [
    record("anna", identity="anna"),
    record("bert", identity="bert"),
    record("anna swapped", is_fake=True, identity="anna", source="zoe", visibility=5.0),
    record("bert blended", is_fake=True, identity="bert", method="self_blend", visibility=20.0),
]
GREYS = {"anna": 40, "bert": 90, "anna swapped": 150, "bert blended": 220}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of random weights, without `data.json`."""
    folder = tmp_path_factory.mktemp("runs") / "grey"
    student_run(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command runs: `run`, and `store` with two people, each real and forged."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "run")
    filled(tmp_path / "store", GREYS, VIDEOS)
    return tmp_path


def evaluated(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    """stdout and stderr of a command that ends with `code`."""
    assert run_command(Evaluate, "evaluate", words) == code
    out, err = capsys.readouterr()
    return out, err


def documented(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(evaluated(capsys, *words, "--json")[0])
    return document


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    out, err = evaluated(capsys, *words, code=2)
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def has_seen(run: Path, videos: dict[str, str], *, identity: str = "anyone") -> None:
    """`data.json` of a run that has seen these contents on these sides."""
    rows = [
        {"path": f"elsewhere/{place}.mp4", "identity": identity, "split": side, "content_sha256": content}
        for place, (content, side) in enumerate(videos.items())
    ]
    (run / "data.json").write_text(json.dumps({"videos": rows}))
