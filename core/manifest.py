"""The artefact contract: manifest.json, and opening the folder beside it defensively.

Everything in the folder is listed with its hash; a file that differs is refused before anything of it is executed.
`python -m core.manifest > docs/manifest.schema.json` writes the schema for readers in other languages.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from core.decision import Decision
from core.errors import InputError, first_fault
from core.preprocess import PreprocessSpec

SCHEMA_VERSION: Final = 1
MANIFEST = "manifest.json"

MOST_MANIFEST_BYTES = 4_000_000
MOST_GOLDEN_BYTES = 20_000_000
"""Several times what an export writes: what is larger was blown up, and is neither parsed nor hashed."""

TargetName = Literal["executorch", "coreml", "onnx"]
Precision = Literal["fp32", "fp16", "int8", "w8a8"]


class Document(BaseModel):
    """Base of every part of the manifest: unknown keys are refused, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def leaves(path: str) -> bool:
    """Whether `path`, which should be relative and with forward slashes, leaves the folder that names it."""
    parts = PurePosixPath(path)
    return parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path or not parts.name


def _inside(path: str) -> str:
    if leaves(path):
        raise ValueError(f"the path {path!r} leaves its folder")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]
"""Of a file beside the document that names it."""


class Source(Document):
    """Where the weights came from."""

    run: str | None = Field(description="folder of the run, as given to the export; null for an untrained program")
    recipe: str
    weights_sha256: str
    code_version: str


class TensorSpec(Document):
    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32"]
    range: tuple[float, float] | None = Field(default=None, description="allowed values, null where unbounded")


class MethodSpec(Document):
    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class RuntimeVersion(Document):
    name: str
    version: str


class Parity(Document):
    """The artefact against the torch student on the same inputs."""

    cases: int
    max_abs: float = Field(description="largest absolute difference over every output")
    cosine: float = Field(description="smallest cosine of an embedding with the reference's, over faces")
    agreement: float | None = Field(description="share of equal verdicts away from the threshold; null untrained")
    odd_cosine: float | None = Field(
        default=None, description="as cosine, over noise, black, white and a ramp, which no camera gives"
    )


class Accuracy(Document):
    """On the run's validation windows."""

    auc: float | None
    agreement: float


class UndelegatedOp(Document):
    method: str
    op: str
    count: int


class Delegation(Document):
    delegated: int = Field(description="operators inside the delegate, over all methods")
    undelegated_ops: tuple[UndelegatedOp, ...]


class Artifact(Document):
    path: RelativePath
    target: TargetName
    backend: str
    precision: Precision
    methods: tuple[str, ...]
    sha256: str
    size_bytes: int
    runtime: RuntimeVersion
    parity: Parity | None = Field(description="null where no runtime on the exporting machine could execute it")
    accuracy: Accuracy | None
    delegation: Delegation | None
    float_parts: tuple[str, ...] = Field(
        default=(),
        description="submodules of an int8 `encode` (`*`: anything) that stay float32, as its views always do",
    )
    encode_ms: float | None = Field(
        default=None, description="median on one thread of the exporting machine; null where it was not measured"
    )
    verified: Literal["runtime", "reference", "built"]


class Rejected(Document):
    target: TargetName
    precision: Precision
    reason: str
    figures: dict[str, float]


class Manifest(Document):
    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    created: str = Field(description="UTC, ISO 8601")
    trained: bool
    depth_trained: bool
    source: Source
    preprocess: PreprocessSpec
    decision: Decision
    methods: tuple[MethodSpec, ...]
    metrics: dict[str, dict[str, dict[str, float | int | None]]] | None = Field(
        description="the run's metrics.json; null untrained"
    )
    preferred: str | None = Field(description="path of the artefact that `detect` and the bundle take")
    artifacts: tuple[Artifact, ...]
    rejected: tuple[Rejected, ...] = ()
    golden: RelativePath | None = Field(default=None, description="folder of golden vectors; null where none were made")
    golden_sha256: str | None = Field(default=None, description="of that folder, as of an artefact that is a folder")

    def artifact(self, path: str) -> Artifact:
        """The row of that path."""
        return next(row for row in self.artifacts if row.path == path)

    def method(self, name: str) -> MethodSpec:
        """The specification of that method."""
        return next(method for method in self.methods if method.name == name)


def open_artifacts(folder: Path) -> Manifest:
    """The manifest of `folder`, every file of it checked against its hash.

    Raises InputError (one line) where the folder, the manifest or a file is not what it claims to be.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise InputError(
            f"{folder}: no {MANIFEST} here; give a folder that `python -m export` wrote, "
            "or type `python -m export` first"
        )
    manifest = read_manifest(file)
    listed = [(row.path, row.sha256, row.size_bytes) for row in manifest.artifacts]
    if manifest.golden is not None:
        listed.append((manifest.golden, manifest.golden_sha256 or "", MOST_GOLDEN_BYTES))
    for name, sha256, most_bytes in listed:
        try:
            _check_file(folder, name, sha256, most_bytes)
        except OSError as error:
            raise InputError(f"{file}: lists a file that cannot be read ({error.strerror}); export it again") from error
    if manifest.preferred is not None and manifest.preferred not in {row.path for row in manifest.artifacts}:
        raise InputError(f"{file}: the preferred artefact {manifest.preferred!r} is not among the listed ones")
    return manifest


def _check_file(folder: Path, name: str, sha256: str, most_bytes: int) -> None:
    path = folder / name
    # What a link points to may change after the check, and may lie anywhere.
    link = next((part for part in _parts(folder, path) if part.is_symlink()), None)
    if link is not None:
        raise InputError(f"{link}: a symbolic link, artefacts are plain files and folders; export it again")
    if not path.exists():
        raise InputError(f"{path}: listed in {folder / MANIFEST} but missing; export it again")
    # The size comes first: what was blown up may take forever to hash.
    if size_of(path) > most_bytes or sha256_of(path) != sha256:
        raise InputError(f"{path}: its sha256 is not the manifest's; it was changed or damaged: export it again")


def open_to_judge(folder: Path, *, allow_untrained: bool) -> Manifest:
    """As `open_artifacts`; InputError as well for a program that was never trained, unless that is asked for."""
    manifest = open_artifacts(folder)
    if not manifest.trained and not allow_untrained:
        raise InputError(
            f"{folder}: an untrained program, its answers mean nothing; "
            "train one with `python -m distill`, or add --allow-untrained to run it all the same"
        )
    return manifest


def read_manifest(file: Path) -> Manifest:
    """Parse and validate `file`; InputError names the first thing that is wrong."""
    try:
        blown_up = file.stat().st_size > MOST_MANIFEST_BYTES
        document = None if blown_up else from_json(file.read_bytes())
    except (ValueError, OSError) as error:
        raise InputError(f"{file}: not readable as JSON ({error}); export again") from error
    if blown_up:
        raise InputError(f"{file}: more than {MOST_MANIFEST_BYTES:,} bytes, no manifest is; export again")
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(f"{file}: schema version {version!r}; this version reads {SCHEMA_VERSION} only: export again")
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        raise InputError(f"{file}: {first_fault(error)}; export again") from error


def sha256_of(path: Path) -> str:
    """Hex digest of a file, or of a folder: over its sorted "path sha256" lines."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    files = (file for file in path.rglob("*") if file.is_file())
    # Lines are sorted, not paths: those compare by their parts, which no other language does.
    lines = sorted(f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


def _parts(folder: Path, path: Path) -> Iterator[Path]:
    """`path` below `folder`, the folders between the two, and everything in it."""
    for parent in (path, *path.parents):
        if parent == folder:
            break
        yield parent
    yield from path.rglob("*")


if __name__ == "__main__":
    print(json.dumps(Manifest.model_json_schema(), indent=2))
