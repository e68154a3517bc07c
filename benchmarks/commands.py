"""`python -m benchmarks`: measure the artefacts of a folder on this machine, beside the anchor."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.results import RESULTS, Results, read_results
from core.command_line import page, progress, say
from core.errors import InputError
from core.manifest import Manifest, open_artifacts

DEVICES = ("host",)


@dataclass(frozen=True, kw_only=True)
class Run:
    """Measure latency and memory of every artefact of a folder that can be executed here."""

    artifact: Path = Path("artifacts/demo")
    """A folder that `python -m export` wrote."""
    device: str = "host"
    """host: this machine, through the Python runtimes."""
    quick: bool = False
    """A second for each row instead of ten; the rows are marked invalid."""
    out: Path | None = None
    """Folder of the report; reports/NAME if not given."""

    def execute(self) -> int:
        """See `benchmarks.host`."""
        if self.device not in DEVICES:
            raise InputError(f"--device {self.device}: allowed is {', '.join(DEVICES)}")
        manifest = open_artifacts(self.artifact)
        from benchmarks.host import machine, measure_host
        from core.runs import write_json

        before = machine()
        results = Results(
            name=manifest.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=before,
            rows=tuple(measure_host(self.artifact, manifest, quick=self.quick)),
        )
        folder = self.out or _report_folder(self.artifact)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RESULTS, results)
        console = page()
        from benchmarks.tables import comparison_table, latency_table

        console.print(latency_table(results))
        console.print(comparison_table(manifest, results))
        say(f"report: {folder / RESULTS}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Print teacher against student from what was measured last, and where everything is."""

    artifact: Path = Path("artifacts/demo")

    def execute(self) -> int:
        """See `benchmarks.tables`."""
        from benchmarks.tables import comparison_table

        manifest = open_artifacts(self.artifact)
        report = _report_folder(self.artifact)
        console = page()
        console.print(comparison_table(manifest, read_results(report / RESULTS)))
        for title, path in _places(self.artifact, manifest, report):
            console.print(f"{title:<10}{path}", highlight=False)
        return 0


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Compare preparation with the reference's way, every frame decoded and searched by dlib, on the same videos."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """A folder of videos, labelled or not."""
    memory: bool = False
    """Prepare ten copies of the corpus as well, to see that memory stays flat."""
    json: bool = False
    """Print one JSON document on stdout and nothing else."""

    def execute(self) -> int:
        """See `benchmarks.preparation`."""
        from benchmarks.host import machine
        from benchmarks.preparation import measure_preparation
        from benchmarks.tables import preparation_table

        with progress(f"preparation {self.corpus}") as report:
            measured = measure_preparation(self.corpus, machine=machine(), memory=self.memory, on_progress=report)
        if self.json:
            print(measured.model_dump_json(indent=2))
        else:
            page().print(preparation_table(measured))
        return 0


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """How far verdicts depend on whose face boxes they are: dlib's, or those of a phone's detectors."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """A corpus; its test side is judged."""
    artifact: Path = Path("artifacts/demo")
    """A folder that `python -m export` wrote."""
    json: bool = False
    """Print one JSON document on stdout and nothing else."""

    def execute(self) -> int:
        """See `benchmarks.boxes`."""
        from core.corpus import read_corpus
        from core.manifest import open_to_judge
        from core.runtimes import open_runtime, preferred_artifact

        manifest = open_to_judge(self.artifact, allow_untrained=False)
        row = preferred_artifact(manifest)
        corpus = read_corpus(self.corpus, undivided=True)
        entries = [entry for entry in corpus.entries if entry.split == "test"]
        if not entries:
            raise InputError(f"{self.corpus}: no video on its test side; give a corpus that has one")
        runtime = open_runtime(self.artifact, row)
        from benchmarks.boxes import measure_boxes
        from benchmarks.tables import boxes_table

        with progress(f"boxes {self.corpus}") as report:
            measured = measure_boxes(self.corpus, entries, runtime, manifest, on_progress=report)
        if self.json:
            print(measured.model_dump_json(indent=2))
        else:
            page().print(boxes_table(measured))
        return 0


def _report_folder(artifact: Path) -> Path:
    return Path("reports") / artifact.name


def _places(folder: Path, manifest: Manifest, report: Path) -> list[tuple[str, Path]]:
    places = [("artefacts", folder), ("report", report / RESULTS)]
    if manifest.source.run is not None:
        places.insert(0, ("run", Path(manifest.source.run)))
    return places
