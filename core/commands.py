"""`python -m core`: make the demo corpus, prepare a corpus, look at a store, judge videos."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from core.command_line import page, progress, say
from core.corpus import read_corpus
from core.detector import Detection
from core.errors import InputError
from core.faces import FaceSettings
from core.manifest import Manifest, open_to_judge
from core.prepare import Forged, PrepareSettings, prepare
from core.preprocess import PreprocessSpec
from core.store import ClipStore

DEMO_ARTIFACT = Path("artifacts/demo")
PREVIEW_SPEC = PreprocessSpec(size=128, margin=1.6)
"""Large enough to see by, with the margin of the recipe for real footage."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Generate the demo corpus: seeded synthetic people, real and forged, with exact depth."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Where to write it; an existing demo corpus with the same settings is reused."""
    seed: int = 0

    def execute(self) -> int:
        """See `core.demo`."""
        from core.demo import DemoSettings, make_demo_corpus

        with progress(f"demo corpus {self.folder}") as report:
            made = make_demo_corpus(self.folder, settings=DemoSettings(seed=self.seed), on_progress=report)
        say(f"{'made' if made else 'reusing'} the demo corpus in {self.folder} (seed {self.seed})")
        return 0


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Turn a corpus of videos into a store of face clips. Interrupted, it goes on where it stopped."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """FaceForensics++ as distributed, a folder with real/ and fake/ or a corpus.csv; with --forge any real videos."""
    store: Path
    """Folder of the store, new or begun with the same settings."""
    workers: int | None = None
    """Processes that decode and detect; all cores if not given."""
    methods: tuple[str, ...] = ()
    """Only fakes of these methods, such as Deepfakes; all that are there if not given."""
    compressions: tuple[str, ...] = ()
    """Only these of FaceForensics++'s raw, c23 and c40; all that are there if not given."""
    depth: str = "beside"
    """beside (NAME.depth/ at the video), none, hub (Depth Anything V2 Small), or the folder of such a model."""
    forge: bool = False
    """Make a self-blended and a swapped fake of every real video, for a corpus without fakes."""
    seed: int = 0
    """Of the split, where the corpus has none, and of the forgeries."""
    strict: bool = False
    """Exit with 1 if any video failed."""

    def execute(self) -> int:
        """See `core.prepare`."""
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers}: give 1 or more")
        corpus = read_corpus(
            self.corpus,
            real_only=self.forge,
            seed=self.seed,
            methods=self.methods,
            compressions=self.compressions,
        )
        forgeries: tuple[Forged, ...] = ("self_blend", "swap") if self.forge else ()
        settings = PrepareSettings(depth=self.depth, forgeries=forgeries, seed=self.seed)
        with progress(f"prepare {self.corpus}") as report:
            summary = prepare(corpus, self.store, settings, workers=self.workers, on_progress=report)
        say(summary.text(self.store))
        return 1 if self.strict and summary.failures else 0


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Write a page of examples from a store: frames, boxes, crops, depth, masks and every variant of a clip.

    The variants are those of recipe faceforensics; those of clips and demo are milder.
    """

    store: Annotated[Path, tyro.conf.Positional]
    """A store that `python -m core prepare` made."""
    out: Path
    """The HTML file to write."""
    clips: int = 2
    """Clips of each label and method."""

    def execute(self) -> int:
        """See `core.preview`."""
        if self.clips < 1:
            raise InputError(f"--clips {self.clips}: give 1 or more")
        from core.preview import write_preview

        with ClipStore.read(self.store) as store:
            write_preview(store, self.out, clips=self.clips, spec=PREVIEW_SPEC)
        say(f"page: {self.out}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Detect:
    """Judge videos with an exported student: real, fake or undecided."""

    videos: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """One or more video files."""
    artifact: Path = DEMO_ARTIFACT
    """A folder that `python -m export` wrote."""
    json: bool = False
    """Print one JSON document on stdout and nothing else."""
    all_faces: bool = False
    """Judge every face for itself, over the time that it is there, instead of the largest at any time."""
    allow_untrained: bool = False
    """Run a program whose weights were never trained: its answers mean nothing."""

    def execute(self) -> int:
        """See `core.detector`."""
        if not self.videos:
            raise InputError("no video given; type `python -m core detect VIDEO`")
        manifest = open_to_judge(self.artifact, allow_untrained=self.allow_untrained)
        for video in self.videos:
            if not video.is_file():
                raise InputError(f"{video}: no such file; give the path of a video")
        detections, refused = _detections(self, manifest)
        if self.json:
            print(json.dumps([_document(detection, manifest) for detection in detections], indent=2))
        elif detections:
            page().print(_table(detections, manifest.decision.threshold))
        for error in refused:
            say(f"error: {error}")
        return 2 if refused else 0


def _detections(command: Detect, manifest: Manifest) -> tuple[list[Detection], list[InputError]]:
    """A verdict on every video that can be read, and what is wrong with each of the others."""
    from core.detector import detect_video
    from core.runtimes import open_runtime, preferred_artifact

    runtime = open_runtime(command.artifact, preferred_artifact(manifest))
    detections, refused = [], []
    with progress("detect") as report:
        for done, video in enumerate(command.videos, start=1):
            try:
                found = detect_video(
                    video,
                    runtime,
                    spec=manifest.preprocess,
                    decision=manifest.decision,
                    depth_trained=manifest.depth_trained,
                    faces=FaceSettings(all_faces=command.all_faces),
                )
            except InputError as error:
                refused.append(error)
            else:
                detections += found
            report(done, len(command.videos))
    return detections, refused


def _document(detection: Detection, manifest: Manifest) -> dict[str, Any]:
    verdict, decision = detection.verdict, manifest.decision
    return {
        "video": str(detection.video),
        **({} if detection.face is None else {"face": detection.face}),
        "label": verdict.label,
        "fake_probability": verdict.fake_probability,
        "threshold": decision.threshold,
        "coverage": verdict.coverage,
        "frames": verdict.frames,
        "windows": [
            {
                "start_s": window.start_ms / 1000,
                "end_s": window.end_ms / 1000,
                "fake_probability": None if window.logits is None else decision.probability([window.logits]),
            }
            for window in verdict.windows
        ],
        "latency_ms": detection.latency_ms,
    }


def _table(detections: list[Detection], threshold: float) -> Table:
    table = Table("video", "verdict", "fake probability", "coverage", "frames", "decode", "face", "encode", "classify")
    table.caption = f"fake at or above {threshold:.3f}; the last four columns are ms per sampled frame"
    for column in table.columns[2:]:
        column.justify = "right"
    for detection in detections:
        verdict = detection.verdict
        probability = "-" if verdict.fake_probability is None else f"{verdict.fake_probability:.3f}"
        times = (f"{ms:.2f}" for ms in detection.latency_ms.values())
        table.add_row(
            str(detection.video) + ("" if detection.face is None else f", face {detection.face}"),
            verdict.label,
            probability,
            f"{verdict.coverage:.0%}",
            str(verdict.frames),
            *times,
        )
    return table
