"""`python -m benchmarks preparation | boxes`: what is measured over a corpus and not of an artefact's speed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.tables import boxes_table, preparation_table
from core.command_line import page, progress
from core.errors import InputError


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

        with progress(f"boxes {self.corpus}") as report:
            measured = measure_boxes(self.corpus, entries, runtime, manifest, on_progress=report)
        if self.json:
            print(measured.model_dump_json(indent=2))
        else:
            page().print(boxes_table(measured))
        return 0
