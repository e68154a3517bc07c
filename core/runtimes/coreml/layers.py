"""Operators with weights, and those of attention, normalisation and pooling."""

from math import ceil, sqrt
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from core.runtimes.coreml.arguments import Arguments, Operator
from core.runtimes.coreml.values import UnreadableError

_CONVOLUTIONS: Final = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
_MAXIMA: Final = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}
_AVERAGES: Final = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}


def _conv(a: Arguments) -> Tensor:
    x, weight = a.tensor("x"), a.tensor("weight")
    ones = [1] * (x.ndim - 2)
    strides, dilations = a.ints("strides", ones), a.ints("dilations", ones)
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
    before, after = _padding(a, x, reach, strides)
    if before != after:
        x, before = _padded(x, before, after, 0.0), [0] * len(before)
    return _CONVOLUTIONS[x.ndim](x, weight, a.optional("bias"), strides, before, dilations, a.integer("groups", 1))


def _padding(a: Arguments, x: Tensor, reach: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    """Elements before and after each spatial dimension of `x`, for windows of `reach` elements."""
    kind = a.text("pad_type", "valid")
    if kind == "valid":
        return [0] * len(reach), [0] * len(reach)
    if kind == "custom":
        pad = a.ints("pad", [0] * 2 * len(reach))
        return pad[0::2], pad[1::2]
    if kind not in ("same", "same_lower"):
        raise UnreadableError(f"its pad_type is {kind!r}, known are valid, custom, same, same_lower")
    whole = [
        max(0, (ceil(size / stride) - 1) * stride + window - size)
        for size, window, stride in zip(x.shape[2:], reach, strides, strict=True)
    ]
    smaller, larger = [pad // 2 for pad in whole], [pad - pad // 2 for pad in whole]
    return (smaller, larger) if kind == "same" else (larger, smaller)


def _padded(x: Tensor, before: list[int], after: list[int], value: float) -> Tensor:
    # torch lists the last dimension first.
    pairs = [size for pair in zip(reversed(before), reversed(after), strict=True) for size in pair]
    return F.pad(x, pairs, value=value)


def _linear(a: Arguments) -> Tensor:
    return F.linear(a.tensor("x"), a.tensor("weight"), a.optional("bias"))


def _matmul(a: Arguments) -> Tensor:
    x, y = a.tensor("x"), a.tensor("y")
    x = x.transpose(-1, -2) if a.flag("transpose_x", False) else x
    y = y.transpose(-1, -2) if a.flag("transpose_y", False) else y
    return x @ y


def _einsum(a: Arguments) -> Tensor:
    return torch.einsum(a.text("equation"), *a.tensors("values"))


def _attention(a: Arguments) -> Tensor:
    query, key, value = a.tensor("query"), a.tensor("key"), a.tensor("value")
    scores = query @ key.transpose(-1, -2) / sqrt(query.shape[-1])
    mask = a.optional("attn_mask")
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(-1) @ value


def _batch_norm(a: Arguments) -> Tensor:
    mean, variance = a.tensor("mean"), a.tensor("variance")
    return F.batch_norm(
        a.tensor("x"), mean, variance, a.optional("gamma"), a.optional("beta"), eps=a.number("epsilon", 1e-5)
    )


def _instance_norm(a: Arguments) -> Tensor:
    return F.instance_norm(
        a.tensor("x"), weight=a.optional("gamma"), bias=a.optional("beta"), eps=a.number("epsilon", 1e-5)
    )


def _layer_norm(a: Arguments) -> Tensor:
    x, gamma, beta = a.tensor("x"), a.optional("gamma"), a.optional("beta")
    axes = [axis % x.ndim for axis in a.ints("axes", range(x.ndim))]
    normed = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    centred = x - x.mean(axes, keepdim=True)
    result = centred / (centred.square().mean(axes, keepdim=True) + a.number("epsilon", 1e-5)).sqrt()
    result = result if gamma is None else result * gamma.reshape(normed)
    return result if beta is None else result + beta.reshape(normed)


def _l2_norm(a: Arguments) -> Tensor:
    x = a.tensor("x")
    return x / (x.square().sum((-3, -2, -1), keepdim=True) + a.number("epsilon", 1e-6)).sqrt()


def _max_pool(a: Arguments) -> Tensor:
    x, sizes, strides, before, after = _windows(a)
    return _MAXIMA[x.ndim](_padded(x, before, after, -torch.inf), sizes, strides)


def _avg_pool(a: Arguments) -> Tensor:
    x, sizes, strides, before, after = _windows(a)
    average = _AVERAGES[x.ndim]
    result = average(_padded(x, before, after, 0.0), sizes, strides)
    if not a.flag("exclude_padding_from_average", False):
        return result
    return result / average(_padded(torch.ones_like(x), before, after, 0.0), sizes, strides)


def _windows(a: Arguments) -> tuple[Tensor, list[int], list[int], list[int], list[int]]:
    """The input of a pooling, its kernel sizes, its strides, and what is padded before and after."""
    x, sizes = a.tensor("x"), a.ints("kernel_sizes")
    if a.flag("ceil_mode", False):
        raise UnreadableError("its ceil_mode is not known")
    strides = a.ints("strides", [1] * len(sizes))
    return x, sizes, strides, *_padding(a, x, sizes, strides)


LAYERS: Final[dict[str, Operator]] = {
    "avg_pool": _avg_pool,
    "batch_norm": _batch_norm,
    "conv": _conv,
    "einsum": _einsum,
    "instance_norm": _instance_norm,
    "l2_norm": _l2_norm,
    "layer_norm": _layer_norm,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "scaled_dot_product_attention": _attention,
}
