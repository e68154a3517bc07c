"""The one document of an evaluation, from which the table and the page are drawn as well."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from core.evaluation.curves import reliability_curve, roc_curve
from core.evaluation.data import Choice, Gathered
from core.evaluation.figures import Row, breakdown, overall, robustness, rows_of
from core.evaluation.leakage import LeftOut
from core.evaluation.perturbations import Perturbation
from core.evaluation.scoring import CLEAN, ScoredVideo
from core.evaluation.subject import Subject
from core.store import ClipStore

SCHEMA_VERSION = 1

Document = dict[str, Any]


def document_of(
    ways: Mapping[Perturbation | None, Sequence[ScoredVideo]],
    *,
    subject: Subject,
    choice: Choice,
    gathered: Gathered,
    store: ClipStore,
    left_out: LeftOut,
    seed: int = 0,
) -> Document:
    """Everything that was found, ready for JSON.

    `{schema_version, model, data, left_out, figures, by {method, strength, compression, encoding, identity, folder},
    perturbations (None if not asked for), curves {roc, reliability}, videos}`. A figure that needs a class which is
    missing is None.
    """
    rows = rows_of(ways[CLEAN], subject.decision)
    return {
        "schema_version": SCHEMA_VERSION,
        "model": _model(subject),
        "data": _data(choice, gathered, store, rows),
        "left_out": {
            "checked": left_out.checked,
            "text": left_out.text(),
            "videos": len(left_out.videos),
            "clips": len(left_out.keys),
            "paths": left_out.videos,
        },
        "figures": overall(rows, subject.decision, seed=seed),
        "by": breakdown(rows, subject.decision),
        "perturbations": robustness(ways, subject.decision, seed=seed) if len(ways) > 1 else None,
        "curves": {
            "roc": [list(point) for point in roc_curve(rows)],
            "reliability": [asdict(one) for one in reliability_curve(rows)],
        },
        "videos": [_video(row) for row in rows],
    }


def _model(subject: Subject) -> Document:
    return {
        "kind": subject.kind,
        "folder": str(subject.folder),
        "program": subject.program,
        "precision": subject.precision,
        "runtime": {"name": subject.runtime.name, "version": subject.runtime.version},
        "trained": subject.trained,
        "depth_trained": subject.depth_trained,
        "weights_sha256": subject.weights_sha256,
        "preprocess": subject.spec.model_dump(mode="json"),
        "decision": subject.decision.model_dump(mode="json"),
    }


def _data(choice: Choice, gathered: Gathered, store: ClipStore, rows: Sequence[Row]) -> Document:
    return {
        "corpus": str(choice.corpus),
        "store": str(gathered.store),
        "fingerprint": store.fingerprint,
        "split": gathered.side,
        "methods": list(choice.methods),
        "compressions": list(choice.compressions),
        "forged": any(row.record.forgery is not None for row in rows),
        "max_windows": store.settings().get("max_windows"),
        "clips": len(rows),
        "identities_from": gathered.identities_from,
        "notes": list(gathered.notes),
        "failed": gathered.failures,
    }


def _video(row: Row) -> Document:
    record = row.record
    samples = record.samples
    return {
        "path": record.path,
        "label": record.label,
        "method": record.method,
        "compression": record.compression,
        "identity": record.identity,
        "fake_probability": row.probability,
        "windows": len(row.video.windows),
        "coverage": sum(sample.face is not None for sample in samples) / len(samples) if samples else 0.0,
    }
