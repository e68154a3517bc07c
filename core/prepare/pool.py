"""Jobs in worker processes: a job that fails, or takes its process down, is told and does not stop the others."""

import errno
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import cv2

from core.errors import InputError, WorkError

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 2
"""Jobs handed out for each worker: one at work and one waiting, so that results never pile up."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job has no result, in one line."""

    reason: str


def worked(
    work: Callable[[J], R], jobs: Mapping[str, J], *, workers: int, name: Callable[[J], str]
) -> Generator[tuple[str, R | Failure], None, None]:
    """(key, result or failure) of every job, in the order in which they are ready.

    `work` must be picklable. `name` tells a job in a failure's line. With no `workers` the jobs run in this process.
    Raises WorkError where the disk is full: that ends everything. Close it where it may be left early: the workers are
    gone when it is closed.
    """
    attempt = partial(_attempted, work)
    if workers == 0:
        for key, job in jobs.items():
            yield key, attempt(job, name(job))
        return
    waiting = deque(jobs.items())
    while waiting:
        broken = yield from _until_broken(attempt, waiting, name, min(workers, len(waiting)))
        # One of these took its process down: alone, each shows whether it was the one.
        for key, job in broken:
            alone = deque([(key, job)])
            if (yield from _until_broken(attempt, alone, name, 1)):
                yield (
                    key,
                    Failure(reason=f"{name(job)}: its process died; it may need more memory"),
                )


def _until_broken(
    attempt: Callable[[J, str], R | Failure],
    waiting: deque[tuple[str, J]],
    name: Callable[[J], str],
    workers: int,
) -> Generator[tuple[str, R | Failure], None, list[tuple[str, J]]]:
    """Work off `waiting`; where a process dies, stop and return what was at work."""
    # Spawned, not forked: the parent may already run threads.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker)
    running: dict[Future[R | Failure], tuple[str, J]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < AHEAD * workers:
                job = waiting[0][1]
                running[pool.submit(attempt, job, name(job))] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key, _ = running[future]
                result = future.result()
                del running[future]
                yield key, result
    except BrokenProcessPool:
        return list(running.values())
    finally:
        pool.shutdown(cancel_futures=True)
    return []


def _attempted(work: Callable[[J], R], job: J, name: str) -> R | Failure:
    """`work` on `job`, with whatever goes wrong made into a `Failure`."""
    try:
        return work(job)
    except (InputError, WorkError) as error:
        return Failure(reason=str(error))
    except OSError as error:
        if error.errno in FULL:
            raise WorkError(
                f"{error.strerror}: what was written before stays readable; make room and type the command again"
            ) from error
        return Failure(reason=f"{name}: {error}")
    except Exception as error:
        # A file from anywhere can trip any library; the reason is listed, and `--strict` makes it count.
        return Failure(reason=" ".join(f"{name}: {type(error).__name__}: {error}".split()))


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # What was imported stays: a collection after each job need not look at it.
    gc.freeze()
    # The parent answers Ctrl-C: it cancels the queue and waits for the jobs at work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed cannot stop its workers; they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
