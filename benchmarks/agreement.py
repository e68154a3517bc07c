"""Outputs of one program on two machines: how alike they are, and whether the verdicts are the same."""

from collections.abc import Sequence

import numpy as np

from benchmarks.row import Agreement
from core.decision import WINDOW, Decision, Label
from core.manifest import Manifest, Precision
from core.runtimes import Array, Runtime, cosine

LEAST_COSINE = 0.9999
"""Of float32 programs, where two machines add in another order and nothing else."""

Answers = list[list[Array]]
"""For each case, its outputs."""


def agreement_of(
    host: Answers,
    other: Answers,
    host_logits: Sequence[Array],
    other_logits: Sequence[Array],
    precision: Precision,
    decision: Decision,
) -> Agreement:
    """Of as many cases on both sides, at least one; logits are [2] each.

    Float32 outputs must point the same way. Rounding to eight bits may turn out otherwise on another processor, so of
    an int8 program it is the verdicts that must be equal.
    """
    cosines = [
        cosine(a, b) for ours, theirs in zip(host, other, strict=True) for a, b in zip(ours, theirs, strict=True)
    ]
    gaps = [_gap(a, b) for ours, theirs in zip(host, other, strict=True) for a, b in zip(ours, theirs, strict=True)]
    pairs = zip(host_logits, other_logits, strict=True)
    equal = sum(_label(a, decision) == _label(b, decision) is not None for a, b in pairs)
    # numpy's, since Python's leave a NaN out where it does not come first.
    least, most = float(np.min(cosines)), float(np.max(gaps))
    exact = precision == "fp32"
    return Agreement(
        vectors=len(host),
        cosine=_number(least),
        max_abs=_number(most),
        verdicts_equal=equal,
        holds=least >= LEAST_COSINE and equal == len(host) if exact else equal == len(host),
        rule=f"cosine at least {LEAST_COSINE} and all verdicts equal" if exact else "all verdicts equal",
    )


def logits_of_faces(runtime: Runtime, manifest: Manifest, answers: Answers) -> list[Array]:
    """[2] of each face that was encoded, by `classify` with that frame alone valid, as a frame's score is taken."""
    found = []
    for rgb, depth, *_ in answers:
        window = np.zeros((2, 1, WINDOW, rgb.shape[-1]), np.float32)
        window[:, 0, -1] = rgb.reshape(-1), depth.reshape(-1)
        face = np.zeros((1, WINDOW), np.float32)
        face[0, -1] = 1.0
        depth_valid = face if manifest.depth_trained else np.zeros_like(face)
        (logits,) = runtime.run("classify", window[0], window[1], face, depth_valid)
        found.append(logits.reshape(2).copy())
    return found


def _label(logits: Array, decision: Decision) -> Label | None:
    """None where the logits are no numbers: then there is no verdict that another could equal."""
    if not np.isfinite(logits).all():
        return None
    return decision.label(decision.probability([(float(logits[0]), float(logits[1]))]))


def _gap(a: Array, b: Array) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
