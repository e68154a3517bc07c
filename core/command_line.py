"""What every command shares: one line and an exit code for an error, and progress that suits a terminal or a log."""

import contextlib
import io
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import tyro
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from core.errors import InputError, WorkError

LOG_EVERY_S = 10.0
TABLE_COLUMNS = 132


class Report(Protocol):
    """Tells how far a piece of work is."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """`done` of `total`, and what else there is to say."""
        ...


class Command(Protocol):
    """A parsed command line."""

    def execute(self) -> int:
        """Do the work; the exit code."""
        ...


def run_command(form: Any, program: str, arguments: Sequence[str] | None = None) -> int:
    """Parse `arguments` (None: of this process) into `form` and run it; the exit code.

    0 done, 1 the work failed, 2 the user's input is wrong. 1 and 2 come with one line on stderr, never a traceback;
    a bug still shows its own.
    """
    try:
        command: Command = _parsed(form, program, arguments)
        return command.execute()
    except InputError as error:
        return _refused(error, code=2)
    except WorkError as error:
        return _refused(error, code=1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def page() -> Console:
    """Stdout for tables: the terminal's width, and wide enough for every column where there is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=TABLE_COLUMNS)


def say(line: str) -> None:
    """A line for the person who waits: on stderr, so that stdout stays one document."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(line)


@contextlib.contextmanager
def progress(title: str) -> Iterator["Report"]:
    """Yields `report(done, total, note)`: a bar on a terminal, a plain line now and then in a log."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=None, rate="")
            pace = Pace()

            def advance(done: int, total: int, note: str = "") -> None:
                pace.note(done)
                told = ", ".join(filter(None, (pace.text(done, total), note)))
                bar.update(task, completed=done, total=total, rate=told)

            yield advance
        return
    pace = Pace()
    spoken = pace.started

    def report(done: int, total: int, note: str = "") -> None:
        nonlocal spoken
        pace.note(done)
        now = time.monotonic()
        if done == total or now - spoken >= LOG_EVERY_S:
            spoken = now
            told = ", ".join(filter(None, (pace.text(done, total), note)))
            say(f"{title}: {done}/{total} after {now - pace.started:.0f} s, {told}")

    yield report


class Pace:
    """How fast work goes that may have begun half done."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.started = clock()
        self._before: int | None = None

    def note(self, done: int) -> None:
        """To be called at every report: the first tells what was done before."""
        if self._before is None:
            self._before = max(0, done - 1)

    def text(self, done: int, total: int) -> str:
        """`2.50/s, 12 s left`."""
        assert self._before is not None
        seconds = self._clock() - self.started
        if done <= self._before or seconds <= 0:
            return "rate unknown"
        rate = (done - self._before) / seconds
        return f"{rate:.2f}/s, {(total - done) / rate:.0f} s left"


def _parsed(form: Any, program: str, arguments: Sequence[str] | None) -> Any:
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(form, prog=program, args=arguments)
    except SystemExit as stop:
        if not stop.code:
            raise
        # tyro draws a box around its complaint; the contract is one line.
        words = " ".join(re.sub(r"[─│╭╮╰╯]+", " ", complaint.getvalue()).split())
        raise InputError(re.sub(r"^(Parsing error|Required options) ", "", words)) from None


def _refused(error: Exception, *, code: int) -> int:
    say(f"error: {error}")
    return code
