"""Which parts of an int8 `encode` stay float32: found one by one, cheap ones first, on a simulation of the program."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.quantisation import QuantisedTraining, quantised
from export.golden import demo_crops
from export.parity import faces
from export.source import Source

LIGHT = ("trunk.*.token_mixer", "trunk.*_downsample", "trunk.stem", "depth_head")
"""What costs little in float32: of RepViT-M0.9 all of it is 9 % of the multiply-adds and 5 % of the weights.

The first two, with the sums and products that follow from them, are a RepViT's residual stream, which in int8 is
rounded three times a block and adds the errors up. The pointwise convolutions beside it, with nearly all weights and
multiply-adds, round what they are given and what they add to it.
"""

HEAVY = ("trunk.stages.0", "trunk.stages.1", "trunk.stages.2", "trunk.stages.3")
"""What the program is int8 for."""

PARTS = LIGHT + HEAVY
"""What is int8 or float32 as one: submodules, `*` stands for anything, dots too."""

SAFE_COSINE = 0.9955
"""Of either embedding on every face, before lowering; a margin above the limit that the written program is held to."""

CALIBRATION_CROPS = 32


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A scheme that was tried and refused."""

    float_parts: tuple[str, ...]
    cosine: float
    """Least of either embedding with the float program's, over all faces."""
    reason: str = f"an embedding's cosine is below {SAFE_COSINE}"
    """Why it was refused, in words."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """The parts that stay float32, and what was tried before."""

    float_parts: tuple[str, ...] = ()
    rejected: tuple[Trial, ...] = ()

    @property
    def is_all_float(self) -> bool:
        """Whether nothing is left to be int8."""
        return set(self.float_parts) == set(PARTS)


def int8_encode(encode: nn.Module, source: Source, refused: Sequence[Trial] = ()) -> tuple[nn.Module, Scheme]:
    """The first int8 program of `encode` whose embeddings hold, and its scheme.

    From all in int8 on, each next scheme leaves one more part in float32, a heavy one only after all light ones: the
    one that gains most on a simulation, which tries a part in a fraction of the time that a program takes. What the
    simulation accepts the program itself must show. Ranges are those that were trained, else calibrated ones. Where
    none holds, all is float32 in the end.

    `refused` are all schemes of an earlier search and, last, the one that it ended with: the search goes on from there.
    """
    crops = _calibration(source)
    shown = torch.from_numpy(np.concatenate(faces(source)))
    wanted = _embeddings(encode, shown)

    def program(float_parts: tuple[str, ...]) -> tuple[nn.Module, float]:
        made = quantised(encode, torch.split(crops, 1), float_parts=float_parts, ranges=source.activation_ranges)
        return made, _least_cosine(wanted, _embeddings(made, shown, size=1))

    rejected = list(refused)
    if not rejected:
        made, cosine = program(())
        if cosine >= SAFE_COSINE:
            return made, Scheme()
        rejected.append(Trial(float_parts=(), cosine=cosine))
    simulated = QuantisedTraining(encode, torch.split(crops, 8)).eval()
    if source.activation_ranges is not None:
        simulated.restore(source.activation_ranges)
    while True:
        schemes = [(*rejected[-1].float_parts, part) for part in _next_parts(rejected[-1].float_parts)]
        foretold = [_least_cosine(wanted, _embeddings(simulated.with_float(parts), shown)) for parts in schemes]
        cosine = max(foretold)
        scheme = Scheme(float_parts=schemes[foretold.index(cosine)], rejected=tuple(rejected))
        if cosine >= SAFE_COSINE or scheme.is_all_float:
            made, cosine = program(scheme.float_parts)
            if cosine >= SAFE_COSINE or scheme.is_all_float:
                return made, scheme
        rejected.append(Trial(float_parts=scheme.float_parts, cosine=cosine))


def _next_parts(float_parts: Collection[str]) -> list[str]:
    """One of which is left in float32 next, beside `float_parts`."""
    left = [part for part in LIGHT if part not in float_parts]
    return left or [part for part in HEAVY if part not in float_parts]


def _calibration(source: Source) -> Tensor:
    """float32 [N, 3, S, S]: every second crop of the run, and the golden faces.

    One of those lies mostly beside its picture. A device meets such faces and a run may keep none: ranges that clip
    them cost more than all else that is rounded.
    """
    crops = source.crops[::2][:CALIBRATION_CROPS]
    return torch.cat([crops, torch.from_numpy(np.concatenate(demo_crops(source.preprocess)))])


@torch.no_grad()
def _embeddings(encode: nn.Module, frames: Tensor, size: int = 8) -> tuple[Tensor, Tensor]:
    """Both, [N, D], of frames [N, 3, S, S], `size` at a time: an exported program takes one."""
    batches = [encode(batch)[:2] for batch in torch.split(frames, size)]
    rgb, depth = zip(*batches, strict=True)
    return torch.cat(rgb), torch.cat(depth)


def _least_cosine(wanted: tuple[Tensor, Tensor], got: tuple[Tensor, Tensor]) -> float:
    """Least of all rows of both; 0 where one is no number, which compares false with everything."""
    return min(float(torch.cosine_similarity(a, b).nan_to_num(0.0).min()) for a, b in zip(wanted, got, strict=True))
