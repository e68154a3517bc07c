"""Peak anonymous memory of this process and its children, sampled from /proc.

Anonymous, not resident: pages of a file that LMDB maps are the system's to take back, and count in RSS all the same.
"""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

INTERVAL_S = 0.05


class Footprint:
    """Watches while its block runs: the peak of the sum, and of the largest child."""

    def __init__(self) -> None:
        self.total_bytes: int | None = None
        """Largest sum seen over this process and its children; None where the system does not tell."""
        self.worker_bytes: int | None = None
        """Largest seen of a single child; None where there was none."""
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if Path("/proc/self/status").is_file():
            self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._watcher.is_alive():
            self._watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(INTERVAL_S):
            own = status_bytes("RssAnon") or 0
            children = [size for pid in children_of(os.getpid()) if (size := status_bytes("RssAnon", pid)) is not None]
            self.total_bytes = max(self.total_bytes or 0, own + sum(children))
            if children:
                self.worker_bytes = max(self.worker_bytes or 0, *children)


def status_bytes(name: str, pid: int | Literal["self"] = "self") -> int | None:
    """A size that Linux tells of a process, such as `VmRSS`; None where it tells none, or the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    line = next((line for line in lines if line.startswith(f"{name}:")), None)
    return None if line is None else int(line.split()[1]) * 1024


def children_of(pid: int) -> list[int]:
    """Direct children of a process."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue
    return found
