"""What is evaluated: the student of a run in torch, or the artefact that a phone would run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.decision import Decision
from core.manifest import open_to_judge
from core.preprocess import PreprocessSpec
from core.runtimes import Runtime, open_runtime, preferred_artifact

BATCH = 64
"""Frames, or windows, at a time where the runtime takes any number; an exported program takes one."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model, ready to judge."""

    kind: Literal["run", "artifact"]
    folder: Path
    program: str
    """The file that is executed, in the folder."""
    precision: str
    trained: bool
    run: Path | None
    """Folder of the run that the weights came from; None where nothing says."""
    weights_sha256: str
    runtime: Runtime
    batch: int
    spec: PreprocessSpec
    decision: Decision
    depth_trained: bool


def subject_of_run(folder: Path) -> Subject:
    """The student of a finished run. InputError where there is none."""
    import torch

    from core.runs import read_student
    from core.runtimes.torch import TorchRuntime

    student, document = read_student(folder)
    # The same embeddings in half the time.
    student.fuse()
    return Subject(
        kind="run",
        folder=folder,
        program="student.safetensors",
        precision="fp32",
        trained=True,
        run=folder,
        weights_sha256=document.weights_sha256,
        runtime=TorchRuntime(student.to(memory_format=torch.channels_last)),
        batch=BATCH,
        spec=document.preprocess,
        decision=document.decision,
        depth_trained=document.depth_trained,
    )


def subject_of_artifact(folder: Path, *, allow_untrained: bool = False) -> Subject:
    """The preferred artefact of a folder. InputError where it is none, is damaged, or has no meaning."""
    manifest = open_to_judge(folder, allow_untrained=allow_untrained)
    artifact = preferred_artifact(manifest)
    return Subject(
        kind="artifact",
        folder=folder,
        program=artifact.path,
        precision=artifact.precision,
        trained=manifest.trained,
        run=None if manifest.source.run is None else Path(manifest.source.run),
        weights_sha256=manifest.source.weights_sha256,
        runtime=open_runtime(folder, artifact),
        batch=1,
        spec=manifest.preprocess,
        decision=manifest.decision,
        depth_trained=manifest.depth_trained,
    )
