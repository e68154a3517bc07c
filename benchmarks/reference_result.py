"""What `--reference` found: the reference pipeline and the student's, on the same video in the same run."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from benchmarks.document import Document, Interval


class Stage(Document):
    """Milliseconds a frame of one stage, over the frames it was measured on."""

    mean: float = Field(description="what the sums are made of: a stage that runs in one frame of ten costs a tenth")
    p10: float
    p50: float
    p90: float
    min: float
    max: float
    frames: int

    @classmethod
    def of(cls, frames_ms: Sequence[float]) -> "Stage":
        """Of at least one frame; a frame in which the stage did not run counts as 0."""
        p10, p50, p90 = (float(value) for value in np.percentile(frames_ms, (10, 50, 90)))
        return cls(
            mean=float(np.mean(frames_ms)),
            p10=p10,
            p50=p50,
            p90=p90,
            min=min(frames_ms),
            max=max(frames_ms),
            frames=len(frames_ms),
        )


class Reference(Document):
    """Both pipelines by stage, and how many times cheaper the student is."""

    video: str
    frame_size: tuple[int, int] = Field(description="width, height of the video")
    threads: int
    weights: str = Field(description="whether they were trained, in words: random ones change no time")
    student: str = Field(description="path of the artefact that stood for the student")
    pipelines: dict[str, str] = Field(description="title of each pipeline in `stages_ms`, such as how it was executed")
    stages_ms: dict[str, dict[str, Stage]] = Field(
        description="`reference`, `student`, and further ones such as `reference_onnx`: stage by stage, in order"
    )
    model_stages: dict[str, tuple[str, ...]] = Field(description="which stages of each pipeline are its models")
    valid: bool = Field(description="at least 30 frames of each pipeline")
    reference_ms_per_frame: float
    student_ms_per_frame: float
    ratio: float = Field(description="reference over student, the whole frame")
    ratio_interval: Interval | None = None
    reference_model_ms_per_frame: float
    student_model_ms_per_frame: float
    model_ratio: float = Field(description="the reference's models over the student's encode and classify")
    model_ratio_interval: Interval | None = None
    onnx_ratio: float | None = Field(default=None, description="as `ratio`, the reference's models under ONNX Runtime")
    onnx_model_ratio: float | None = Field(default=None, description="as `model_ratio`, under ONNX Runtime")
    notes: tuple[str, ...] = Field(default=(), description="what else a reader must know, a sentence each")
