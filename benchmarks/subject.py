"""What was measured: figures of the artefacts that the reports set beside their times."""

from pathlib import Path

from pydantic import Field

from benchmarks.document import Document
from core.manifest import Artifact, Manifest, size_of


class Figures(Document):
    """A torch model of the run, on held-out identities."""

    auc: float | None
    frame_auc: float | None
    size_bytes: int | None = Field(description="of its weights; null where the run is not at hand")


class Measured(Document):
    """An artefact of the folder, whether it could be executed here or not."""

    path: str
    target: str
    backend: str
    precision: str
    sha256: str
    size_bytes: int
    auc: float | None = Field(description="of the artefact itself, on the run's validation windows; null untrained")
    agreement: float | None = Field(description="share of windows on which it gives the torch student's verdict")
    verified: str


class Subject(Document):
    """The folder that was measured."""

    trained: bool
    recipe: str
    code_version: str
    weights_sha256: str
    size: int = Field(description="side of a frame as the student sees it, in pixels")
    hop: int = Field(description="frames between two windows: `classify` runs once in as many")
    frame_rate: float
    preferred: str | None
    teacher: Figures | None
    student: Figures | None
    artifacts: tuple[Measured, ...]


def subject_of(manifest: Manifest) -> Subject:
    """What `manifest`, and the run it names if that is at hand, say of the artefacts."""
    run = None if manifest.source.run is None else Path(manifest.source.run)
    return Subject(
        trained=manifest.trained,
        recipe=manifest.source.recipe,
        code_version=manifest.source.code_version,
        weights_sha256=manifest.source.weights_sha256,
        size=manifest.preprocess.size,
        hop=manifest.decision.hop,
        frame_rate=manifest.decision.frame_rate,
        preferred=manifest.preferred,
        teacher=_figures(manifest, "teacher", run),
        student=_figures(manifest, "student", run),
        artifacts=tuple(_measured(artifact) for artifact in manifest.artifacts),
    )


def _figures(manifest: Manifest, role: str, run: Path | None) -> Figures | None:
    if manifest.metrics is None:
        return None
    figures = manifest.metrics.get(role, {}).get("test", {})
    weights = None if run is None else run / f"{role}.safetensors"
    return Figures(
        auc=figures.get("auc"),
        frame_auc=figures.get("frame_auc"),
        size_bytes=size_of(weights) if weights is not None and weights.is_file() else None,
    )


def _measured(artifact: Artifact) -> Measured:
    accuracy = artifact.accuracy
    return Measured(
        path=artifact.path,
        target=artifact.target,
        backend=artifact.backend,
        precision=artifact.precision,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        auc=None if accuracy is None else accuracy.auc,
        agreement=None if accuracy is None else accuracy.agreement,
        verified=artifact.verified,
    )
