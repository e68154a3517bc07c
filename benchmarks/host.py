"""Measuring on this machine: every runtime that is here, side by side in one run."""

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.build import build_runner
from benchmarks.candidates import (
    THREADS,
    Candidate,
    Native,
    anchor_candidate,
    of_coreml,
    of_executorch,
    of_trunk,
    under_python,
)
from benchmarks.measure import TURN_S, Timing, interleave
from benchmarks.results import Machine
from benchmarks.row import LEAST_CALLS, LEAST_SECONDS, NOISY, Latency, Rounds, Row, Sustained
from core.command_line import progress, say
from core.errors import InputError, WorkError
from core.manifest import Artifact, Manifest

QUICK_CALLS, QUICK_SECONDS = 64, 1.0
QUICK_TURN_S = QUICK_SECONDS / 16
"""Short turns, so that a quick run too has rounds enough for an interval, if a wide one."""

Opened = tuple[Path, Manifest]
"""An artefact folder, and its manifest as `open_artifacts` has checked it."""


def measure_host(folder: Path, manifest: Manifest, *, quick: bool) -> list[Row]:
    """Rows of the anchor, of every artefact that can be executed here, and of student and teacher in torch."""
    return measure_together((folder, manifest), (), quick=quick)[0]


def measure_together(main: Opened, others: Sequence[Opened], *, quick: bool) -> list[list[Row]]:
    """Rows of `main` as `measure_host` has them, then of each other folder's artefacts: all in the same rounds."""
    with ExitStack() as processes:
        native = _native(processes)
        groups = [[anchor_candidate(native), *_of_folder(main, native), *_of_models(main, native, quick=quick)]]
        groups += [list(_of_folder(other, native)) for other in others]
        with progress("measure") as report:
            timings = interleave(
                [candidate.timed for group in groups for candidate in group],
                least_calls=QUICK_CALLS if quick else LEAST_CALLS,
                least_seconds=QUICK_SECONDS if quick else LEAST_SECONDS,
                on_progress=report,
                turn_s=QUICK_TURN_S if quick else TURN_S,
            )
        left = iter(timings)
        return [[row_of(candidate, next(left), timings[0]) for candidate in group] for group in groups]


def row_of(candidate: Candidate, timing: Timing, anchor: Timing) -> Row:
    """What `timing` says of `candidate`, beside the anchor's of the same run."""
    latency = Latency.of(timing.calls_ms)
    memory = candidate.memory()
    return Row(
        artifact=candidate.artifact,
        method=candidate.method,
        sha256=candidate.sha256,
        device="host",
        os=platform.platform(),
        runtime=candidate.runtime,
        runtime_version=candidate.runtime_version,
        delegate=candidate.delegate,
        precision=candidate.precision,
        threads=THREADS,
        iterations=len(timing.calls_ms),
        warm_up=timing.warm_up,
        seconds=timing.seconds,
        latency_ms=latency,
        ratio_to_anchor=latency.p50 / Latency.of(anchor.calls_ms).p50,
        rounds=Rounds.of(timing.turns, anchor.turns),
        sustained=Sustained.of(timing.calls_ms),
        cold_load_ms=candidate.cold_load_ms,
        first_call_ms=candidate.first_call_ms,
        peak_rss_bytes=None if memory is None else memory.added,
        memory=memory,
        valid=len(timing.calls_ms) >= LEAST_CALLS and timing.seconds >= LEAST_SECONDS,
        noisy=latency.p90 / latency.p50 > NOISY,
        note=candidate.note,
        missing=candidate.missing,
    )


def machine() -> Machine:
    """What this machine says of itself."""
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return Machine(
        cpu=_cpu_name(),
        cores=os.cpu_count() or 1,
        os=platform.platform(),
        python=platform.python_version(),
        governor=governor.read_text().strip() if governor.is_file() else None,
        load_average=os.getloadavg(),
    )


def executable(artifact: Artifact) -> str | None:
    """Why `artifact` cannot be measured on this machine; None where it can."""
    if artifact.verified == "built":
        return "no runtime has executed it since it was built"
    if artifact.target == "coreml" and sys.platform != "darwin":
        return "this machine cannot execute coreml"
    return None


def _native(processes: ExitStack) -> Native:
    try:
        return Native(binary=build_runner("host"), absence=None, processes=processes)
    except (InputError, WorkError) as error:
        say(f"native runner: {error}; measuring with the Python runtime instead")
        return Native(binary=None, absence=str(error), processes=processes)


def _of_folder(opened: Opened, native: Native) -> Iterator[Candidate]:
    folder, manifest = opened
    for artifact in manifest.artifacts:
        reason = executable(artifact)
        if reason is not None:
            say(f"{artifact.path}: not measured, {reason}")
        elif artifact.target == "executorch":
            yield from of_executorch(folder, manifest, artifact, native)
        elif artifact.target == "coreml":
            yield from of_coreml(folder, manifest, artifact)
        else:
            yield from under_python(folder, manifest, artifact)


def _of_models(opened: Opened, native: Native, *, quick: bool) -> Iterator[Candidate]:
    """The int8 trunk alone, student and teacher in torch; a quick run leaves out what takes a minute to build."""
    from benchmarks.torch_models import of_student, of_teacher, student_of

    folder, manifest = opened
    student, note = student_of(manifest)
    if student is None:
        say(f"student in torch: not measured, {note}")
    else:
        if not quick:
            yield from of_trunk(folder, manifest, student.config, native)
        yield from of_student(folder, manifest, student, note, compiled=not quick)
    yield from of_teacher(manifest)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
