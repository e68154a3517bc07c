"""Rows and documents of a made-up run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.build import build_runner
from benchmarks.judgement import judged
from benchmarks.reference_result import Reference, Stage
from benchmarks.results import Machine, Results
from benchmarks.row import Agreement, Latency, Memory, Rounds, Row, Sustained
from benchmarks.subject import Figures, Measured, Subject
from benchmarks.targets import read_targets
from core.errors import InputError
from core.manifest import Manifest
from tests.benchmarks.tiny import lowered, write_artifact

MACHINE = Machine(cpu="a processor", cores=4, os="an os", python="3.11", governor=None, load_average=(0.5, 0.5, 0.5))
ANCHOR_MS = 4.0
ROUNDS = 40


def row(artifact: str, method: str, p50: float, *, valid: bool = True, noisy: bool = False) -> Row:
    """A measured row with that median, in ms; the anchor's is 4 ms."""
    return Row(
        artifact=artifact,
        method=method,
        sha256=None,
        device="host",
        os="an os",
        runtime="executorch",
        runtime_version="1",
        delegate="xnnpack",
        precision="fp32",
        threads=2,
        iterations=1024,
        warm_up=2,
        seconds=10.0,
        latency_ms=Latency(p50=p50, p90=p50 * 1.5, p99=p50 * 2, min=p50 / 2, mean=p50),
        ratio_to_anchor=p50 / ANCHOR_MS,
        cold_load_ms=12.0,
        peak_rss_bytes=34_000_000,
        memory=None,
        valid=valid,
        noisy=noisy,
    )


def timed(artifact: str, method: str, p50: float, *, seed: int = 0, scatter: float = 0.01) -> Row:
    """As `row`, with all that a measurement fills: rounds whose pace drifts with the anchor's, and memory by part."""
    generator = np.random.default_rng(seed)
    pace = np.exp(np.cumsum(generator.normal(0, 0.02, ROUNDS)))
    own, anchor = (pace * np.exp(generator.normal(0, scatter, ROUNDS)) for _ in range(2))
    scattered = np.exp(generator.normal(0, 0.05, 201))
    calls = p50 * scattered / np.median(scattered)
    memory = Memory(
        before_load=80_000_000,
        after_load=96_000_000,
        peak=114_000_000,
        weights_bytes=5_000_000,
        missing={"arena_bytes": "the runtime does not tell"},
    )
    figures = {
        "latency_ms": Latency.of(calls.tolist()),
        "rounds": Rounds(row_ms=tuple(p50 * own), anchor_ms=tuple(ANCHOR_MS * anchor)),
        "sustained": Sustained(first_decile_ms=p50, last_decile_ms=p50 * 1.02, ratio=1.02),
        "first_call_ms": p50 * 3,
        "memory": memory,
    }
    return row(artifact, method, p50).model_copy(update=figures)


def artifact(path: str, target: str, precision: str, size_bytes: int, auc: float | None) -> Measured:
    """An artefact of the made-up folder."""
    return Measured(
        path=path,
        target=target,
        backend="xnnpack",
        precision=precision,
        sha256="0" * 64,
        size_bytes=size_bytes,
        auc=auc,
        agreement=None if auc is None else 1.0,
        verified="runtime",
    )


def subject(*, trained: bool = True) -> Subject:
    """Three artefacts, one of which no machine but a Mac can execute."""
    auc = 0.951 if trained else None
    return Subject(
        trained=trained,
        recipe="faceforensics",
        code_version="1",
        weights_sha256="0" * 64,
        size=224,
        hop=10,
        frame_rate=10.0,
        preferred="student_int8.pte",
        teacher=Figures(auc=0.987, frame_auc=0.876, size_bytes=43_000_000) if trained else None,
        student=Figures(auc=0.954, frame_auc=0.843, size_bytes=21_000_000) if trained else None,
        artifacts=(
            artifact("student_fp16.mlpackage", "coreml", "fp16", 11_000_000, auc),
            artifact("student_fp32.pte", "executorch", "fp32", 21_600_000, auc),
            artifact("student_int8.pte", "executorch", "int8", 5_460_000, None if auc is None else 0.948),
        ),
    )


def stage(mean: float) -> Stage:
    """A stage with that mean, in ms a frame."""
    return Stage.of([mean * (0.7 + 0.01 * frame) for frame in range(61)])


def reference() -> Reference:
    """A reference that costs 64 times the student."""
    return Reference(
        video="talk.mp4",
        frame_size=(640, 480),
        threads=2,
        weights="random weights, true architectures",
        student="student_int8.pte",
        pipelines={
            "reference": "reference, torch",
            "reference_onnx": "reference, ONNX Runtime",
            "student": "student, streaming",
        },
        stages_ms={
            "reference": {
                "decode": stage(4.0),
                "face": stage(27.0),
                "depth": stage(700.0),
                "encode": stage(76.0),
                "classify": stage(25.0),
            },
            "reference_onnx": {
                "decode": stage(4.0),
                "face": stage(27.0),
                "depth": stage(520.0),
                "encode": stage(18.0),
                "classify": stage(19.0),
            },
            "student": {"decode": stage(4.0), "face": stage(4.9), "encode": stage(4.0), "classify": stage(0.1)},
        },
        model_stages={
            "reference": ("depth", "encode", "classify"),
            "reference_onnx": ("depth", "encode", "classify"),
            "student": ("encode", "classify"),
        },
        valid=True,
        reference_ms_per_frame=832.0,
        student_ms_per_frame=13.0,
        ratio=64.0,
        ratio_interval=(61.0, 67.0),
        reference_model_ms_per_frame=801.0,
        student_model_ms_per_frame=4.1,
        model_ratio=195.4,
        model_ratio_interval=(190.0, 201.0),
        onnx_ratio=45.2,
        onnx_model_ratio=135.9,
        notes=("Both ran in turns.",),
    )


def emulated(path: str, method: str) -> Row:
    """A row of the arm64 build under emulation."""
    agreement = Agreement(vectors=8, cosine=1.0, max_abs=1e-5, verdicts_equal=8, holds=True, rule="verdicts equal")
    fields = {
        "device": "arm64",
        "kind": "emulated",
        "latency_ms": None,
        "ratio_to_anchor": None,
        "cold_load_ms": None,
        "peak_rss_bytes": None,
        "iterations": 8,
        "valid": False,
        "agreement": agreement,
        "missing": {"latency_ms": "emulated: times mean nothing"},
    }
    return row(path, method, 1.0).model_copy(update=fields)


def rows() -> tuple[Row, ...]:
    """The anchor, the teacher and two artefacts, each with both methods."""
    medians = {"teacher": (76.0, 24.0), "student_fp32.pte": (4.2, 0.13), "student_int8.pte": (1.6, 0.12)}
    methods = ("encode", "classify")
    # All rows of a run share their rounds' anchor.
    anchor = timed("anchor", "forward", ANCHOR_MS)
    anchored = anchor.rounds
    assert anchored is not None
    found = [anchor.model_copy(update={"rounds": Rounds(row_ms=anchored.anchor_ms, anchor_ms=anchored.anchor_ms)})]
    for name, times in medians.items():
        for method, ms in zip(methods, times, strict=True):
            one = timed(name, method, ms)
            sha = {"sha256": None if name == "teacher" else "0" * 64}
            found.append(one.model_copy(update=sha))
    return tuple(found)


def document(extra: Sequence[Row] = (), **changes: object) -> Results:
    """A whole run, judged."""
    results = Results(
        name="demo",
        created="2026-01-01T00:00:00+00:00",
        command="python -m benchmarks --artifact artifacts/demo",
        machine=MACHINE,
        versions={"megatron-mobile": "0.1.0", "torch": "2.14.1"},
        rows=(*rows(), *extra),
        subject=subject(),
        reference=reference(),
    )
    return judged(results.model_copy(update=changes), read_targets())


@pytest.fixture(scope="session")
def runner() -> Path:
    """The native runner for this machine, built if it is not yet."""
    try:
        return build_runner("host")
    except InputError as error:
        pytest.skip(f"the native runner cannot be built here: {error}")


@pytest.fixture(scope="session")
def tiny_program() -> bytes:
    """A `.pte` of two methods."""
    return lowered()


@pytest.fixture
def tiny_artifact(tiny_program: bytes, tmp_path: Path) -> tuple[Path, Manifest]:
    """A folder with that program, its golden vectors and its manifest."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    return folder, write_artifact(folder, tiny_program)
