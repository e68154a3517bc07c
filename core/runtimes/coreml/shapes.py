"""Operators that move elements and compute none."""

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from core.runtimes.coreml.arguments import Arguments, Operator
from core.runtimes.coreml.values import UnreadableError


def _reshape(a: Arguments) -> Tensor:
    x, shape = a.tensor("x"), a.ints("shape")
    # 0 stands for the input's own size, at the same place.
    return x.reshape([size or x.shape[axis] for axis, size in enumerate(shape)])


def _transpose(a: Arguments) -> Tensor:
    return a.tensor("x").permute(a.ints("perm"))


def _expand_dims(a: Arguments) -> Tensor:
    x, axes = a.tensor("x"), a.ints("axes")
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(a: Arguments) -> Tensor:
    x = a.tensor("x")
    return x.squeeze(tuple(a.ints("axes", range(x.ndim))))


def _concat(a: Arguments) -> Tensor:
    values = a.tensors("values")
    axis = a.integer("axis") % values[0].ndim
    if a.flag("interleave", False):
        return torch.stack(values, axis + 1).flatten(axis, axis + 1)
    return torch.cat(values, axis)


def _stack(a: Arguments) -> Tensor:
    return torch.stack(a.tensors("values"), a.integer("axis"))


def _split(a: Arguments) -> Sequence[Tensor]:
    x, axis = a.tensor("x"), a.integer("axis")
    if "split_sizes" in a:
        return torch.split(x, a.ints("split_sizes"), axis)
    return torch.split(x, x.shape[axis] // a.integer("num_splits"), axis)


def _slice_by_index(a: Arguments) -> Tensor:
    x = a.tensor("x")
    begin, end, none = a.ints("begin"), a.ints("end"), [0] * x.ndim
    strides = a.ints("stride", [1] * x.ndim)
    begin_mask, end_mask = a.ints("begin_mask", none), a.ints("end_mask", none)
    squeezed = a.ints("squeeze_mask", none)
    # From the last axis on, so that a squeezed one moves none that is still to come.
    for axis in reversed(range(x.ndim)):
        if squeezed[axis]:
            x = x.select(axis, begin[axis])
            continue
        bounds = slice(None if begin_mask[axis] else begin[axis], None if end_mask[axis] else end[axis], strides[axis])
        places = range(x.shape[axis])[bounds]
        if len(places) != x.shape[axis] or strides[axis] < 0:
            x = x.index_select(axis, torch.tensor(places, dtype=torch.int64, device=x.device))
    return x


def _slice_by_size(a: Arguments) -> Tensor:
    x = a.tensor("x")
    for axis, (begin, size) in enumerate(zip(a.ints("begin"), a.ints("size"), strict=True)):
        start = begin % x.shape[axis]
        x = x.narrow(axis, start, x.shape[axis] - start if size == -1 else size)
    return x


def _tile(a: Arguments) -> Tensor:
    return a.tensor("x").repeat(a.ints("reps"))


def _pad(a: Arguments) -> Tensor:
    x, pad = a.tensor("x"), a.ints("pad")
    mode = a.choice("mode", {"constant": "constant", "reflect": "reflect", "replicate": "replicate"}, "constant")
    # MIL lists the first of the padded dimensions first, torch the last; torch reflects only the dimensions it needs.
    pairs = [number for axis in reversed(range(0, len(pad), 2)) for number in pad[axis : axis + 2]]
    while mode != "constant" and len(pairs) > 2 and pairs[-2:] == [0, 0]:
        pairs = pairs[:-2]
    return F.pad(x, pairs, mode, a.number("constant_val", 0.0) if mode == "constant" else None)


def _fill(a: Arguments) -> Tensor:
    return a.tensor("value").expand(a.ints("shape"))


def _gather(a: Arguments) -> Tensor:
    x, indices = a.tensor("x"), a.tensor("indices")
    if a.integer("batch_dims", 0) != 0:
        raise UnreadableError("its batch_dims are not known")
    axis = a.integer("axis", 0) % x.ndim
    found = x.index_select(axis, indices.long().flatten())
    return found.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _pixel_shuffle(a: Arguments) -> Tensor:
    return F.pixel_shuffle(a.tensor("x"), a.integer("upscale_factor"))


SHAPES: Final[dict[str, Operator]] = {
    "concat": _concat,
    "expand_dims": _expand_dims,
    "fill": _fill,
    "gather": _gather,
    "pad": _pad,
    "pixel_shuffle": _pixel_shuffle,
    "reshape": _reshape,
    "slice_by_index": _slice_by_index,
    "slice_by_size": _slice_by_size,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "tile": _tile,
    "transpose": _transpose,
}
