"""targets.toml: devices and their budgets, and figures that others have published."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from benchmarks.document import Document
from core.errors import InputError, first_fault
from core.manifest import Precision, TargetName

TARGETS = Path(__file__).with_name("targets.toml")
ANCHOR_MODEL = "RepViT-M0.9"
HOST = "host"


class Ships(Document):
    """Which artefact of a folder goes onto the device."""

    target: TargetName
    precision: Precision


class Budget(Document):
    """What the artefact may cost; null where the device sets no limit."""

    frame_ms: float | None = Field(default=None, gt=0, description="encode, and classify over its hop, at the median")
    frame_anchors: float | None = Field(default=None, gt=0, description="the same in times of the anchor's median")
    peak_bytes: int | None = Field(default=None, gt=0, description="of resident memory, above that before loading")
    size_bytes: int | None = Field(default=None, gt=0, description="of the artefact")
    cold_load_ms: float | None = Field(default=None, gt=0)


class Target(Document):
    """A device, and its budget."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    name: str
    models: tuple[str, ...] = Field(default=(), description="what the device calls itself")
    chip: str
    year: int
    ships: Ships
    reason: str
    share: str | None = Field(default=None, description="of a frame's 33.3 ms that `frame_ms` is")
    budget: Budget

    @property
    def is_phone(self) -> bool:
        """False of the machine the harness runs on."""
        return self.id != HOST


class Published(Document):
    """A latency that somebody else measured."""

    kind: Literal["published"] = "published"
    model: str
    precision: str | None = Field(default=None, description="null where the source does not say")
    device: str
    runtime: Literal["coreml", "xnnpack", "tflite"]
    where: str = Field(description="runtime and processor in words")
    latency_ms: float = Field(gt=0)
    source: str = Field(min_length=1)
    date: str = Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$", description="as exactly as it is known")


class Targets(Document):
    """The whole file."""

    schema_version: Literal[1] = 1
    targets: tuple[Target, ...]
    published: tuple[Published, ...]

    @model_validator(mode="after")
    def _distinct(self) -> "Targets":
        names = [target.id for target in self.targets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the id {twice[0]!r} is there twice")
        return self

    @property
    def phones(self) -> tuple[Target, ...]:
        """Targets other than the machine the harness runs on."""
        return tuple(target for target in self.targets if target.is_phone)

    def of_device(self, device: str, model: str | None) -> Target | None:
        """The target that a row's `device` and `device_model` stand for; None for a device the file does not know."""
        if device == HOST:
            return next((target for target in self.targets if target.id == HOST), None)
        return next((target for target in self.phones if model in (*target.models, target.name)), None)


class Estimate(Document):
    """A latency that nobody measured, and how it was reached."""

    kind: Literal["estimated"] = "estimated"
    target: str
    latency_ms: float
    method: str = Field(description="the whole computation in words")


def read_targets(file: Path = TARGETS) -> Targets:
    """InputError where `file` is missing or wrong."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        return Targets.model_validate(document)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); install the package again") from error
    except ValidationError as error:
        raise InputError(f"{file}: {first_fault(error)}; see benchmarks/targets.py for what is allowed") from error
    except ValueError as error:
        raise InputError(f"{file}: no TOML ({error}); see benchmarks/targets.py for what is allowed") from error


def estimate(target: Target, frame_anchors: float, delegate: str, published: Sequence[Published]) -> Estimate | str:
    """Latency of a frame that costs `frame_anchors` anchors under `delegate`; a string says why there is none.

    A ratio carries from one CPU to another only under the same runtime, so there has to be a published figure of the
    anchor's own model, on that device, under the delegate that the ratio was measured with, in float32 as the anchor.
    """
    of_anchor = [one for one in published if one.model == ANCHOR_MODEL and one.device == target.name]
    if not of_anchor:
        return f"nobody published {ANCHOR_MODEL} on it"
    same = next((one for one in of_anchor if (one.runtime, one.precision) == (delegate, "fp32")), None)
    if same is None:
        others = " and ".join(sorted({f"{one.where}, {one.precision or 'precision not stated'}" for one in of_anchor}))
        return f"{ANCHOR_MODEL} is published under {others}, the ratio is under {delegate} fp32: it does not carry over"
    latency = frame_anchors * same.latency_ms
    method = (
        f"{frame_anchors:.2f} times the anchor here, times {same.latency_ms:g} ms, the published {ANCHOR_MODEL} under "
        f"{same.where} ({same.date})"
    )
    return Estimate(target=target.id, latency_ms=latency, method=method)
