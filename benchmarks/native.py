"""The native runner as a process that is asked for one turn of calls at a time."""

import contextlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.cases import Case, write_cases
from benchmarks.measure import WARM_UP_CALLS, WARM_UP_S, Turn
from benchmarks.row import Memory
from core.decision import Decision
from core.errors import WorkError

STREAM = "stream"
"""Name of the whole session among the methods."""


class Window(BaseModel):
    """What a stream closed: frames `first` to `last`; without logits it is undecided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int
    last: int
    coverage: float
    logits: tuple[float, float] | None


class Opening(BaseModel):
    """What the runner tells once the program is loaded and was called once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: str
    method: str
    threads: int
    architecture: str
    backends: tuple[str, ...]
    cases: int
    cold_load_ms: float
    first_call_ms: float
    outputs: dict[str, tuple[tuple[float | None, ...], ...]] | tuple[Window, ...] | None = None
    """Of each case every output's values, row-major; or the windows of a stream."""


class _Turn(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    warm_up: int
    calls_ms: list[float]
    encode_ms: list[float] | None = None
    classify_ms: list[float] | None = None


class _Closing(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    memory: dict[str, int | None]
    missing: dict[str, str]


Answer = TypeVar("Answer", bound=BaseModel)


class NativeProgram:
    """A program that the runner has loaded, in a process of its own; a context, or to be closed."""

    def __init__(
        self,
        runner: Path,
        program: Path,
        method: str,
        cases: Sequence[Case],
        *,
        threads: int,
        decision: Decision | None = None,
        depth_valid: bool = True,
        outputs: bool = False,
        emulator: Sequence[str] = (),
    ) -> None:
        """Load `program` and call `method` (or the `STREAM`, whose `decision` says when it classifies) once.

        With `outputs` what every case gives is kept in `opening`. `emulator` is put before the command. WorkError
        where the runner refuses.
        """
        self._what = f"{program}: {method}"
        self._scratch = tempfile.TemporaryDirectory(prefix="megatron-runner-")
        folder = Path(self._scratch.name)
        command = [*emulator, str(runner), str(program), "--serve", "--threads", str(threads)]
        command += ["--cases", str(write_cases(cases, folder))]
        command += ["--outputs"] if outputs else []
        if method == STREAM:
            decision = decision or Decision()
            command += ["--stream", "--hop", str(decision.hop), "--min-coverage", repr(decision.min_coverage)]
            command += ["--depth-valid", str(int(depth_valid))]
        else:
            command += ["--method", method]
        # Into a file: a pipe that nobody reads while the runner works could fill.
        self._complaints = (folder / "stderr").open("w+")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, text=True
        )
        self.opening = self._answer(Opening)

    def turn(self, least_calls: int, least_seconds: float) -> Turn:
        """See `benchmarks.measure.Timed`."""
        assert self._process.stdin is not None
        # A process that is gone shows by its silence.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{least_seconds!r} {least_calls} {WARM_UP_S!r} {WARM_UP_CALLS}\n")
            self._process.stdin.flush()
        told = self._answer(_Turn)
        return Turn(calls_ms=told.calls_ms, warm_up=told.warm_up)

    def close(self) -> Memory:
        """End the process; its memory up to the last call."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        told = self._answer(_Closing)
        self._end()
        parts = {name: size for name, size in told.memory.items() if name in Memory.model_fields}
        return Memory.model_validate({**parts, "missing": told.missing})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End the process, if it has not ended, without asking for anything."""
        if self._process.poll() is None:
            self._process.kill()
        self._end()

    def _answer(self, form: type[Answer]) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            return form.model_validate_json(line)
        except ValidationError:
            self._process.wait()
            self._complaints.seek(0)
            said = self._complaints.read().strip().splitlines() or [line.strip() or "it ended without a word"]
            self._end()
            raise WorkError(f"{self._what}: the native runner failed: {said[-1].removeprefix('error: ')}") from None

    def _end(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                # What was not written yet is lost with the process.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._process.wait()
        if not self._complaints.closed:
            self._complaints.close()
            self._scratch.cleanup()
