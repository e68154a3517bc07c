"""Measuring on this machine through the Python runtimes."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.anchor import METHOD, SIZE, anchor_program
from benchmarks.measure import Timing, interleave
from benchmarks.memory import memory_of
from benchmarks.results import Machine
from benchmarks.row import LEAST_CALLS, LEAST_SECONDS, NOISY, Latency, Memory, Rounds, Row, Sustained
from core.command_line import progress, say
from core.manifest import Artifact, Manifest, MethodSpec
from core.runtimes import Array, Runtime, open_runtime

THREADS = 2
QUICK_CALLS, QUICK_SECONDS = 64, 1.0
EXECUTABLE = ("executorch", "onnx")

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
    call: Callable[[], object]
    cold_load_ms: float | None
    memory: Memory | None


def measure_host(folder: Path, manifest: Manifest, *, quick: bool) -> list[Row]:
    """Rows of the anchor, of every executable artefact, and of the teacher where its run is at hand."""
    candidates = [_anchor()]
    for artifact in manifest.artifacts:
        if artifact.target in EXECUTABLE:
            candidates += _of_artifact(folder, manifest, artifact)
        else:
            say(f"{artifact.path}: not measured, this machine cannot execute {artifact.target}")
    candidates += _teacher(manifest)
    with progress("measure") as report:
        timings = interleave(
            [candidate.call for candidate in candidates],
            least_calls=QUICK_CALLS if quick else LEAST_CALLS,
            least_seconds=QUICK_SECONDS if quick else LEAST_SECONDS,
            on_progress=report,
        )
    anchor = timings[0]
    return [row_of(candidate, timing, anchor) for candidate, timing in zip(candidates, timings, strict=True)]


def row_of(candidate: Candidate, timing: Timing, anchor: Timing) -> Row:
    """What `timing` says of `candidate`, beside the `anchor` of the same run."""
    latency = Latency.of(timing.calls_ms)
    memory = candidate.memory
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
        peak_rss_bytes=None if memory is None else memory.added,
        memory=memory,
        valid=len(timing.calls_ms) >= LEAST_CALLS and timing.seconds >= LEAST_SECONDS,
        noisy=latency.p90 / latency.p50 > NOISY,
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


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _anchor() -> Candidate:
    from core.runtimes.executorch import ExecuTorchRuntime

    program = anchor_program()
    runtime, load_ms = _timed(lambda: ExecuTorchRuntime(program, (METHOD,), threads=THREADS))
    frame = _random((1, 3, SIZE, SIZE), 0)
    return Candidate(
        artifact="anchor",
        method=METHOD,
        sha256=None,
        runtime=runtime.name,
        runtime_version=runtime.version,
        delegate="xnnpack",
        precision="fp32",
        call=lambda: runtime.run(METHOD, frame),
        cold_load_ms=load_ms,
        memory=None,
    )


def _of_artifact(folder: Path, manifest: Manifest, artifact: Artifact) -> list[Candidate]:
    runtime, load_ms = _timed(lambda: open_runtime(folder, artifact, threads=THREADS))
    memory = memory_of(folder, artifact.path)
    return [
        Candidate(
            artifact=artifact.path,
            method=spec.name,
            sha256=artifact.sha256,
            runtime=runtime.name,
            runtime_version=runtime.version,
            delegate=artifact.backend,
            precision=artifact.precision,
            call=_caller(runtime, spec),
            cold_load_ms=load_ms,
            memory=memory,
        )
        for spec in manifest.methods
    ]


def _teacher(manifest: Manifest) -> list[Candidate]:
    """The teacher's models in torch, for comparison: both trunks on a frame, and the fusion over a window."""
    import torch

    from core.models import Teacher
    from core.runs import read_teacher

    run = None if manifest.source.run is None else Path(manifest.source.run)
    if run is None or not (run / "teacher.json").is_file():
        return []
    torch.set_num_threads(THREADS)
    teacher: Teacher = read_teacher(run)[0]
    size = manifest.preprocess.size
    frame, depth = (
        torch.from_numpy(_random((1, 3, size, size), 0)),
        torch.from_numpy(_random((1, 1, size, size), 1)),
    )
    window = [torch.from_numpy(_random(tensor.shape, 2)) for tensor in manifest.method("classify").inputs[:2]]
    masks = [torch.ones(tensor.shape) for tensor in manifest.method("classify").inputs[2:]]

    @torch.inference_mode()
    def encode() -> object:
        return teacher.encode_rgb(frame), teacher.encode_depth(depth)

    @torch.inference_mode()
    def classify() -> object:
        return teacher.classify(*window, *masks)

    return [
        Candidate(
            artifact="teacher",
            method=method,
            sha256=None,
            runtime="torch",
            runtime_version=torch.__version__,
            delegate="eager",
            precision="fp32",
            call=call,
            cold_load_ms=None,
            memory=None,
        )
        for method, call in (("encode", encode), ("classify", classify))
    ]


def _caller(runtime: Runtime, spec: MethodSpec) -> Callable[[], object]:
    inputs = [_input(tensor.shape, tensor.range, place) for place, tensor in enumerate(spec.inputs)]
    return lambda: runtime.run(spec.name, *inputs)


def _input(shape: tuple[int, ...], span: tuple[float, float] | None, seed: int) -> Array:
    """Pixels and embeddings are random; masks (0 to 1) are all valid."""
    if span == (0.0, 1.0):
        return np.ones(shape, np.float32)
    return _random(shape, seed)


def _random(shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng(seed).uniform(0, 255 if len(shape) == 4 else 1, shape).astype(np.float32)


def _timed(load: Callable[[], Loaded]) -> tuple[Loaded, float]:
    started = time.perf_counter()
    loaded = load()
    return loaded, (time.perf_counter() - started) * 1000.0
