"""results.json: the one document that every table and report is drawn from.

`python -m benchmarks.results > docs/results.schema.json` writes the schema for readers in other languages.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from benchmarks.check import Check
from benchmarks.document import Document
from benchmarks.reference_result import Reference
from benchmarks.row import Row
from benchmarks.subject import Subject
from benchmarks.targets import Estimate, Published
from core.errors import InputError, first_fault

RESULTS = "results.json"


class Machine(Document):
    """Where the run took place."""

    cpu: str
    cores: int
    os: str
    python: str
    governor: str | None
    load_average: tuple[float, float, float] = Field(description="over 1, 5 and 15 minutes, before the run")
    load_average_after: tuple[float, float, float] | None = None


class Results(Document):
    """Everything one run measured."""

    schema_version: Literal[1] = 1
    name: str
    created: str
    command: str | None = Field(default=None, description="what repeats the run")
    quick: bool = False
    machine: Machine
    versions: dict[str, str] = Field(default={}, description="of the project and of the packages that took part")
    anchor: str = "RepViT-M0.9 of timm, fused, float32, 224 px, on ExecuTorch's XNNPACK"
    rows: tuple[Row, ...]
    subject: Subject | None = None
    reference: Reference | None = None
    checks: tuple[Check, ...] = Field(default=(), description="rows held to the budgets of targets.toml")
    baseline: str | None = Field(default=None, description="what the rows were compared with, in words")
    baseline_rows: tuple[Row, ...] = Field(default=(), description="of the other artefact folder, in the same rounds")
    baseline_checks: tuple[Check, ...] = ()
    published: tuple[Published, ...] = Field(default=(), description="measured by others; never mixed with `rows`")
    estimates: tuple[Estimate, ...] = Field(default=(), description="measured by nobody, each with its method")
    no_estimate: dict[str, str] = Field(default={}, description="id of a phone: why there is no estimate for it")

    @property
    def device(self) -> str:
        """This machine if anything was measured on it, else the device that was."""
        devices = [row.device for row in self.rows]
        return "host" if "host" in devices or not devices else devices[0]

    def row(self, artifact: str, method: str, device: str | None = None) -> Row | None:
        """The first row of that artefact, method and device, if there is one; on `self.device` if none is given."""
        wanted = (artifact, method, device or self.device)
        return next((row for row in self.rows if (row.artifact, row.method, row.device) == wanted), None)


def read_results(file: Path) -> Results:
    """InputError where `file` is missing or no results document."""
    if not file.is_file():
        raise InputError(f"{file}: no results here; type `python -m benchmarks` first")
    try:
        return Results.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise InputError(f"{file}: {first_fault(error)}; type `python -m benchmarks` again") from error


if __name__ == "__main__":
    print(json.dumps(Results.model_json_schema(), indent=2))
