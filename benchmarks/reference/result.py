"""From the times of every frame to what `results.json` says of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.document import Interval
from benchmarks.reference import pipeline, student
from benchmarks.reference.pipeline import StagesMs
from benchmarks.reference_result import Reference, Stage
from benchmarks.row import Rounds
from benchmarks.statistics import ratio_to_anchor
from core.decision import Decision

THREADS = 2
LEAST_FRAMES = 30
RATIO_ASKED, MODEL_RATIO_ASKED = 60, 150
EAGER, ONNX, STUDENT = "reference", "reference_onnx", "student"
STAGES = {EAGER: pipeline.STAGES, ONNX: pipeline.STAGES, STUDENT: student.STAGES}
MODEL_STAGES = {EAGER: pipeline.MODEL_STAGES, ONNX: pipeline.MODEL_STAGES, STUDENT: student.MODEL_STAGES}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What was measured, in words."""

    video: Path
    student: str
    """Path of the artefact in its folder."""
    student_title: str
    trained: bool
    onnx_version: str


@dataclass(kw_only=True)
class Turns:
    """What was counted: the frames of each pipeline, turn by turn."""

    frames_ms: dict[str, list[list[StagesMs]]] = field(default_factory=lambda: {title: [] for title in STAGES})
    reference_faces: int = 0
    student_faces: int = 0

    def stage(self, title: str, stage: str) -> list[float]:
        """A stage's time in every frame of a pipeline."""
        return [frame[stage] for turn in self.frames_ms[title] for frame in turn]

    def rounds(self, title: str, stages: Sequence[str]) -> list[float]:
        """The mean of the sum of `stages` in each turn."""
        return [
            float(np.mean([sum(frame[stage] for stage in stages) for frame in turn])) for turn in self.frames_ms[title]
        ]


def result_of(
    turns: Turns, setting: Setting, decision: Decision, *, frame_size: tuple[int, int], cosine: float
) -> Reference:
    """Means, spreads and ratios. `cosine` is the least between both executions of the reference on one frame."""
    stages_ms = {
        title: {stage: Stage.of(turns.stage(title, stage)) for stage in stages} for title, stages in STAGES.items()
    }
    whole = {title: sum(stage.mean for stage in stages.values()) for title, stages in stages_ms.items()}
    models = {title: sum(stages_ms[title][stage].mean for stage in MODEL_STAGES[title]) for title in STAGES}
    counts = {title: len(turns.stage(title, "decode")) for title in STAGES}
    return Reference(
        video=str(setting.video),
        frame_size=frame_size,
        threads=THREADS,
        weights=f"the reference's random, seeded; the student's {'trained' if setting.trained else 'random, seeded'}",
        student=setting.student,
        pipelines={
            EAGER: "reference: torch eager float32",
            ONNX: f"reference: ONNX Runtime {setting.onnx_version} float32, trunks fused",
            STUDENT: setting.student_title,
        },
        stages_ms=stages_ms,
        model_stages=MODEL_STAGES,
        valid=min(counts.values()) >= LEAST_FRAMES,
        reference_ms_per_frame=whole[EAGER],
        student_ms_per_frame=whole[STUDENT],
        ratio=whole[EAGER] / whole[STUDENT],
        ratio_interval=_interval(turns, STAGES),
        reference_model_ms_per_frame=models[EAGER],
        student_model_ms_per_frame=models[STUDENT],
        model_ratio=models[EAGER] / models[STUDENT],
        model_ratio_interval=_interval(turns, MODEL_STAGES),
        onnx_ratio=whole[ONNX] / whole[STUDENT],
        onnx_model_ratio=models[ONNX] / models[STUDENT],
        notes=_notes(turns, decision, counts, cosine),
    )


def _interval(turns: Turns, stages: dict[str, tuple[str, ...]]) -> Interval | None:
    """95 % of the ratio over the turns; None for a quick run's few."""
    rounds = Rounds(
        row_ms=tuple(turns.rounds(EAGER, stages[EAGER])), anchor_ms=tuple(turns.rounds(STUDENT, stages[STUDENT]))
    )
    told = ratio_to_anchor(rounds)
    return None if told is None else (told.low, told.high)


def _notes(turns: Turns, decision: Decision, counts: dict[str, int], cosine: float) -> tuple[str, ...]:
    notes = [
        f"A frame is a sampled one, {decision.frame_rate:g} a second, on both sides; decode holds all that was decoded "
        "to get at it. Both see the same frames, in turns; means are over all frames, those without a face included.",
        "The reference searches every frame with dlib at full resolution, runs Depth Anything V2 Small at 518 px and "
        "RepViT-M0.9 at 224 px over the face and its depth once a frame, and the fusion over 20 frames anew for each. "
        "Models include cutting and scaling their input.",
        f"The student classifies once in {decision.hop} frames, and that is spread over all of them.",
        f"A face in {turns.reference_faces} of {counts[EAGER]} frames of the reference, in {turns.student_faces} "
        f"of {counts[STUDENT]} of the student.",
        f"Under ONNX Runtime the reference's models answered as in torch, cosine {cosine:.5f} at least; decode and "
        "face are the same measurement in both.",
        "Architectures are the true ones; random weights change no time.",
        f"Asked of the student at 224 px on two cores: {RATIO_ASKED} for the whole frame, {MODEL_RATIO_ASKED} for the "
        "models.",
    ]
    if min(counts.values()) < LEAST_FRAMES:
        notes.append(f"Not valid: fewer than {LEAST_FRAMES} frames.")
    return tuple(notes)
