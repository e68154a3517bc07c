"""Measuring on this machine: which rows come of a folder, and what they say. Times themselves prove nothing here."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import candidates, host, trunk
from benchmarks.candidates import Candidate, Native, Program
from benchmarks.cases import cases_of
from benchmarks.host import executable, measure_together
from benchmarks.kept_programs import kept_program
from benchmarks.row import Memory
from core.errors import InputError
from core.manifest import Manifest
from core.models import StudentConfig
from tests.benchmarks.tiny import PROGRAM, write_artifact

ELSEWHERE = Memory(before_load=1, after_load=2, peak=3, arena_bytes=1, weights_bytes=1)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch, runner: Path, tiny_artifact: tuple[Path, Manifest]) -> None:
    """A few calls of each candidate, and the tiny program in the anchor's place."""
    folder, manifest = tiny_artifact

    def anchor(native: Native) -> Candidate:
        program = Program(path=folder / PROGRAM, artifact="anchor", sha256=None, delegate="xnnpack", precision="fp32")
        own = Native(binary=runner, absence=None, processes=native.processes)
        return own.candidate(program, "classify", cases_of(folder, manifest, "classify"))

    # A process of its own for each, whose work test_memory shows.
    monkeypatch.setattr(candidates, "memory_of", lambda folder, path: ELSEWHERE)
    monkeypatch.setattr(host, "anchor_candidate", anchor)
    monkeypatch.setattr(host, "QUICK_CALLS", 20)
    monkeypatch.setattr(host, "QUICK_SECONDS", 0.01)


def test_the_native_runner_comes_first_and_pythons_beside_it(
    brief: None, runner: Path, tiny_artifact: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "build_runner", lambda architecture: runner)

    (rows,) = measure_together(tiny_artifact, (), quick=True)

    assert [(row.artifact, row.method, row.runtime) for row in rows] == [
        ("anchor", "classify", "executorch"),
        (PROGRAM, "encode", "executorch"),
        (PROGRAM, "classify", "executorch"),
        (PROGRAM, "stream", "executorch"),
        (PROGRAM, "encode", "executorch-python"),
        (PROGRAM, "classify", "executorch-python"),
    ]
    assert rows[0].ratio_to_anchor == 1.0
    for row in rows:
        assert row.iterations >= 20
        assert row.rounds is not None
        assert row.ratio_to_anchor == pytest.approx(row.times.p50 / rows[0].times.p50)
        assert row.cold_load_ms is not None
        assert row.first_call_ms is not None
        assert not row.valid
        assert row.note is None
        assert row.memory is not None
        assert row.peak_rss_bytes == row.memory.added
    for row in rows[1:4]:
        assert row.sha256 == tiny_artifact[1].artifacts[0].sha256
        assert row.memory is not None
        assert row.memory.arena_bytes is not None


def test_without_a_compiler_the_python_runtime_stands_in_and_the_rows_say_so(
    brief: None,
    tiny_artifact: tuple[Path, Manifest],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(architecture: str) -> Path:
        raise InputError("no C++ compiler here")

    monkeypatch.setattr(host, "build_runner", refuse)

    (rows,) = measure_together(tiny_artifact, (), quick=True)

    assert [(row.method, row.runtime, row.note) for row in rows[1:]] == [
        (method, "executorch-python", "Python's runtime stands in for the native runner: no C++ compiler here")
        for method in ("encode", "classify")
    ]
    assert "native runner: no C++ compiler here; measuring with the Python runtime instead" in capsys.readouterr().err


def test_a_second_folder_is_measured_in_the_same_rounds(
    brief: None, runner: Path, tiny_artifact: tuple[Path, Manifest], tiny_program: bytes, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(host, "build_runner", lambda architecture: runner)
    (tmp_path / "other").mkdir()
    other = tmp_path / "other", write_artifact(tmp_path / "other", tiny_program)

    rows, others = measure_together(tiny_artifact, [other], quick=True)

    assert [(row.artifact, row.method, row.runtime) for row in others] == [
        (row.artifact, row.method, row.runtime) for row in rows[1:]
    ]
    for ours, theirs in zip(rows[1:], others, strict=True):
        assert ours.rounds is not None
        assert theirs.rounds is not None
        assert ours.rounds.anchor_ms == theirs.rounds.anchor_ms


@pytest.mark.parametrize("target", ["executorch", "coreml", "onnx"])
def test_what_was_only_built_is_never_opened(
    brief: None, runner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], target: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(host, "build_runner", lambda architecture: runner)
    folder = tmp_path / "built"
    folder.mkdir()
    # Opening these bytes would fail.
    manifest = write_artifact(folder, b"a program for another machine", verified="built")
    artifact = manifest.artifacts[0].model_copy(update={"target": target})

    (rows,) = measure_together((folder, manifest.model_copy(update={"artifacts": (artifact,)})), (), quick=True)

    assert [row.artifact for row in rows] == ["anchor"]
    assert f"{PROGRAM}: not measured, no runtime has executed it since it was built" in capsys.readouterr().err


def test_an_int8_encode_is_measured_beside_its_trunk_alone(
    runner: Path, tiny_artifact: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder, manifest = tiny_artifact
    frame = torch.zeros(manifest.method("encode").inputs[0].shape)
    int8 = manifest.artifacts[0].model_copy(update={"precision": "int8"})
    asked: list[str] = []

    def kept(name: str, module: object) -> Path:
        asked.append(name)
        return kept_program("tiny", lambda: (nn.Conv2d(3, 4, 3).eval(), frame))

    monkeypatch.setattr(trunk, "kept_program", kept)
    with ExitStack() as processes:
        native = Native(binary=runner, absence=None, processes=processes)
        (alone,) = candidates.of_trunk(
            folder, manifest.model_copy(update={"artifacts": (int8,)}), StudentConfig(), native
        )

        assert (alone.artifact, alone.method, alone.precision) == ("trunk", "forward", "int8")
        assert len(alone.timed.turn(2, 0.0).calls_ms) >= 2
        assert list(candidates.of_trunk(folder, manifest, StudentConfig(), native)) == []
    size = manifest.preprocess.size
    looks = hashlib.sha256(StudentConfig().looks_key.encode()).hexdigest()[:8]
    assert asked == [f"trunk-int8-repvit_m0_9-views1-{looks}-{size}px"]


def test_a_student_that_looks_twice_is_held_against_a_trunk_that_does() -> None:
    module, frame = trunk.embedding_program(StudentConfig(trunk="repvit_m0_6", views=2), 64)

    assert module(frame).shape == (1, 320)
    first = next(node for node in module.graph.nodes if "conv2d" in str(node.target))  # type: ignore[union-attr]
    assert first.meta["val"].shape[0] == 2


def test_core_ml_is_measured_on_macos_alone(
    tiny_artifact: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tiny_artifact[1].artifacts[0].model_copy(update={"target": "coreml", "verified": "reference"})

    monkeypatch.setattr("sys.platform", "linux")
    assert executable(package) == "this machine cannot execute coreml"
    monkeypatch.setattr("sys.platform", "darwin")
    assert executable(package) is None


def test_no_runner_outlives_its_measurement(runner: Path, tiny_artifact: tuple[Path, Manifest]) -> None:
    folder, manifest = tiny_artifact
    program = Program(path=folder / PROGRAM, artifact=PROGRAM, sha256=None, delegate="xnnpack", precision="fp32")
    turn: Callable[[int, float], object]

    with ExitStack() as processes:
        native = Native(binary=runner, absence=None, processes=processes)
        turn = native.candidate(program, "encode", cases_of(folder, manifest, "encode")).timed.turn
        turn(1, 0.0)

    with pytest.raises(ValueError, match="closed file"):
        turn(1, 0.0)
