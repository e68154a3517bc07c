"""One measured method of one artefact on one device: a row of results.json."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from benchmarks.document import Document

LEAST_CALLS = 1024
LEAST_SECONDS = 10.0
NOISY = 1.5
"""p90 over p50 above which a row says that the machine was busy."""

QUANTILES = tuple(range(0, 101, 5))
"""Percentiles that are kept of a distribution."""

MOST_ROUNDS = 64
DECILE = 10


class Latency(Document):
    """Milliseconds a call."""

    p50: float
    p90: float
    p99: float
    min: float
    mean: float
    quantiles: tuple[float, ...] | None = Field(
        default=None, description="percentiles 0, 5, 10 to 100 of the calls; null where only a summary is known"
    )

    @classmethod
    def of(cls, calls_ms: Sequence[float]) -> "Latency":
        """Of at least one call; percentiles interpolate linearly."""
        p50, p90, p99 = (float(value) for value in np.percentile(calls_ms, (50, 90, 99)))
        quantiles = tuple(round(float(value), 6) for value in np.percentile(calls_ms, QUANTILES))
        return cls(p50=p50, p90=p90, p99=p99, min=min(calls_ms), mean=float(np.mean(calls_ms)), quantiles=quantiles)


class Sustained(Document):
    """Whether a row grew slower while it ran: medians of its first and of its last tenth of calls."""

    first_decile_ms: float
    last_decile_ms: float
    ratio: float = Field(description="last over first; above 1 it grew slower")

    @classmethod
    def of(cls, calls_ms: Sequence[float]) -> "Sustained | None":
        """Of calls in the order they were made; None below ten."""
        count = len(calls_ms) // DECILE
        if not count:
            return None
        first, last = (float(np.median(part)) for part in (calls_ms[:count], calls_ms[-count:]))
        return cls(first_decile_ms=first, last_decile_ms=last, ratio=last / first)


class Rounds(Document):
    """Medians of the row and of the anchor side by side, a block of interleaved rounds each, in order.

    A slow minute slows both sides of its block, so the blocks are what an interval of the ratio is drawn from.
    """

    row_ms: tuple[float, ...]
    anchor_ms: tuple[float, ...]

    @model_validator(mode="after")
    def _paired(self) -> "Rounds":
        if len(self.row_ms) != len(self.anchor_ms):
            raise ValueError(f"{len(self.row_ms)} blocks of the row and {len(self.anchor_ms)} of the anchor")
        return self

    @classmethod
    def of(cls, row: Sequence[Sequence[float]], anchor: Sequence[Sequence[float]]) -> "Rounds":
        """Of the calls of every round, as many rounds on both sides; at most 64 blocks of neighbouring rounds."""
        assert len(row) == len(anchor)
        blocks = np.array_split(np.arange(len(row)), min(len(row), MOST_ROUNDS)) if len(row) else []
        return cls(row_ms=_medians(row, blocks), anchor_ms=_medians(anchor, blocks))


class Memory(Document):
    """Bytes of a process that does nothing but load one artefact and run its methods, and what they are made of.

    A part that cannot be told is null, and `missing` says why.
    """

    before_load: int | None = Field(description="resident before the model is loaded")
    after_load: int | None = Field(description="resident once it is loaded")
    peak: int | None = Field(description="largest resident size up to the end of the calls")
    arena_bytes: int | None = Field(default=None, description="planned by the exporter for activations")
    weights_bytes: int | None = Field(default=None, description="constants, as stored or as packed by the delegate")
    missing: dict[str, str] = Field(default={}, description="name of a null part: why it is null")

    @model_validator(mode="after")
    def _explained(self) -> "Memory":
        parts = ("before_load", "after_load", "peak", "arena_bytes", "weights_bytes")
        silent = [name for name in parts if getattr(self, name) is None and not self.missing.get(name)]
        if silent:
            raise ValueError(f"{', '.join(silent)}: null without a reason in `missing`")
        return self

    @property
    def added(self) -> int | None:
        """Peak above the same process before it loaded the model; None where either is unknown."""
        if self.peak is None or self.before_load is None:
            return None
        return max(0, self.peak - self.before_load)


class Thermal(Document):
    """Thermal state in the device's own words, such as `0 (none)`."""

    before: str | None
    after: str | None


class Agreement(Document):
    """Outputs of this row against the host's, on the same golden vectors."""

    vectors: int
    cosine: float | None = Field(default=None, description="smallest over the vectors and outputs")
    max_abs: float | None = Field(default=None, description="largest absolute difference")
    verdicts_equal: int | None = Field(default=None, description="of `vectors`; null where the method gives no verdict")
    holds: bool
    rule: str = Field(description="what had to hold, in words")


class Row(Document):
    """One method of one artefact on one device. What is null has its reason in `missing`."""

    artifact: str
    method: str = Field(description="of the artefact, or `stream`: encode, ring buffer and classify, a frame each")
    sha256: str | None = Field(description="of the artefact; null for the teacher and the anchor")
    device: str
    device_model: str | None = Field(default=None, description="a phone's name, as in targets.toml")
    os: str
    runtime: str
    runtime_version: str
    delegate: str
    precision: str
    threads: int
    iterations: int
    warm_up: int
    seconds: float
    latency_ms: Latency | None = Field(description="null for an emulated row, whose times mean nothing")
    ratio_to_anchor: float | None = Field(description="p50 over the anchor's p50 of the same run")
    rounds: Rounds | None = Field(default=None, description="what an interval of the ratio is drawn from")
    sustained: Sustained | None = None
    cold_load_ms: float | None
    first_call_ms: float | None = None
    peak_rss_bytes: int | None = Field(description="peak above the same process before it loads the artefact")
    memory: Memory | None
    thermal: Thermal | None = Field(default=None, description="null where the device has no such state")
    agreement: Agreement | None = Field(default=None, description="null where outputs were not compared")
    kind: Literal["measured", "emulated"] = "measured"
    valid: bool = Field(description=f"measured in at least {LEAST_CALLS} calls and {LEAST_SECONDS:g} s")
    noisy: bool = Field(description=f"p90/p50 above {NOISY:g}")
    note: str | None = Field(default=None, description="what a reader must know, such as a runtime that stood in")
    missing: dict[str, str] = Field(default={}, description="name of a null figure: why it is null")
    budget: str | None = Field(default=None, description="id in targets.toml of the device it is held to")

    @property
    def times(self) -> Latency:
        """`latency_ms` of a row that is known to be measured."""
        assert self.latency_ms is not None
        return self.latency_ms

    @property
    def doubts(self) -> tuple[str, ...]:
        """In a word each, why its times do not count: `emulated`, or `invalid` and `noisy`."""
        if self.kind == "emulated":
            return ("emulated",)
        return tuple(word for word, holds in (("invalid", not self.valid), ("noisy", self.noisy)) if holds)

    @model_validator(mode="after")
    def _timed(self) -> "Row":
        if (self.latency_ms is None) != (self.kind == "emulated"):
            raise ValueError("a measured row has times, and an emulated one has none")
        return self


def _medians(calls: Sequence[Sequence[float]], blocks: Sequence[npt.NDArray[np.int64]]) -> tuple[float, ...]:
    pooled = (np.concatenate([calls[place] for place in block]) for block in blocks)
    return tuple(round(float(np.median(block)), 6) for block in pooled)
