"""Answers of another machine against this one's: the arithmetic, and the comparison with runners played or real."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import arm64
from benchmarks.__main__ import COMMANDS
from benchmarks.agreement import agreement_of
from benchmarks.arm64 import check_arm64, emulator
from benchmarks.build import built_runner
from benchmarks.results import RESULTS, read_results
from benchmarks.row import Agreement
from core.command_line import run_command
from core.decision import Decision
from core.errors import InputError
from core.manifest import Manifest, Precision
from core.runtimes import Array
from tests.benchmarks.tiny import PROGRAM, write_artifact


def array(*values: float) -> Array:
    return np.asarray(values, np.float32)


REAL, FAKE = array(2.0, -2.0), array(-2.0, 2.0)


def of(host: Array, other: Array, ours: Array, theirs: Array, precision: Precision) -> Agreement:
    return agreement_of([[host]], [[other]], [ours], [theirs], precision, Decision())


def test_float32_must_point_the_same_way_and_judge_alike() -> None:
    # An angle of 0.01 has the cosine 0.99995, one of 0.02 has 0.9998.
    near, far = array(np.cos(0.01), np.sin(0.01)), array(np.cos(0.02), np.sin(0.02))

    assert of(array(1, 0), near, REAL, REAL, "fp32").holds
    assert not of(array(1, 0), far, REAL, REAL, "fp32").holds
    assert not of(array(1, 0), near, REAL, FAKE, "fp32").holds


def test_of_int8_the_verdicts_decide() -> None:
    apart = of(array(1, 0), array(0.9, 0.3), REAL, REAL, "int8")

    assert apart.holds
    assert apart.cosine == pytest.approx(0.9 / np.hypot(0.9, 0.3))
    assert apart.max_abs == pytest.approx(0.3)
    other = of(array(1, 0), array(1, 0), REAL, FAKE, "int8")
    assert (other.holds, other.verdicts_equal, other.vectors) == (False, 0, 1)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_what_is_no_number_agrees_with_nothing(precision: Precision) -> None:
    silent = array(np.nan, np.nan)

    found = of(array(1, 0), silent, silent, silent, precision)

    assert not found.holds
    assert found.verdicts_equal == 0
    assert found.cosine is None


def test_one_output_that_is_no_number_is_told_wherever_it_stands() -> None:
    host, other = [[array(1, 0), array(1, 0)]], [[array(1, 0), array(np.nan, 0)]]

    found = agreement_of(host, other, [REAL], [REAL], "fp32", Decision())

    assert (found.holds, found.cosine, found.max_abs) == (False, None, None)


def test_the_worst_of_all_outputs_is_told() -> None:
    host = [[array(1, 0), array(1, 0)], [array(1, 0)]]
    other = [[array(1, 0), array(3, 4)], [array(1, 0.5)]]

    found = agreement_of(host, other, [REAL, FAKE], [REAL, FAKE], "fp32", Decision())

    assert (found.vectors, found.verdicts_equal) == (2, 2)
    assert found.cosine == pytest.approx(0.6)
    assert found.max_abs == pytest.approx(4.0)


@pytest.fixture
def played(runner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the arm64 runner under its emulator: this machine's, whose outputs `factor` multiplies."""
    stand_in, factor = tmp_path / "runner", tmp_path / "factor"
    factor.write_text("1.0")
    stand_in.write_text(
        f"#!{sys.executable}\n"
        "import json, subprocess, sys\n"
        f"factor = float(open({str(factor)!r}).read())\n"
        f"done = subprocess.run([{str(runner)!r}, *sys.argv[1:]], input='', capture_output=True, text=True)\n"
        "opening, *rest = done.stdout.splitlines()\n"
        "told = json.loads(opening)\n"
        "if isinstance(told['outputs'], dict):\n"
        "    for name, outputs in told['outputs'].items():\n"
        "        outputs[0][0] *= factor\n"
        "print(json.dumps(told), *rest, sep='\\n')\n"
    )
    stand_in.chmod(0o755)
    monkeypatch.setattr(arm64, "emulator", list)
    monkeypatch.setattr(arm64, "build_runner", lambda architecture: stand_in)
    return factor


def test_every_golden_vector_is_compared_once_and_untimed(played: Path, tiny_artifact: tuple[Path, Manifest]) -> None:
    encode, classify = check_arm64(*tiny_artifact)

    for row, vectors in ((encode, 3), (classify, 2)):
        assert row.agreement is not None
        assert row.agreement.holds
        assert row.agreement.vectors == row.agreement.verdicts_equal == row.iterations == vectors
        assert row.agreement.cosine is not None
        assert row.agreement.cosine > 0.999999
        assert (row.device, row.kind, row.valid, row.latency_ms) == ("arm64", "emulated", False, None)
        assert set(row.missing) >= {"latency_ms", "ratio_to_anchor", "cold_load_ms", "memory"}


def test_of_an_int8_program_the_stream_is_compared_too(played: Path, tiny_program: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "int8"
    folder.mkdir()
    manifest = write_artifact(folder, tiny_program)
    artifact = manifest.artifacts[0].model_copy(update={"precision": "int8"})

    *_, stream = check_arm64(folder, manifest.model_copy(update={"artifacts": (artifact,)}))

    assert stream.method == "stream"
    assert stream.agreement is not None
    assert stream.agreement.holds
    # 25 frames, hop 3: windows at 20 and 23, and one that ends with the stream.
    assert stream.agreement.vectors == 3


def test_other_outputs_fail_the_command_and_are_in_its_report(
    played: Path, tiny_artifact: tuple[Path, Manifest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played.write_text("1.5")
    out = tmp_path / "report"

    code = run_command(
        COMMANDS, "benchmarks", ["run", "--artifact", str(tiny_artifact[0]), "--device", "arm64", "--out", str(out)]
    )

    assert code == 1
    assert f"--device arm64: other outputs than on this machine: {PROGRAM} encode" in capsys.readouterr().err
    encode = read_results(out / RESULTS).rows[0]
    assert encode.agreement is not None
    assert not encode.agreement.holds


@pytest.mark.parametrize(
    ("there", "complaint"),
    [(False, "no qemu-aarch64 here; install the package qemu-user"), (True, "no arm64 libraries in .*nowhere")],
)
def test_what_is_missing_for_emulation_is_named(
    there: bool, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("QEMU_LD_PREFIX", str(tmp_path / "nowhere"))
    if there:
        (tmp_path / "qemu-aarch64").write_text("#!/bin/sh\n")
        (tmp_path / "qemu-aarch64").chmod(0o755)

    with pytest.raises(InputError, match=complaint):
        emulator()


def test_what_was_only_built_is_not_compared(played: Path, tiny_program: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    folder.mkdir()

    with pytest.raises(InputError, match="no executorch artefact"):
        check_arm64(folder, write_artifact(folder, tiny_program, verified="built"))


def test_the_real_arm64_runner_gives_this_machines_answers(tiny_artifact: tuple[Path, Manifest]) -> None:
    try:
        emulator()
    except InputError as error:
        pytest.skip(str(error))
    if built_runner("arm64") is None:
        pytest.skip("the arm64 runner is not built; type `python -m benchmarks build-runner`")

    rows = check_arm64(*tiny_artifact)

    assert [(row.method, row.agreement is not None and row.agreement.holds) for row in rows] == [
        ("encode", True),
        ("classify", True),
    ]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--device", "arm64", "--gate"], "--device arm64: an emulator's times meet no budget"),
        (["--device", "arm64", "--baseline", "x"], "--device arm64: --reference and --baseline are for this machine"),
        (["--device", "android", "--reference"], "--device android: --reference and --baseline are for this machine"),
        (["--device", "ios"], "--device ios: allowed is host, arm64, android"),
    ],
)
def test_what_a_device_cannot_do_is_refused_before_anything_is_run(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(COMMANDS, "benchmarks", ["run", "--artifact", "nowhere", *words]) == 2
    assert complaint in capsys.readouterr().err
