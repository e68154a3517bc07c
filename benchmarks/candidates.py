"""What is timed of an artefact folder on this machine, and the anchor: ExecuTorch, ONNX Runtime, Core ML."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from benchmarks.anchor import SIZE, anchor_program
from benchmarks.cases import Case, cases_of, random_values
from benchmarks.kept_programs import METHOD
from benchmarks.measure import PythonCalls, Timed
from benchmarks.memory import memory_of
from benchmarks.native import STREAM, NativeProgram
from benchmarks.row import Memory
from benchmarks.trunk import TRUNK, trunk_program
from benchmarks.versions import executorch_version
from core.decision import Decision
from core.manifest import Artifact, Manifest
from core.runtimes import Runtime, open_runtime

if TYPE_CHECKING:
    from core.models import StudentConfig

THREADS = 2
COLD_LOADS = 3
"""Processes that load a program anew; the median is told."""

NATIVE, PYTHON = "executorch", "executorch-python"

Loaded = TypeVar("Loaded")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One thing to time, and what its row says beside the times."""

    artifact: str
    method: str
    sha256: str | None
    runtime: str
    runtime_version: str
    delegate: str
    precision: str
    timed: Timed
    cold_load_ms: float | None
    first_call_ms: float | None
    memory: Callable[[], Memory | None]
    """To be asked once, after the last turn."""
    note: str | None = None
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Native:
    """The native runner, or why there is none; the processes it starts end with `processes`."""

    binary: Path | None
    absence: str | None
    processes: ExitStack

    @property
    def note(self) -> str | None:
        """For a row of the Python runtime, which stands in where there is no runner."""
        return None if self.binary else f"Python's runtime stands in for the native runner: {self.absence}"

    def candidate(self, program: "Program", method: str, cases: Sequence[Case]) -> Candidate:
        """The runner on `method`, or the `STREAM`; loaded a few times before it stays."""
        openings = []
        for _ in range(COLD_LOADS):
            opened = self._open(program, method, cases)
            openings.append(opened.opening)
            if len(openings) < COLD_LOADS:
                opened.kill()
        return Candidate(
            artifact=program.artifact,
            method=method,
            sha256=program.sha256,
            runtime=NATIVE,
            runtime_version=executorch_version(),
            delegate=program.delegate,
            precision=program.precision,
            timed=opened,
            cold_load_ms=median(opening.cold_load_ms for opening in openings),
            first_call_ms=median(opening.first_call_ms for opening in openings),
            memory=opened.close,
        )

    def _open(self, program: "Program", method: str, cases: Sequence[Case]) -> NativeProgram:
        assert self.binary is not None
        opened = NativeProgram(
            self.binary,
            program.path,
            method,
            cases,
            threads=THREADS,
            decision=program.decision,
            depth_valid=program.depth_valid,
        )
        return self.processes.enter_context(opened)


@dataclass(frozen=True, kw_only=True)
class Program:
    """A `.pte` and what its rows say of it."""

    path: Path
    artifact: str
    sha256: str | None
    delegate: str
    precision: str
    decision: Decision = Decision()
    depth_valid: bool = True


def anchor_candidate(native: Native) -> Candidate:
    """What every ratio is to."""
    program = Program(path=anchor_program(), artifact="anchor", sha256=None, delegate="xnnpack", precision="fp32")
    return _kept(program, [Case(name="random", inputs=(random_values((1, 3, SIZE, SIZE), 0),))], native)


def of_trunk(folder: Path, manifest: Manifest, student: "StudentConfig", native: Native) -> Iterator[Candidate]:
    """The int8 trunk alone on the frames that `encode` gets; nothing where the folder has no int8 `encode`."""
    path = trunk_program(manifest, student)
    if path is not None:
        program = Program(path=path, artifact=TRUNK, sha256=None, delegate="xnnpack", precision="int8")
        yield _kept(program, cases_of(folder, manifest, "encode"), native)


def _kept(program: Program, cases: Sequence[Case], native: Native) -> Candidate:
    """A program of the benchmarks' own, under the native runner or in its place under Python's runtime."""
    if native.binary is not None:
        return native.candidate(program, METHOD, cases)
    from core.runtimes.executorch import ExecuTorchRuntime

    load = partial(ExecuTorchRuntime, program.path, (METHOD,), threads=THREADS)
    runtime, load_ms = loaded_cold(program.path, load)
    call = caller(runtime, METHOD, cases)
    return Candidate(
        artifact=program.artifact,
        method=METHOD,
        sha256=program.sha256,
        runtime=PYTHON,
        runtime_version=runtime.version,
        delegate=program.delegate,
        precision=program.precision,
        cold_load_ms=load_ms,
        first_call_ms=timed(call)[1],
        timed=PythonCalls(call),
        memory=lambda: None,
        note=native.note,
        missing={"memory": f"the {program.artifact}'s is told by the native runner only"},
    )


def of_executorch(folder: Path, manifest: Manifest, artifact: Artifact, native: Native) -> Iterator[Candidate]:
    """Under the native runner, and the Python runtime beside it or in its place."""
    if native.binary is not None:
        program = Program(
            path=folder / artifact.path,
            artifact=artifact.path,
            sha256=artifact.sha256,
            delegate=artifact.backend,
            precision=artifact.precision,
            decision=manifest.decision,
            depth_valid=manifest.depth_trained,
        )
        for method in artifact.methods:
            yield native.candidate(program, method, cases_of(folder, manifest, method))
        if {"encode", "classify"} <= set(artifact.methods):
            # Frames that all show a face: what a call of the stream takes does not hang on how many were missed.
            yield native.candidate(program, STREAM, cases_of(folder, manifest, "encode"))
    yield from under_python(folder, manifest, artifact, name=PYTHON, note=native.note)


def under_python(
    folder: Path, manifest: Manifest, artifact: Artifact, *, name: str | None = None, note: str | None = None
) -> Iterator[Candidate]:
    """Every method under the Python package of its runtime, whose rows are `name`d other than the runtime itself."""
    runtime, load_ms = loaded_cold(folder / artifact.path, partial(open_runtime, folder, artifact, threads=THREADS))
    memory = cache(lambda: memory_of(folder, artifact.path))
    for method in artifact.methods:
        call = caller(runtime, method, cases_of(folder, manifest, method))
        yield Candidate(
            artifact=artifact.path,
            method=method,
            sha256=artifact.sha256,
            runtime=name or runtime.name,
            runtime_version=runtime.version,
            delegate=artifact.backend,
            precision=artifact.precision,
            timed=PythonCalls(call),
            cold_load_ms=load_ms,
            first_call_ms=timed(call)[1],
            memory=memory,
            note=note,
        )


def of_coreml(folder: Path, manifest: Manifest, artifact: Artifact) -> Iterator[Candidate]:
    """On every kind of compute unit; macOS only."""
    assert sys.platform == "darwin"
    from core.runtimes.coreml_native import COMPUTE_UNITS, CoreMLRuntime

    for unit in COMPUTE_UNITS:
        path = folder / artifact.path
        runtime, load_ms = loaded_cold(path, partial(CoreMLRuntime, path, artifact.methods, unit))
        for method in artifact.methods:
            call = caller(runtime, method, cases_of(folder, manifest, method))
            yield Candidate(
                artifact=artifact.path,
                method=method,
                sha256=artifact.sha256,
                runtime=runtime.name,
                runtime_version=runtime.version,
                delegate=unit.lower(),
                precision=artifact.precision,
                timed=PythonCalls(call),
                cold_load_ms=load_ms,
                first_call_ms=timed(call)[1],
                memory=lambda: None,
                note="Core ML chooses its own threads",
                missing={"memory": "most of it is Core ML's own processes'"},
            )


def caller(runtime: Runtime, method: str, cases: Sequence[Case]) -> Callable[[], object]:
    """One call after another, over the cases again and again."""
    turns = cycle(cases)
    return lambda: runtime.run(method, *next(turns).inputs)


def loaded_cold(path: Path, load: Callable[[], Loaded]) -> tuple[Loaded, float]:
    """What `load` makes of the artefact at `path`, and the milliseconds it took with the file not in memory.

    It is loaded once before: that imports the runtime, which is no part of the artefact. Where the system allows it,
    pages of the file that it keeps are given up.
    """
    load()
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
            with file.open("rb") as stream:
                advise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return timed(load)


def timed(load: Callable[[], Loaded]) -> tuple[Loaded, float]:
    """The value, and the milliseconds it took."""
    started = time.perf_counter()
    loaded = load()
    return loaded, (time.perf_counter() - started) * 1000.0
