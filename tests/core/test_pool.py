"""Jobs in worker processes: results, failures, deaths, and a parent that is killed."""

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InputError, WorkError
from core.prepare.pool import Failure, worked


def work(job: int) -> int:
    """The square, or what goes wrong with a job of that number."""
    if job == 3:
        raise InputError("three is refused")
    if job == 5:
        raise ZeroDivisionError("five\ndivides by zero")
    if job == 7:
        os._exit(9)
    if job == 11:
        raise OSError(errno.ENOSPC, "No space left on device")
    return job * job


def done(numbers: list[int], workers: int, task: Callable[[int], int] = work) -> dict[str, int | Failure]:
    return dict(worked(task, {str(n): n for n in numbers}, workers=workers, name=lambda job: f"job {job}"))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_job_has_a_result_or_a_reason(workers: int) -> None:
    found = done([1, 2, 3, 4, 5, 6], workers)
    assert found == {
        "1": 1,
        "2": 4,
        "3": Failure(reason="three is refused"),
        "4": 16,
        "5": Failure(reason="job 5: ZeroDivisionError: five divides by zero"),
        "6": 36,
    }


def test_a_job_that_takes_its_process_down_is_named_and_the_rest_goes_on() -> None:
    found = done([1, 2, 7, 4, 6, 8, 9], 2)
    assert found.pop("7") == Failure(reason="job 7: its process died; it may need more memory")
    assert found == {str(n): n * n for n in (1, 2, 4, 6, 8, 9)}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_ends_everything(workers: int) -> None:
    with pytest.raises(WorkError, match=r"No space left on device: .* make room and type the command again"):
        done([1, 11, 2], workers)


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, sys, time
            from pathlib import Path
            from core.prepare.pool import worked

            def work(job):
                Path(sys.argv[1], f"{os.getpid()}").touch()
                time.sleep(600)

            if __name__ == "__main__":
                list(worked(work, {"a": 1, "b": 2}, workers=2, name=str))
            """
        )
    )
    pids = tmp_path / "pids"
    pids.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(pids)], cwd=Path(__file__).parents[2])
    while len(list(pids.iterdir())) < 2:
        assert parent.poll() is None
    workers = [int(path.name) for path in pids.iterdir()]

    parent.kill()
    parent.wait()

    for pid in workers:
        # Waits for the end of a process that is not a child of this one.
        while _runs(pid):
            pass


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
