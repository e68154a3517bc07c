"""The artefact folder: built aside and put in place whole, so that what stands there was checked."""

import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic_core import from_json

from core.command_line import say
from core.errors import InputError
from core.manifest import (
    MANIFEST,
    Artifact,
    Manifest,
    Rejected,
    RuntimeVersion,
    open_artifacts,
    read_manifest,
    sha256_of,
    size_of,
)
from core.manifest import Source as SourceDocument
from core.models import METHODS
from core.runs import METRICS, write_json
from core.runtimes import DISTRIBUTIONS
from export.build import Outcome
from export.card import CARD, model_card
from export.programs import method_specs
from export.source import Source
from export.targets import PREFERRED

GOLDEN_FOLDER = "golden"
"""Below the folder of artefacts; `export.golden` writes it."""


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, removed at the end whatever happens."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def former(folder: Path, weights_sha256: str) -> Manifest | None:
    """The manifest in `folder` if it is of the same weights; None where there is none or it is of others.

    Raises InputError where the folder holds something else, which must not be replaced: a manifest that is not ours, or
    of another version, as well. A folder of ours whose artefacts are damaged is replaced whole.
    """
    if not folder.exists():
        return None
    if not (folder / MANIFEST).is_file():
        if folder.is_dir() and not any(folder.iterdir()):
            return None
        raise InputError(f"{folder}: exists and is no artefact folder; give another --out")
    try:
        manifest = read_manifest(folder / MANIFEST)
    except InputError as error:
        raise InputError(f"{folder}: exists and its {MANIFEST} is not one of ours; give another --out") from error
    try:
        open_artifacts(folder)
    except InputError as error:
        say(f"{error}: the folder is replaced whole")
        return None
    return manifest if manifest.source.weights_sha256 == weights_sha256 else None


def publish(
    folder: Path,
    scratch: Path,
    source: Source,
    outcomes: Sequence[Outcome],
    kept: Manifest | None,
    metrics: dict[str, Any] | None,
) -> Manifest:
    """Complete `scratch` with the rows of `kept` that were not exported again, manifest and card; put it in place."""
    new = {(outcome.variant.target, outcome.variant.precision) for outcome in outcomes}
    new_paths = {outcome.variant.path for outcome in outcomes}
    rows = [_row(scratch, outcome) for outcome in outcomes if outcome.problem is None]
    rejected = [row for outcome in outcomes for row in _rejected(outcome)]
    if kept is not None:
        for row in kept.artifacts:
            if row.path not in new_paths:
                _copy(folder / row.path, scratch / row.path)
                rows.append(row)
        rejected += [row for row in kept.rejected if (row.target, row.precision) not in new]
    rows.sort(key=lambda row: row.path)
    golden = scratch / GOLDEN_FOLDER
    manifest = Manifest(
        name=source.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        trained=source.trained,
        depth_trained=source.depth_trained,
        source=SourceDocument(
            run=source.run,
            recipe=source.name.removesuffix("-untrained"),
            weights_sha256=source.weights_sha256,
            code_version=source.code_version,
        ),
        preprocess=source.preprocess,
        decision=source.decision,
        methods=method_specs(source.student, source.preprocess.size),
        metrics=metrics,
        preferred=next((path for path in PREFERRED if any(row.path == path for row in rows)), None),
        artifacts=tuple(rows),
        rejected=tuple(sorted(rejected, key=lambda row: (row.target, row.precision))),
        golden=GOLDEN_FOLDER if golden.is_dir() else None,
        golden_sha256=sha256_of(golden) if golden.is_dir() else None,
    )
    write_json(scratch / MANIFEST, manifest)
    (scratch / CARD).write_text(model_card(manifest))
    put_in_place(scratch, folder)
    return manifest


def run_metrics(run: Path | None) -> dict[str, Any] | None:
    """metrics.json of the run; None for an untrained program. InputError where the run lacks it or it is damaged."""
    if run is None:
        return None
    file = run / METRICS
    try:
        metrics = from_json(file.read_bytes())
    except (ValueError, OSError) as error:
        raise InputError(f"{file}: not readable as JSON ({error}); finish the run with `python -m distill`") from error
    if not isinstance(metrics, dict):
        raise InputError(f"{file}: no metrics of a run; finish it with `python -m distill`")
    return metrics


def _row(scratch: Path, outcome: Outcome) -> Artifact:
    variant = outcome.variant
    path = scratch / variant.path
    runtime = DISTRIBUTIONS[variant.target]
    return Artifact(
        path=variant.path,
        target=variant.target,
        backend=variant.backend,
        precision=variant.precision,
        methods=METHODS,
        sha256=sha256_of(path),
        size_bytes=size_of(path),
        runtime=RuntimeVersion(name=runtime, version=version(runtime)),
        parity=outcome.parity,
        accuracy=outcome.accuracy,
        delegation=outcome.delegation,
        float_parts=outcome.scheme.float_parts,
        encode_ms=outcome.encode_ms,
        verified=_verified(outcome),
    )


def _verified(outcome: Outcome) -> Literal["runtime", "reference", "built"]:
    if outcome.parity is None:
        return "built"
    return "reference" if outcome.by_reference else "runtime"


def _rejected(outcome: Outcome) -> Iterator[Rejected]:
    """The variant, where it has a problem, and the schemes that were tried for it."""
    variant = outcome.variant
    for trial in outcome.scheme.rejected:
        parts = ", ".join(f"`{part}`" for part in trial.float_parts) or "nothing"
        yield Rejected(
            target=variant.target,
            precision=variant.precision,
            reason=f"{parts} in float32: {trial.reason}",
            figures={"cosine": trial.cosine},
        )
    if outcome.problem is None:
        return
    parity, accuracy = outcome.parity, outcome.accuracy
    figures = {
        "max_abs": None if parity is None else parity.max_abs,
        "cosine": None if parity is None else parity.cosine,
        "auc": None if accuracy is None else accuracy.auc,
        "agreement": None if accuracy is None else accuracy.agreement,
        "encode_ms": outcome.encode_ms,
    }
    yield Rejected(
        target=variant.target,
        precision=variant.precision,
        reason=outcome.problem,
        # JSON has no infinity; the reason says that an output was not finite.
        figures={name: value for name, value in figures.items() if value is not None and math.isfinite(value)},
    )


def _copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination)
    else:
        shutil.copy2(source, destination)


def put_in_place(scratch: Path, folder: Path) -> None:
    """`scratch` becomes `folder`, whose former contents go."""
    # mkdtemp makes private folders; an artefact folder is as readable as any other.
    scratch.chmod(0o777 & ~_umask())
    if not folder.exists():
        scratch.rename(folder)
        return
    aside = scratch.with_name(scratch.name + "-former")
    folder.rename(aside)
    try:
        scratch.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
