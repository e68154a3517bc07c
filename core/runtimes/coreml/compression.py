"""Operators that store a tensor in fewer bits: quantised activations, and the ways weights are compressed.

iOS 17 and iOS 18 give two of the `constexpr_*` operators the same name and other inputs; which of them it is shows in
whether there is a `shape`.
"""

from math import log2, prod
from typing import Final

import torch
from torch import Tensor

from core.runtimes.coreml.arguments import Arguments, Operator
from core.runtimes.coreml.values import UnreadableError, unpacked

_RANGES: Final = {"int8": (torch.int8, -128, 127), "uint8": (torch.uint8, 0, 255)}


def _quantize(a: Arguments) -> Tensor:
    x = a.tensor("input")
    dtype, lowest, highest = a.choice("output_dtype", _RANGES)
    zero_point = a.optional("zero_point")
    numbers = (x / _along_axis(a.tensor("scale"), a, x)).round()
    numbers = numbers if zero_point is None else numbers + _along_axis(zero_point, a, x)
    return numbers.clamp(lowest, highest).to(dtype)


def _dequantize(a: Arguments) -> Tensor:
    return _affine(a, a.tensor("input"))


def _affine_dequantize(a: Arguments) -> Tensor:
    return _affine(a, a.tensor("quantized_data"))


def _affine(a: Arguments, numbers: Tensor) -> Tensor:
    zero_point = a.optional("zero_point")
    shifted = numbers.float() if zero_point is None else numbers.float() - _along_axis(zero_point, a, numbers).float()
    return shifted * _along_axis(a.tensor("scale"), a, numbers)


def _along_axis(parameter: Tensor, a: Arguments, x: Tensor) -> Tensor:
    """One number for the whole of `x`, or a vector along the operator's `axis`, shaped to broadcast."""
    if parameter.ndim == 0:
        return parameter
    shape = [1] * x.ndim
    shape[a.integer("axis")] = -1
    return parameter.reshape(shape)


def _blockwise_shift_scale(a: Arguments) -> Tensor:
    data, offset = a.tensor("data").float(), a.optional("offset")
    shifted = data if offset is None else data - _spread(offset.float(), data)
    return shifted * _spread(a.tensor("scale"), data)


def _spread(parameter: Tensor, data: Tensor) -> Tensor:
    """A number of each block, repeated over the elements of `data` in that block; one block broadcasts by itself."""
    for axis, (size, blocks) in enumerate(zip(data.shape, parameter.shape, strict=True)):
        if size % blocks:
            raise UnreadableError(f"{blocks} blocks do not divide {size} elements")
        if blocks > 1:
            parameter = parameter.repeat_interleave(size // blocks, axis)
    return parameter


def _lut_to_dense(a: Arguments) -> Tensor:
    lut = a.tensor("lut")
    if "shape" in a:
        shape = a.ints("shape")
        return lut[unpacked(a.tensor("indices"), int(log2(len(lut))), prod(shape))].reshape(shape)
    indices = a.tensor("indices").long()
    groups = lut.shape[:-2]
    vectors = lut.flatten(0, -3)[_group_of(indices, groups), indices]
    if lut.shape[-1] == 1:
        return vectors.squeeze(-1)
    axis = a.integer("vector_axis") % indices.ndim
    return vectors.movedim(-1, axis + 1).flatten(axis, axis + 1)


def _group_of(indices: Tensor, groups: tuple[int, ...]) -> Tensor:
    """Which of the tables, counted through all dimensions, each element of `indices` looks its value up in."""
    group = torch.zeros(indices.shape, dtype=torch.int64, device=indices.device)
    for axis, (size, count) in enumerate(zip(indices.shape, groups, strict=True)):
        if size % count:
            raise UnreadableError(f"{count} tables do not divide {size} elements")
        place = torch.arange(size, device=indices.device) // (size // count)
        group = group * count + place.reshape([-1 if other == axis else 1 for other in range(indices.ndim)])
    return group


def _sparse_to_dense(a: Arguments) -> Tensor:
    values, mask = a.tensor("nonzero_data"), a.tensor("mask")
    if "shape" in a:
        shape = a.ints("shape")
        mask = unpacked(mask, 1, prod(shape)).reshape(shape)
    if not mask.is_meta and int(mask.sum()) != len(values):
        raise UnreadableError(f"its mask has {int(mask.sum())} places for {len(values)} values")
    return torch.zeros(mask.shape, dtype=values.dtype, device=mask.device).masked_scatter(mask.bool(), values)


def _constexpr_cast(a: Arguments) -> Tensor:
    return a.tensor("source_val")


COMPRESSION: Final[dict[str, Operator]] = {
    "constexpr_affine_dequantize": _affine_dequantize,
    "constexpr_blockwise_shift_scale": _blockwise_shift_scale,
    "constexpr_cast": _constexpr_cast,
    "constexpr_lut_to_dense": _lut_to_dense,
    "constexpr_sparse_to_dense": _sparse_to_dense,
    "dequantize": _dequantize,
    "quantize": _quantize,
}
