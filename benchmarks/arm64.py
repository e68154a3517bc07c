"""The arm64 build of the native runner under qemu: whether phones' kernels give the host's answers. Never how fast.

Every golden vector is run once by the arm64 runner, and by the Python runtime on this machine.
"""

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.agreement import Answers, agreement_of, logits_of_faces
from benchmarks.build import build_runner
from benchmarks.candidates import NATIVE
from benchmarks.cases import Case, cases_of, frames_of, golden_of
from benchmarks.native import STREAM, NativeProgram, Window
from benchmarks.row import Agreement, Row
from benchmarks.versions import executorch_version
from core.command_line import progress
from core.detector import StreamingDetector
from core.errors import InputError, WorkError
from core.golden import Golden
from core.manifest import Artifact, Manifest
from core.runtimes import Array, Runtime, open_runtime

DEVICE = "arm64"
EMULATORS = ("qemu-aarch64", "qemu-aarch64-static")
SYSROOT = Path("/usr/aarch64-linux-gnu")
"""Where Debian puts the C and C++ libraries of the cross compiler; QEMU_LD_PREFIX names another place."""

PROCESSOR = "cortex-a76"
"""A phone's core, with dot products and half floats: `max` would choose kernels for vectors that no phone has."""

THREADS = 1
"""Emulated threads would wait for each other by spinning, on cores that the emulator needs."""

UNTIMED = "emulated: what it took is the emulator's time"


def emulator() -> list[str]:
    """The words before an arm64 command. InputError where this machine lacks something for it."""
    if platform.machine() in ("aarch64", "arm64"):
        raise InputError("--device arm64: this machine is one itself; measure it with --device host")
    found = next((place for name in EMULATORS if (place := shutil.which(name)) is not None), None)
    if found is None:
        raise InputError(f"--device arm64: no {EMULATORS[0]} here; install the package qemu-user")
    libraries = Path(os.environ.get("QEMU_LD_PREFIX") or SYSROOT)
    if not (libraries / "lib" / "ld-linux-aarch64.so.1").exists():
        raise InputError(
            f"--device arm64: no arm64 libraries in {libraries}; install the package g++-aarch64-linux-gnu, "
            "or name their folder in QEMU_LD_PREFIX"
        )
    return [found, "-L", str(libraries), "-cpu", PROCESSOR]


def check_arm64(folder: Path, manifest: Manifest) -> list[Row]:
    """Rows of every ExecuTorch artefact that was executed since it was built: its methods, and the stream of int8 ones.

    A float32 program's stream is left out: dozens of frames at ten seconds and more each, by methods that are compared
    all the same. InputError where a tool is missing, or the folder has no such artefact or no golden vectors.
    """
    before = emulator()
    golden = golden_of(folder, manifest)
    if golden is None:
        raise InputError(f"{folder}: no golden vectors to compare on; export it again")
    artifacts = [row for row in manifest.artifacts if row.target == "executorch" and row.verified != "built"]
    if not artifacts:
        raise InputError(f"{folder}: no executorch artefact; type `python -m export --target executorch`")
    runner = build_runner("arm64")
    rows: list[Row] = []
    with progress("arm64") as report:
        steps = [(artifact, method) for artifact in artifacts for method in _methods(artifact)]
        for done, (artifact, method) in enumerate(steps):
            report(done, len(steps), f"{artifact.path} {method}")
            comparison = _Comparison(folder, manifest, artifact, golden, runner, before)
            found = comparison.stream() if method == STREAM else comparison.method(method)
            rows.append(_row(artifact, method, found))
        report(len(steps), len(steps), "")
    return rows


def _methods(artifact: Artifact) -> tuple[str, ...]:
    return (*artifact.methods, STREAM) if artifact.precision == "int8" else artifact.methods


class _Comparison:
    """One artefact on both sides."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        artifact: Artifact,
        golden: tuple[Path, Golden],
        runner: Path,
        emulator: Sequence[str],
    ) -> None:
        self._folder, self._manifest, self._artifact = folder, manifest, artifact
        self._golden, self._runner, self._emulator = golden, runner, emulator
        self._host: Runtime = open_runtime(folder, artifact, threads=THREADS)

    def method(self, method: str) -> Agreement:
        """Every golden input of `method`."""
        cases = cases_of(self._folder, self._manifest, method)
        told = self._told(method, cases)
        if not isinstance(told, dict) or set(told) != {case.name for case in cases}:
            raise WorkError(f"{self._artifact.path}: {method}: the arm64 runner left golden vectors out")
        host: Answers = [[output.copy() for output in self._host.run(method, *case.inputs)] for case in cases]
        # A value that is no number comes as null, and equals nothing.
        guest: Answers = [
            [
                np.asarray([np.nan if value is None else value for value in values], np.float32).reshape(output.shape)
                for values, output in zip(told[case.name], outputs, strict=True)
            ]
            for case, outputs in zip(cases, host, strict=True)
        ]
        host_logits, guest_logits = (self._logits(method, answers) for answers in (host, guest))
        return agreement_of(host, guest, host_logits, guest_logits, self._artifact.precision, self._manifest.decision)

    def stream(self) -> Agreement:
        """Every golden stream, from pixels to the windows that it closes."""
        place, document = self._golden
        host: list[Window] = []
        guest: list[Window] = []
        for stream in document.streams:
            frames = frames_of(place, stream, self._manifest)
            told = self._told(STREAM, frames)
            assert not isinstance(told, dict)
            guest += told
            host += self._windows(frames)
        if [window.logits is None for window in host] != [window.logits is None for window in guest]:
            raise WorkError(f"{self._artifact.path}: the arm64 runner decides other windows than this machine")
        sides: list[Answers] = [
            [[np.asarray(window.logits, np.float32)] for window in windows if window.logits is not None]
            for windows in (host, guest)
        ]
        logits = [[outputs[0] for outputs in side] for side in sides]
        return agreement_of(sides[0], sides[1], logits[0], logits[1], self._artifact.precision, self._manifest.decision)

    def _told(
        self, method: str, cases: Sequence[Case]
    ) -> dict[str, tuple[tuple[float | None, ...], ...]] | tuple[Window, ...]:
        with NativeProgram(
            self._runner,
            self._folder / self._artifact.path,
            method,
            cases,
            threads=THREADS,
            decision=self._manifest.decision,
            depth_valid=self._manifest.depth_trained,
            outputs=True,
            emulator=self._emulator,
        ) as opened:
            assert opened.opening.outputs is not None
            return opened.opening.outputs

    def _windows(self, frames: Sequence[Case]) -> list[Window]:
        """Of the streaming detector on this machine."""
        manifest = self._manifest
        detector = StreamingDetector(
            self._host, spec=manifest.preprocess, decision=manifest.decision, depth_trained=manifest.depth_trained
        )
        for number, frame in enumerate(frames):
            embeddings = None
            if frame.inputs:
                rgb, depth, *_ = self._host.run("encode", *frame.inputs)
                embeddings = rgb[0].copy(), depth[0].copy()
            detector.add(embeddings, float(number))
        return [
            Window(
                first=round(window.start_ms), last=round(window.end_ms), coverage=window.coverage, logits=window.logits
            )
            for window in detector.finish().windows
        ]

    def _logits(self, method: str, answers: Answers) -> list[Array]:
        if method == "classify":
            return [outputs[0].reshape(2) for outputs in answers]
        return logits_of_faces(self._host, self._manifest, answers)


def _row(artifact: Artifact, method: str, agreement: Agreement) -> Row:
    return Row(
        artifact=artifact.path,
        method=method,
        sha256=artifact.sha256,
        device=DEVICE,
        os=f"Linux, emulated by qemu as {PROCESSOR}",
        runtime=NATIVE,
        runtime_version=executorch_version(),
        delegate=artifact.backend,
        precision=artifact.precision,
        threads=THREADS,
        iterations=agreement.vectors,
        warm_up=0,
        seconds=0.0,
        latency_ms=None,
        ratio_to_anchor=None,
        cold_load_ms=None,
        peak_rss_bytes=None,
        memory=None,
        agreement=agreement,
        kind="emulated",
        valid=False,
        noisy=False,
        missing={
            "latency_ms": UNTIMED,
            "ratio_to_anchor": UNTIMED,
            "cold_load_ms": UNTIMED,
            "memory": "the emulator's own is not told apart",
        },
    )
