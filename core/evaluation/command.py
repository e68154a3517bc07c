"""`python -m core evaluate`: how good a model is on a corpus, with figures that can be trusted."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from core.command_line import page, progress, say
from core.commands import DEMO_ARTIFACT
from core.errors import InputError
from core.pages import refuse_unwritable, write_page
from core.runtimes import missing_extra
from core.store import ClipStore


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Judge the videos of a corpus with a run's student or an exported artefact, and tell how well that went."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """As for `prepare`, one class and a single person are enough; or a store, which is taken as it is."""
    run: Path | None = None
    """A folder that `python -m distill` wrote: its student, in torch."""
    artifact: Path | None = None
    """A folder that `python -m export` wrote: its preferred program. artifacts/demo without this and --run."""
    split: str | None = None
    """test, val, train or all. Not given: test where the corpus gives a split, else all that the run has not seen."""
    perturb: bool = False
    """Add the robustness table: blur, noise, rescale, JPEG, H.264 and all of them, three strengths each."""
    forge: bool = False
    """Make a self-blended and a swapped fake of every real video, for a corpus without fakes."""
    methods: tuple[str, ...] = ()
    """Only fakes of these methods, such as Deepfakes; all that are there if not given."""
    compressions: tuple[str, ...] = ()
    """Only these of FaceForensics++'s raw, c23 and c40; all that are there if not given."""
    store: Path | None = None
    """Where the corpus is prepared; stores/evaluate-NAME if not given."""
    html: Path | None = None
    """Write a page with the ROC and reliability curves."""
    json: bool = False
    """Print one JSON document on stdout and nothing else."""
    workers: int | None = None
    """Processes that decode and detect; all cores if not given."""
    allow_untrained: bool = False
    """Run a program whose weights were never trained: its answers mean nothing."""

    def execute(self) -> int:
        """See `core.evaluation`."""
        if self.run is not None and self.artifact is not None:
            raise InputError(f"--run {self.run} and --artifact {self.artifact}: give one of the two")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers}: give 1 or more")
        if self.html is not None:
            refuse_unwritable("--html", self.html)
        _refuse_missing(with_page=self.html is not None)
        # Imported here: torch takes seconds, and wrong input should not wait for it.
        from core.evaluation.page import page_of
        from core.evaluation.tables import tables_of

        document = self._evaluated()
        if self.html is not None:
            write_page("--html", self.html, page_of(document))
        if self.json:
            print(json.dumps(document, indent=2))
        else:
            console = page()
            for table in tables_of(document):
                console.print(table)
        if self.html is not None:
            say(f"page: {self.html}")
        return 0

    def _evaluated(self) -> dict[str, Any]:
        from core.evaluation.data import Choice, chosen_records, gather, read_choice
        from core.evaluation.document import document_of
        from core.evaluation.leakage import left_out_of
        from core.evaluation.perturbations import PERTURBATIONS
        from core.evaluation.scoring import scored
        from core.evaluation.subject import subject_of_artifact, subject_of_run

        choice = Choice(
            corpus=self.corpus,
            store=self.store,
            split=self.split,
            forge=self.forge,
            methods=self.methods,
            compressions=self.compressions,
            workers=self.workers,
        )
        corpus = read_choice(choice)
        subject = (
            subject_of_artifact(self.artifact or DEMO_ARTIFACT, allow_untrained=self.allow_untrained)
            if self.run is None
            else subject_of_run(self.run)
        )
        gathered = gather(choice, corpus, subject)
        with ClipStore.read(gathered.store) as store:
            chosen = chosen_records(store, choice, gathered, subject.decision)
            left_out = left_out_of(chosen, subject, side=self.split)
            gone = left_out.keys
            records = [record for record in chosen if record.key not in gone]
            if not records:
                raise InputError(
                    f"{self.corpus}: {left_out.text()}, and nothing else is there to judge; give videos that the run "
                    "has not seen, or name what it has with --split train"
                )
            with progress(f"judge {self.corpus}") as report:
                ways = scored(store, records, subject, PERTURBATIONS if self.perturb else (), on_progress=report)
            return document_of(ways, subject=subject, choice=choice, gathered=gathered, store=store, left_out=left_out)


def _refuse_missing(*, with_page: bool) -> None:
    """InputError where a library is missing that would be asked for after the work."""
    try:
        import torchmetrics  # noqa: F401

        if with_page:
            import jinja2  # noqa: F401
    except ImportError as error:
        raise missing_extra("evaluate", error) from error
