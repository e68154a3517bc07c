"""Two processes train side by side through Lightning's own strategy, and leave one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.runs import METRICS, read_student
from distill.train import RECORD
from tests.distill.conftest import MadeStore
from tests.distill.tiny import STEPS, tiny_records

pytestmark = pytest.mark.usefixtures("shallow")

ROOT = Path(__file__).parents[2]


def test_two_processes_leave_one_whole_run(made_store: MadeStore, tmp_path: Path) -> None:
    store, run = made_store(tiny_records()), tmp_path / "run"

    done = subprocess.run(
        [sys.executable, "-m", "tests.distill.tiny", str(store.folder), str(run), "2"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("student_fusion: best") == 2
    stages = json.loads((run / RECORD).read_text())["stages"]
    assert {stage["steps"] for stage in stages} == {STEPS}
    assert (run / METRICS).is_file()
    student, document = read_student(run)
    assert not student.training
    assert document.role == "student"
