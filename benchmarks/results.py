"""results.json: the one document that every table and report is drawn from."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import InputError, first_fault

RESULTS = "results.json"
LEAST_CALLS = 1024
LEAST_SECONDS = 10.0
NOISY = 1.5
"""p90 over p50 above which a row says that the machine was busy."""


class Document(BaseModel):
    """Base of the parts: unknown keys are refused, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(Document):
    """Milliseconds a call."""

    p50: float
    p90: float
    p99: float
    min: float
    mean: float

    @classmethod
    def of(cls, calls_ms: list[float]) -> "Latency":
        """Of at least one call; percentiles interpolate linearly."""
        p50, p90, p99 = (float(value) for value in np.percentile(calls_ms, (50, 90, 99)))
        return cls(p50=p50, p90=p90, p99=p99, min=min(calls_ms), mean=float(np.mean(calls_ms)))


class Memory(Document):
    """Resident bytes of a process that does nothing but load one artefact and run its methods."""

    before_load: int
    after_load: int
    peak: int


class Row(Document):
    """One method of one artefact on one device."""

    artifact: str
    method: str
    sha256: str | None = Field(description="of the artefact; null for the teacher and the anchor")
    device: str
    os: str
    runtime: str
    runtime_version: str
    delegate: str
    precision: str
    threads: int
    iterations: int
    warm_up: int
    seconds: float
    latency_ms: Latency
    ratio_to_anchor: float = Field(description="p50 over the anchor's p50 of the same run")
    cold_load_ms: float | None
    peak_rss_bytes: int | None = Field(description="peak above the same process before it loads the artefact")
    memory: Memory | None
    kind: Literal["measured", "emulated", "published", "estimated"] = "measured"
    valid: bool = Field(description=f"at least {LEAST_CALLS} calls and {LEAST_SECONDS:g} s")
    noisy: bool = Field(description=f"p90/p50 above {NOISY:g}")


class Machine(Document):
    """Where the run took place."""

    cpu: str
    cores: int
    os: str
    python: str
    governor: str | None
    load_average: tuple[float, float, float]


class Results(Document):
    """Everything one run measured."""

    schema_version: Literal[1] = 1
    name: str
    created: str
    machine: Machine
    anchor: str = "RepViT-M0.9 of timm, fused, float32, 224 px, on ExecuTorch's XNNPACK"
    rows: tuple[Row, ...]

    def row(self, artifact: str, method: str) -> Row | None:
        """The row of that artefact and method, if it was measured."""
        return next((row for row in self.rows if (row.artifact, row.method) == (artifact, method)), None)


def read_results(file: Path) -> Results:
    """InputError where `file` is missing or no results document."""
    if not file.is_file():
        raise InputError(f"{file}: no results here; type `python -m benchmarks` first")
    try:
        return Results.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise InputError(f"{file}: {first_fault(error)}; type `python -m benchmarks` again") from error
