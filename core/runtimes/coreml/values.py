"""Types and constants of a MIL program, and the tensors that hold them.

Half precision is held in float32, every value rounded to the nearest float16. An accelerator multiplies halves,
accumulates wider and rounds when it writes a result: so does an operator here, which computes in float32 and whose
result is rounded to what the program declares.
"""

from dataclasses import dataclass
from math import prod
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Value = Tensor | str

MOST_ELEMENTS: Final = 2**28
"""Of one tensor, constant or computed: 1 GiB in float32, a hundred times what a student needs."""

HELD: Final = {
    "BOOL": torch.bool,
    "FLOAT16": torch.float32,
    "FLOAT32": torch.float32,
    "INT4": torch.int8,
    "INT8": torch.int8,
    "INT16": torch.int16,
    "INT32": torch.int32,
    "UINT1": torch.uint8,
    "UINT2": torch.uint8,
    "UINT3": torch.uint8,
    "UINT4": torch.uint8,
    "UINT6": torch.uint8,
    "UINT8": torch.uint8,
    # torch computes little in these two: the next wider type holds them.
    "UINT16": torch.int32,
    "UINT32": torch.int64,
}
"""What holds each element type. Types of fewer than 8 bits take a byte an element."""

_STORED: Final = {
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "UINT32": np.uint32,
}
"""Types whose constants inside the program are raw little-endian bytes, as numpy reads them."""

_PACKED: Final = {"UINT1": 1, "UINT2": 2, "UINT3": 3, "UINT4": 4, "INT4": 4, "UINT6": 6}
"""Bits of the types whose constants inside the program share bytes."""


class UnreadableError(ValueError):
    """The package, or the program in it, cannot be executed: one line that says why, without the file's name."""


class Weights(Protocol):
    """Where a program's large constants are."""

    def read(self, file: str, offset: int, dtype: str) -> npt.NDArray[Any]:
        """The elements, flat, of the blob that begins at `offset` of `file`; UnreadableError where there is none."""
        ...


@dataclass(frozen=True)
class TensorType:
    """An element type by its MIL name, and a shape without unknown dimensions."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype.lower()}{list(self.shape)}"


def read_type(declared: Any) -> TensorType:
    """The type that a MIL `ValueType` declares; UnreadableError for anything but a tensor of known shape."""
    kind = declared.WhichOneof("type")
    if kind != "tensorType":
        raise UnreadableError(f"only tensors are known, not a {kind}")
    tensor = declared.tensorType
    if any(dimension.WhichOneof("dimension") != "constant" for dimension in tensor.dimensions):
        raise UnreadableError("a dimension is not known before the program runs")
    shape = tuple(int(dimension.constant.size) for dimension in tensor.dimensions)
    names = tensor.DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number
    dtype = names[tensor.dataType].name if tensor.dataType in names else str(tensor.dataType)
    found = TensorType(dtype, shape)
    if dtype not in HELD and dtype != "STRING":
        raise UnreadableError(f"elements of type {dtype.lower()} are not known")
    if tensor.rank != len(shape) or prod(shape) > MOST_ELEMENTS:
        raise UnreadableError(f"a tensor of type {found} and rank {tensor.rank} cannot be")
    return found


def read_value(value: Any, weights: Weights) -> Value:
    """The constant of a MIL `Value`, from the program itself or from `weights`."""
    declared = read_type(value.type)
    if value.WhichOneof("value") == "blobFileValue":
        blob = value.blobFileValue
        numbers = weights.read(blob.fileName, int(blob.offset), declared.dtype)
    elif value.WhichOneof("value") == "immediateValue" and value.immediateValue.WhichOneof("value") == "tensor":
        if declared.dtype == "STRING":
            return _text(value.immediateValue.tensor)
        numbers = _immediate(value.immediateValue.tensor, declared)
    else:
        raise UnreadableError(f"a constant of type {declared} has no value")
    if numbers.size != prod(declared.shape):
        raise UnreadableError(f"a constant of type {declared} has {numbers.size} elements")
    return torch.tensor(numbers).to(HELD[declared.dtype]).reshape(declared.shape)


def as_declared(tensor: Tensor, declared: TensorType) -> Tensor:
    """`tensor`, rounded to `declared`; UnreadableError where shape or kind (float, integer, boolean) is another."""
    held = HELD[declared.dtype]
    same_kind = tensor.is_floating_point() == held.is_floating_point and (tensor.dtype == torch.bool) == (
        held == torch.bool
    )
    if tuple(tensor.shape) != declared.shape or not same_kind:
        came = f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
        raise UnreadableError(f"gives {came} where {declared} is declared")
    return tensor.half().float() if declared.dtype == "FLOAT16" else tensor.to(held)


def unpacked(packed: Tensor, bits: int, count: int) -> Tensor:
    """int64 [count] from uint8 [M]: numbers of `bits` bits, one behind the other from the lowest bit of byte 0."""
    place = torch.arange(count * bits, device=packed.device)
    single = (packed.long()[place // 8] >> place % 8) & 1
    return (single.reshape(count, bits) << torch.arange(bits, device=packed.device)).sum(1)


def _text(tensor: Any) -> str:
    if len(tensor.strings.values) != 1:
        raise UnreadableError(f"a constant string has {len(tensor.strings.values)} values")
    return str(tensor.strings.values[0])


def _immediate(tensor: Any, declared: TensorType) -> npt.NDArray[Any]:
    field = tensor.WhichOneof("value")
    if field in ("floats", "ints", "bools", "longInts", "doubles"):
        return np.array(getattr(tensor, field).values)
    if field != "bytes":
        raise UnreadableError(f"a constant of type {declared} is stored as {field}")
    raw = tensor.bytes.values
    if declared.dtype in _PACKED:
        bits = _PACKED[declared.dtype]
        numbers = unpacked(torch.tensor(list(raw), dtype=torch.uint8), bits, prod(declared.shape)).numpy()
        return np.where(numbers >= 2 ** (bits - 1), numbers - 2**bits, numbers) if declared.dtype == "INT4" else numbers
    if declared.dtype not in _STORED or len(raw) % np.dtype(_STORED[declared.dtype]).itemsize:
        raise UnreadableError(f"a constant of type {declared} is stored as {len(raw)} bytes")
    return np.frombuffer(raw, _STORED[declared.dtype])
