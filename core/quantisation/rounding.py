"""Rounding as an int8 program rounds, in float32 and with gradients."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import InputError

LOWEST, HIGHEST = -128, 127
"""Of int8. Weights leave the lowest out, so that their zero is in the middle."""

LEAST_SCALE = 2.0**-12
"""Of an activation. XNNPACK asks that input scale x weight scale / output scale be at least 2^-32."""

LEAST_WEIGHT_SCALE = 2.0**-20
"""Of a weight's channel: with LEAST_SCALE enough for every output of a range up to 255.

The quantiser's own limit is that of activations. Half of a fused RepViT's second pointwise convolutions, and its stem,
which divides pixels by 255, lie below it, and would keep from 2 to 20 levels of their 255.
"""


Ranges = Mapping[str, tuple[float, float]]
"""(lowest, highest) value of an activation by the name of the graph's node that makes it."""


def check_ranges(ranges: Ranges, activations: Collection[str]) -> None:
    """InputError where `ranges` are not exactly those of `activations`, or one is no range."""
    for name in sorted({*activations, *ranges}):
        low, high = ranges.get(name, (math.nan, math.nan))
        if name not in activations or not -math.inf < low <= high < math.inf:
            fault = "lacks a range" if name not in ranges else f"has {low:g} to {high:g}"
            what = f"activation {name} {fault}" if name in activations else f"the model has no activation {name}"
            raise InputError(f"activation ranges: {what}; the run was made by another version, train it again")


class RoundedActivation(nn.Module):
    """Rounds to the int8 grid of a range that follows the extremes seen in training, slowly."""

    MOMENTUM = 0.01

    bounds: Tensor
    """float32 [2]: lowest, highest."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.register_buffer("bounds", torch.tensor([low, high]))
        self.follows = True

    def range(self) -> tuple[float, float]:
        """(lowest, highest)."""
        low, high = self.bounds.tolist()
        return low, high

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, float32."""
        if self.training and self.follows:
            seen = x.detach()
            # Extremes of a permuted tensor take several times as long.
            seen = seen.permute(0, 2, 3, 1) if seen.ndim == 4 and not seen.is_contiguous() else seen
            self.bounds.lerp_(torch.stack(torch.aminmax(seen)), self.MOMENTUM)
        scale, zero_point = grid(*self.range())
        rounded: Tensor = _ToGrid.apply(x, scale, LOWEST - zero_point, HIGHEST - zero_point)
        return rounded


class RoundedWeight(nn.Module):
    """Rounds each output channel to 254 steps between its largest magnitude and the negative of it."""

    def forward(self, weight: Tensor) -> Tensor:
        """[O, ...]."""
        largest = weight.detach().flatten(1).abs().amax(dim=1)
        scale = (largest / HIGHEST).clamp(min=LEAST_WEIGHT_SCALE).view(-1, *[1] * (weight.ndim - 1))
        rounded: Tensor = _ToSteps.apply(weight, scale)
        return rounded


def grid(low: float, high: float) -> tuple[float, int]:
    """(scale, zero point) of the int8 grid over a range and 0, in float32 as the observers of export compute them."""
    low32, high32 = np.float32(min(low, 0.0)), np.float32(max(high, 0.0))
    scale = max((high32 - low32) / np.float32(HIGHEST - LOWEST), np.float32(LEAST_SCALE))
    zero_point = LOWEST - round(low32 / scale)
    return float(scale), min(max(zero_point, LOWEST), HIGHEST)


# torch's own operator for this takes more than ten times as long on a CPU: longer than the convolution before it.
class _ToGrid(torch.autograd.Function):
    """x to the nearest of scale x {lowest..highest}; the gradient is 0 where x lies outside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, lowest: int, highest: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.edges = ((lowest - 0.5) * scale, (highest + 0.5) * scale)
        return x.clamp(lowest * scale, highest * scale).mul_(1.0 / scale).round_().mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradients[0], x, *ctx.edges), None, None, None


class _ToSteps(torch.autograd.Function):
    """The nearest multiples of `scale`; none lies outside."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Tensor) -> Tensor:
        return (weight * (1.0 / scale)).round_().mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None
