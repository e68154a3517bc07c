"""Which parts of an int8 `encode` stay float32: found stage by stage, on a simulation of the int8 program."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.quantisation import QuantisedTraining, quantised
from export.golden import demo_crops
from export.parity import faces
from export.source import Source

PARTS = (
    "trunk.stem",
    "trunk.stages.0",
    "trunk.stages.1",
    "trunk.stages.2",
    "trunk.stages.3",
    "depth_head",
)
"""What is int8 or float32 as one: each border between the two costs a conversion on the device."""

SAFE_COSINE = 0.9955
"""Of either embedding on every face, simulated; a margin above the limit that the written program is held to."""

CALIBRATION_CROPS = 32


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A scheme that was tried and rounds too much."""

    float_parts: tuple[str, ...]
    cosine: float
    """Least of either embedding with the float program's, over all faces."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """The parts that stay float32, and what was tried before."""

    float_parts: tuple[str, ...] = ()
    rejected: tuple[Trial, ...] = ()


def int8_encode(encode: nn.Module, source: Source) -> tuple[nn.Module, Scheme]:
    """The int8 program of `encode` with the ranges that were trained, else calibrated ones, and its scheme."""
    scheme = safe_scheme(encode, source)
    crops = torch.split(_calibration(source), 1)
    return quantised(encode, crops, float_parts=scheme.float_parts, ranges=source.activation_ranges), scheme


def safe_scheme(encode: nn.Module, source: Source) -> Scheme:
    """The first scheme whose embeddings hold, from all in int8 on: each next one leaves one more part in float32.

    That part is the one that gains most. Ranges are those that were trained, else calibrated on the run's crops.
    """
    simulated = QuantisedTraining(encode, torch.split(_calibration(source), 8)).eval()
    if source.activation_ranges is not None:
        simulated.restore(source.activation_ranges)
    shown = torch.from_numpy(np.concatenate(faces(source)))
    wanted = _embeddings(encode, shown)

    def least_cosine(parts: Sequence[str]) -> float:
        simulated.leave_float(parts)
        got = _embeddings(simulated, shown)
        return min(float(torch.cosine_similarity(a, b).min()) for a, b in zip(wanted, got, strict=True))

    chosen: list[str] = []
    rejected: list[Trial] = []
    while (cosine := least_cosine(chosen)) < SAFE_COSINE and len(chosen) < len(PARTS):
        rejected.append(Trial(float_parts=tuple(chosen), cosine=cosine))
        left = [part for part in PARTS if part not in chosen]
        chosen.append(max(left, key=lambda part: least_cosine([*chosen, part])))
    return Scheme(float_parts=tuple(chosen), rejected=tuple(rejected))


def _calibration(source: Source) -> Tensor:
    """float32 [N, 3, S, S]: every second crop of the run, and the demo's faces where nothing was trained on faces."""
    crops = source.crops[::2][:CALIBRATION_CROPS]
    if source.trained:
        return crops
    return torch.cat([crops, torch.from_numpy(np.concatenate(demo_crops(source.preprocess)))])


@torch.no_grad()
def _embeddings(encode: nn.Module, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Both, [N, D], of frames [N, 3, S, S]."""
    batches = [encode(batch)[:2] for batch in torch.split(frames, 8)]
    rgb, depth = zip(*batches, strict=True)
    return torch.cat(rgb), torch.cat(depth)
