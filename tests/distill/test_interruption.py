"""A run that is killed goes on, and ends as if it never had been."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.runs import METRICS, read_tensors
from core.store import ClipStore
from distill.train import RECORD
from tests.distill.conftest import MadeStore
from tests.distill.tiny import STEPS, tiny_records

ROOT = Path(__file__).parents[2]
WEIGHTS = ("teacher.safetensors", "student.safetensors")


@pytest.fixture
def store(made_store: MadeStore) -> ClipStore:
    return made_store(tiny_records())


KILLED = """
import os, signal, sys
from pathlib import Path
from distill.checkpoints import SafetensorsCheckpointIO
from tests.distill.tiny import train_tiny

if __name__ == "__main__":
    save = SafetensorsCheckpointIO.save_checkpoint

    def saved(self, checkpoint, path, storage_options=None):
        save(self, checkpoint, path, storage_options)
        if Path(path).parent.name == sys.argv[3]:
            os.kill(os.getpid(), signal.SIGKILL)

    SafetensorsCheckpointIO.save_checkpoint = saved
    train_tiny(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def started(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def begun(store: ClipStore, run: Path) -> "subprocess.Popen[str]":
    return started("-m", "tests.distill.tiny", str(store.folder), str(run))


def killed_at(process: "subprocess.Popen[str]", words: str) -> str:
    """Everything it said until it said `words`, and was killed there."""
    assert process.stderr is not None
    said = []
    with process:
        for line in process.stderr:
            said.append(line)
            if words in line:
                process.send_signal(signal.SIGKILL)
                break
    return "".join(said)


def finished(process: "subprocess.Popen[str]") -> str:
    _, said = process.communicate()
    assert process.returncode == 0, said
    return said


def killed_at_checkpoint(store: ClipStore, run: Path, stage: str) -> None:
    """Begin the run or go on with it, and end it as soon as a checkpoint of that stage is whole."""
    process = started("-c", KILLED, str(store.folder), str(run), stage)
    _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    assert list((run / "stages" / stage).glob("*.json"))


def outcome(run: Path) -> dict[str, Any]:
    return {"metrics": json.loads((run / METRICS).read_text()), **{name: read_tensors(run / name) for name in WEIGHTS}}


def test_a_killed_run_ends_with_the_metrics_of_one_that_was_not(store: ClipStore, tmp_path: Path) -> None:
    finished(begun(store, tmp_path / "whole"))
    run = tmp_path / "killed"

    # In the middle of three stages, and between two others; each time the same command again.
    killed_at_checkpoint(store, run, "teacher_frames")
    said = [killed_at(begun(store, run), "teacher_fusion: best")]
    killed_at_checkpoint(store, run, "student_frames")
    killed_at_checkpoint(store, run, "student_fusion")
    said.append(finished(begun(store, run)))

    assert f"teacher_frames: going on after step {STEPS // 2}" in said[0]
    assert f"student_fusion: going on after step {STEPS // 2}" in said[1]
    assert "teacher_frames: reusing" in said[1]
    whole, again = outcome(tmp_path / "whole"), outcome(run)
    assert again["metrics"] == whole["metrics"]
    for name in WEIGHTS:
        assert all((again[name][key] == value).all() for key, value in whole[name].items()), name
    steps = {stage["name"]: stage["steps"] for stage in json.loads((run / RECORD).read_text())["stages"]}
    assert set(steps.values()) == {STEPS}
