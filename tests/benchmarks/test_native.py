"""The native runner, on a program small enough to lower here: its answers, its stream, its one document."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.cases import Case, cases_of, write_cases
from benchmarks.measure import WARM_UP_CALLS
from benchmarks.native import STREAM, NativeProgram, Window
from core.decision import Decision
from core.detector import StreamingDetector
from core.errors import WorkError
from core.manifest import Manifest
from core.runtimes.executorch import ExecuTorchRuntime
from core.runtimes.torch import TorchRuntime
from tests.benchmarks.tiny import PROGRAM, SHAPES, SIZE, Tiny


def ran(runner: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([runner, *words], capture_output=True, text=True, check=False)


def told(runner: Path, *words: str) -> dict[str, Any]:
    """The document of a run that must succeed."""
    done = ran(runner, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("method", ["encode", "classify"])
def test_the_runner_gives_what_the_python_runtime_gives(
    runner: Path, tiny_artifact: tuple[Path, Manifest], method: str
) -> None:
    folder, manifest = tiny_artifact
    cases = cases_of(folder, manifest, method)
    runtime = ExecuTorchRuntime(folder / PROGRAM, [method])

    with NativeProgram(runner, folder / PROGRAM, method, cases, threads=2, outputs=True) as opened:
        outputs = opened.opening.outputs

    assert isinstance(outputs, dict)
    assert list(outputs) == [case.name for case in cases]
    for case in cases:
        wanted = runtime.run(method, *case.inputs)
        assert len(outputs[case.name]) == len(wanted)
        for values, output in zip(outputs[case.name], wanted, strict=True):
            np.testing.assert_allclose(np.asarray(values, np.float32), output.ravel(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 19, 20, 21, 47])
@pytest.mark.parametrize(("hop", "depth_valid"), [(3, True), (10, False), (20, True)])
def test_the_stream_closes_the_windows_of_the_streaming_detector(
    runner: Path, tiny_artifact: tuple[Path, Manifest], frames: int, hop: int, depth_valid: bool
) -> None:
    folder, manifest = tiny_artifact
    decision = Decision(hop=hop, min_coverage=0.6)
    generator = np.random.default_rng(frames)
    cases = []
    for number in range(frames):
        pixels = generator.uniform(0, 255, SHAPES["encode"][0]).astype(np.float32)
        # Long gaps, so that some windows are not decided.
        cases.append(Case(name=str(number), inputs=() if number % 16 > 8 else (pixels,)))
    detector = StreamingDetector(
        TorchRuntime(Tiny()), spec=manifest.preprocess, decision=decision, depth_trained=depth_valid
    )
    for number, case in enumerate(cases):
        outputs = TorchRuntime(Tiny()).run("encode", *case.inputs) if case.inputs else None
        detector.add(None if outputs is None else (outputs[0][0], outputs[1][0]), float(number))
    wanted = detector.finish().windows

    with NativeProgram(
        runner, folder / PROGRAM, STREAM, cases, threads=1, decision=decision, depth_valid=depth_valid, outputs=True
    ) as opened:
        windows = opened.opening.outputs

    assert isinstance(windows, tuple)
    for got, one in zip(windows, wanted, strict=True):
        assert isinstance(got, Window)
        assert (got.first, got.last) == (one.start_ms, one.end_ms)
        assert got.coverage == pytest.approx(one.coverage)
        assert got.logits == (None if one.logits is None else pytest.approx(one.logits, rel=1e-4, abs=1e-4))


def test_a_turn_has_its_least_calls_and_its_least_seconds(runner: Path, tiny_artifact: tuple[Path, Manifest]) -> None:
    folder, manifest = tiny_artifact
    with NativeProgram(runner, folder / PROGRAM, "encode", cases_of(folder, manifest, "encode"), threads=1) as opened:
        many, long = opened.turn(5000, 0.0), opened.turn(1, 0.02)

    assert len(many.calls_ms) == 5000
    assert sum(long.calls_ms) >= 20.0
    assert sum(long.calls_ms[:-1]) < 20.0
    assert min(many.calls_ms) > 0
    assert many.warm_up >= WARM_UP_CALLS


def test_memory_is_told_by_part_with_a_reason_for_what_is_not(
    runner: Path, tiny_artifact: tuple[Path, Manifest]
) -> None:
    document = told(runner, str(tiny_artifact[0] / PROGRAM), "--stream", "--calls", "40", "--seconds", "0")

    memory, missing = document["memory"], document["missing"]
    assert memory["peak"] >= memory["after_load"] >= memory["before_load"] > 0
    # At least the inputs of both methods lie in the planned arena.
    assert memory["arena_bytes"] >= 4 * sum(int(np.prod(shape)) for shapes in SHAPES.values() for shape in shapes)
    assert {name for name, size in memory.items() if size is None} == set(missing)
    assert all(missing.values())


def test_one_run_prints_one_document_with_every_latency(runner: Path, tiny_artifact: tuple[Path, Manifest]) -> None:
    program = str(tiny_artifact[0] / PROGRAM)
    words = ("--calls", "50", "--seconds", "0", "--warm-up", "3", "--threads", "1")

    method = told(runner, program, "--method", "classify", *words)
    stream = told(runner, program, "--stream", "--hop", "10", *words)

    assert method["method"] == "classify"
    assert (len(method["calls_ms"]), method["warm_up"], method["threads"]) == (50, 3, 1)
    assert method["cold_load_ms"] > 0
    assert method["first_call_ms"] > 0
    assert "outputs" not in method
    # One frame came first, three warmed up, so windows close at the 20th to the 50th of all: four in those counted.
    assert (len(stream["encode_ms"]), len(stream["classify_ms"])) == (50, 4)
    assert sum(stream["calls_ms"]) >= sum(stream["encode_ms"]) + sum(stream["classify_ms"])


def test_random_inputs_hang_on_the_seed_alone(runner: Path, tiny_artifact: tuple[Path, Manifest]) -> None:
    words = (str(tiny_artifact[0] / PROGRAM), "--method", "encode", "--calls", "0", "--seconds", "0", "--outputs")

    first, again, other = (told(runner, *words, "--seed", seed)["outputs"]["random"] for seed in ("7", "7", "8"))

    assert first == again
    assert first != other
    depth = np.asarray(first[2])
    assert depth.shape == ((SIZE // 4) ** 2,)
    assert 64 < depth.mean() < 192


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "no program given; type runner --help"),
        (("PROGRAM",), "give either --method NAME or --stream"),
        (("PROGRAM", "--method", "encode", "--stream"), "give either --method NAME or --stream"),
        (("PROGRAM", "--method", "locate"), "has no method locate; it has classify, encode"),
        (("PROGRAM", "--method", "encode", "--threads", "0"), "--threads 0: not a number that is allowed there"),
        (("PROGRAM", "--method", "encode", "--calls", "1.5"), "--calls 1.5: not a whole number"),
        (("PROGRAM", "--method", "encode", "--seconds"), "--seconds: lacks its value"),
        (("PROGRAM", "--method", "encode", "--fast"), "--fast: no such flag"),
        (("PROGRAM", "--method", "encode", "--cases", "nowhere.tsv"), "nowhere.tsv: cannot be read"),
        (("nowhere.pte", "--stream"), "nowhere.pte: not a program that this ExecuTorch can load"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    runner: Path, tiny_artifact: tuple[Path, Manifest], words: tuple[str, ...], complaint: str
) -> None:
    done = ran(runner, *(str(tiny_artifact[0] / PROGRAM) if word == "PROGRAM" else word for word in words))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_inputs_of_another_size_are_refused(runner: Path, tiny_artifact: tuple[Path, Manifest], tmp_path: Path) -> None:
    listed = write_cases([Case(name="small", inputs=(np.zeros(5, np.float32),))], tmp_path)

    done = ran(runner, str(tiny_artifact[0] / PROGRAM), "--method", "encode", "--cases", str(listed))

    assert done.returncode == 2
    assert "0.0.f32: holds 20 bytes, the program takes 3072 float32 values there" in done.stderr


def test_a_runner_that_fails_is_an_error_in_one_line(runner: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pte"
    broken.write_bytes(b"no program at all" * 100)
    case = Case(name="any", inputs=())

    with pytest.raises(WorkError, match=r"broken\.pte: encode: the native runner failed: .*not a program"):
        NativeProgram(runner, broken, "encode", [case], threads=1)


def test_a_runner_that_dies_is_an_error_in_one_line(tmp_path: Path) -> None:
    opening = {
        "program": "p", "method": "encode", "threads": 1, "architecture": "x86_64", "backends": [], "cases": 1,
        "cold_load_ms": 1.0, "first_call_ms": 1.0,
    }  # fmt: skip
    dying = tmp_path / "runner"
    dying.write_text(f"#!/bin/sh\necho '{json.dumps(opening)}'\necho 'out of memory' >&2\nexit 9\n")
    dying.chmod(0o755)

    opened = NativeProgram(dying, tmp_path / "p.pte", "encode", [Case(name="any", inputs=())], threads=1)

    with pytest.raises(WorkError, match=r"p\.pte: encode: the native runner failed: out of memory"):
        opened.turn(1, 0.0)
