"""`python -m benchmarks`: measure the artefacts of a folder on this machine, beside the anchor."""

import os
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.comparison import refuse_other_cpu
from benchmarks.detail_sheets import agreement_sheet, ratio_sheet, stage_sheet
from benchmarks.gate import shipped
from benchmarks.judgement import against, judged
from benchmarks.reference_result import Reference
from benchmarks.results import RESULTS, Results, read_results
from benchmarks.row import Row
from benchmarks.sheets import comparison_sheet, latency_sheet
from benchmarks.subject import Subject, subject_of
from benchmarks.tables import table
from benchmarks.targets import Targets, read_targets
from benchmarks.verdict_sheets import baseline_sheet, budget_sheet
from benchmarks.versions import installed_versions
from benchmarks.wording import shortfalls
from core.command_line import page, progress, say
from core.errors import InputError, WorkError
from core.manifest import Manifest, open_artifacts

DEVICES = ("host", "arm64", "android")


@dataclass(frozen=True, kw_only=True)
class Run:
    """Measure latency and memory of every artefact of a folder that can be executed here."""

    video: Annotated[Path | None, tyro.conf.Positional] = None
    """The video of --reference; one of the demo corpus's held-out people if not given."""
    artifact: Path = Path("artifacts/demo")
    """A folder that `python -m export` wrote."""
    device: str = "host"
    """host: this machine. arm64: answers of the arm64 runner under qemu, without times. android: a phone over adb."""
    reference: bool = False
    """Also time the reference pipeline and the student's on the same video, stage by stage; a few minutes."""
    quick: bool = False
    """A second for each row instead of ten; the rows are marked invalid."""
    gate: bool = False
    """Exit with 3 where a row falls short of a budget of benchmarks/targets.toml, or of the baseline."""
    baseline: Path | None = None
    """What the rows are compared with, through ratios to the anchor: a results.json of the same CPU model, or another
    artefact folder, which is then measured in the same rounds."""
    out: Path | None = None
    """Folder of the report; reports/NAME if not given."""

    def execute(self) -> int:
        """See `benchmarks.host`, `benchmarks.gate` and `benchmarks.report`."""
        if self.device not in DEVICES:
            raise InputError(f"--device {self.device}: allowed is {', '.join(DEVICES)}")
        if self.video is not None and not self.reference:
            raise InputError(f"{self.video}: a video is for --reference alone; add it, or leave the video out")
        if self.device != "host" and (self.reference or self.baseline is not None):
            raise InputError(f"--device {self.device}: --reference and --baseline are for this machine; leave them out")
        if self.device == "arm64" and self.gate:
            raise InputError("--device arm64: an emulator's times meet no budget; --gate is for host and android")
        # Before torch is loaded: on a busy machine its waiting threads would take the cores from those that work, and
        # make it look many times slower than it is.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        manifest = open_artifacts(self.artifact)
        from benchmarks.host import machine, measure_together
        from benchmarks.report import HTML, refuse_unrenderable, write_report

        # What can be refused is refused before the minutes of measuring.
        refuse_unrenderable()
        targets, before, subject = read_targets(), machine(), subject_of(manifest)
        baseline = None if self.baseline is None else _opened_baseline(self.baseline, before.cpu)
        if self.gate and baseline is None:
            _refuse_empty_gate(self.artifact, subject, targets)
        reference = self._reference(manifest) if self.reference else None
        folders = [] if self.baseline is None or not isinstance(baseline, Manifest) else [(self.baseline, baseline)]
        if self.device == "host":
            rows, *others = measure_together((self.artifact, manifest), folders, quick=self.quick)
        else:
            rows, others = _elsewhere(self.device, self.artifact, manifest, quick=self.quick), []
        results = Results(
            name=manifest.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=self._command(),
            quick=self.quick,
            machine=before.model_copy(update={"load_average_after": os.getloadavg()}),
            versions=installed_versions(),
            rows=tuple(rows),
            subject=subject,
            reference=reference,
        )
        results = judged(results, targets)
        if isinstance(baseline, Results):
            named = f"{self.baseline}, measured {baseline.created}"
            results = against(results, baseline.rows, named=named, stored=True)
        elif others:
            results = against(results, tuple(others[0]), named=f"{self.baseline}, in the same rounds", stored=False)
        folder = self.out or _report_folder(self.artifact, self.device)
        write_report(folder, results, targets)
        sheets = [latency_sheet(results), comparison_sheet(subject, results), budget_sheet(results, targets, here=True)]
        sheets += [] if reference is None else [stage_sheet(reference), ratio_sheet(reference)]
        sheets += [baseline_sheet(results)] if results.baseline_checks else []
        sheets += [agreement_sheet(results)] if self.device == "arm64" else []
        console = page()
        for sheet in sheets:
            console.print(table(sheet))
        say(f"report: {folder / HTML}")
        unlike = [
            f"{row.artifact} {row.method}" for row in rows if row.agreement is not None and not row.agreement.holds
        ]
        if unlike:
            raise WorkError(f"--device {self.device}: other outputs than on this machine: {', '.join(unlike)}")
        lines = shortfalls(results) if self.gate else []
        for line in lines:
            say(line)
        return 3 if lines else 0

    def _reference(self, manifest: Manifest) -> Reference:
        from benchmarks.reference import measure_reference, reference_video

        video = reference_video(self.video)
        with progress(f"reference {video}") as report:
            return measure_reference(video, self.artifact, manifest, quick=self.quick, on_progress=report)

    def _command(self) -> str:
        words = ["python", "-m", "benchmarks", "--artifact", str(self.artifact), "--device", self.device]
        words += ["--reference"] if self.reference else []
        words += [] if self.video is None else [str(self.video)]
        words += ["--quick"] if self.quick else []
        words += ["--gate"] if self.gate else []
        words += [] if self.baseline is None else ["--baseline", str(self.baseline)]
        return shlex.join(words)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Print teacher against student from what was measured last, and where everything is."""

    artifact: Path = Path("artifacts/demo")

    def execute(self) -> int:
        """See `benchmarks.sheets`."""
        manifest = open_artifacts(self.artifact)
        report = _report_folder(self.artifact)
        console = page()
        console.print(table(comparison_sheet(subject_of(manifest), read_results(report / RESULTS))))
        for title, path in _places(self.artifact, manifest, report):
            console.print(f"{title:<10}{path}", highlight=False)
        return 0


def _opened_baseline(place: Path, cpu: str) -> Results | Manifest:
    """Stored results of the same CPU model, or the manifest of another artefact folder."""
    if place.is_dir():
        return open_artifacts(place)
    stored = read_results(place)
    refuse_other_cpu(f"--baseline {place}", stored, cpu, advice="measure the baseline on this machine first")
    return stored


def _refuse_empty_gate(folder: Path, subject: Subject, targets: Targets) -> None:
    if all(shipped(subject, target) is None for target in targets.targets):
        raise InputError(
            f"--gate: {folder} holds no artefact that benchmarks/targets.toml has a budget for; "
            "export one with --target executorch --precision int8, or give a --baseline"
        )


def _elsewhere(device: str, folder: Path, manifest: Manifest, *, quick: bool) -> list[Row]:
    if device == "arm64":
        from benchmarks.arm64 import check_arm64

        return check_arm64(folder, manifest)
    from benchmarks.android import measure_android

    return measure_android(folder, manifest, quick=quick)


def _report_folder(artifact: Path, device: str = "host") -> Path:
    """Each device has its own, so that none takes the place of another's figures."""
    return Path("reports") / (artifact.name if device == "host" else f"{artifact.name}-{device}")


def _places(folder: Path, manifest: Manifest, report: Path) -> list[tuple[str, Path]]:
    places = [("artefacts", folder), ("report", report / RESULTS)]
    if manifest.source.run is not None:
        places.insert(0, ("run", Path(manifest.source.run)))
    return places
