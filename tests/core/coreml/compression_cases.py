"""Operators that store tensors in fewer bits, and what torch says they give."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tests.core.coreml.cases import GENERATOR, Case, normal, number

SHAPE = (4, 6)
"""Of most constants here: their 24 elements go to the weight file, shorter ones into the program."""


def whole(low: int, high: int, dtype: type[Any], *shape: int) -> npt.NDArray[Any]:
    return GENERATOR.integers(low, high, shape).astype(dtype)


def constant(
    op: str,
    parts: Callable[..., dict[str, Any]],
    expected: Callable[..., Tensor],
    *weights: npt.NDArray[Any],
    shape: tuple[int, ...] = SHAPE,
    target: str = "iOS18",
) -> Case:
    """A compressed constant of `shape`, added to an input. `parts(types, *weights)` gives the operator's inputs."""

    def build(mb: Any, x: Any, *given: Any) -> Any:
        from coremltools.converters.mil.mil import types

        return mb.add(x=x, y=getattr(mb, op)(**parts(types, *given)))

    return Case(
        op=op,
        build=build,
        expected=lambda x, *given: x + expected(*given),
        shapes=(shape,),
        weights=weights,
        target=target,
    )


def packed(numbers: Tensor, bits: int) -> npt.NDArray[np.uint8]:
    """Numbers of `bits` bits, one behind the other from the lowest bit of the first byte on."""
    text = "".join(f"{int(number):0{bits}b}"[::-1] for number in numbers.flatten())
    text += "0" * (-len(text) % 8)
    return np.array([int(text[start : start + 8][::-1], 2) for start in range(0, len(text), 8)], np.uint8)


SCALES, ZEROS = np.array([0.5, 0.25, 0.125], np.float32), np.array([3, 120, 250], np.uint8)

ACTIVATIONS = [
    Case(
        op="quantize",
        build=lambda mb, x, scale: mb.quantize(input=x, scale=scale, output_dtype="int8"),
        expected=lambda x, scale: (x / scale).round().clamp(-128, 127),
        weights=(number(0.0078125),),
    ),
    Case(
        op="quantize",
        build=lambda mb, x, scale, zero: mb.quantize(
            input=x, scale=scale, zero_point=zero, axis=1, output_dtype="uint8"
        ),
        expected=lambda x, scale, zero: torch.stack(
            [(x[:, row] / scale[row] + int(zero[row])).round().clamp(0, 255) for row in range(3)],
            1,
        ),
        weights=(SCALES, ZEROS),
    ),
    Case(
        op="dequantize",
        build=lambda mb, x, scale: mb.dequantize(input=mb.cast(x=x, dtype="int8"), scale=scale),
        expected=lambda x, scale: x.char() * scale,
        weights=(number(0.3),),
    ),
    Case(
        op="dequantize",
        build=lambda mb, x, scale, zero: mb.dequantize(
            input=mb.cast(x=x, dtype="uint8"), scale=scale, zero_point=zero, axis=-2
        ),
        expected=lambda x, scale, zero: (x.byte().float() - zero[:, None].float()) * scale[:, None],
        weights=(SCALES, ZEROS),
        positive=True,
    ),
]

WEIGHTS = [
    *(
        constant(
            "constexpr_affine_dequantize",
            lambda types, data, zero, scale: {
                "quantized_data": data,
                "zero_point": zero,
                "scale": scale,
                "axis": np.int32(1),
            },
            lambda data, zero, scale: (data.float() - zero.float()) * scale,
            whole(low, low + 256, dtype, *SHAPE),
            whole(low, low + 256, dtype, 6),
            np.abs(normal(6)) / 8,
            target="iOS17",
        )
        for dtype, low in ((np.int8, -128), (np.uint8, 0))
    ),
    constant(
        "constexpr_affine_dequantize",
        lambda types, data, zero, scale: {
            "quantized_data": data,
            "zero_point": np.int8(zero),
            "scale": scale,
            "axis": np.int32(0),
        },
        lambda data, zero, scale: (data.float() - 3) * scale,
        whole(-128, 128, np.int8, *SHAPE),
        np.array(3, np.int8),
        number(0.0625),
        target="iOS17",
    ),
    # Blocks of a row, of the whole, and of two rows by three columns.
    *(
        constant(
            "constexpr_blockwise_shift_scale",
            lambda types, data, scale: {"data": data, "scale": scale},
            lambda data, scale: (
                data * scale.repeat_interleave(4 // scale.shape[0], 0).repeat_interleave(6 // scale.shape[1], 1)
            ),
            whole(-128, 128, np.int8, *SHAPE),
            normal(*blocks) / 8,
        )
        for blocks in ((4, 1), (1, 1), (2, 2))
    ),
    constant(
        "constexpr_blockwise_shift_scale",
        lambda types, data, scale, offset: {
            "data": data.astype(types.np_uint4_dtype),
            "scale": scale,
            "offset": offset.astype(types.np_uint4_dtype),
        },
        lambda data, scale, offset: (data.float() - offset.float()) * scale,
        whole(0, 16, np.uint8, *SHAPE),
        normal(4, 1) / 8,
        whole(0, 16, np.uint8, 4, 1),
    ),
    # As short that its numbers stand in the program.
    constant(
        "constexpr_blockwise_shift_scale",
        lambda types, data, scale: {"data": data.astype(types.np_int4_dtype), "scale": scale},
        lambda data, scale: data * scale,
        whole(-8, 8, np.int8, 1, 7),
        normal(1, 1),
        shape=(1, 7),
    ),
    Case(
        op="constexpr_cast",
        build=lambda mb, x, data: mb.cast(
            x=mb.add(
                x=mb.cast(x=x, dtype="fp32"),
                y=mb.constexpr_cast(source_val=data.astype(np.float16), output_dtype="fp32"),
            ),
            dtype="fp16",
        ),
        expected=lambda x, data: (x + data.half().float()).half().float(),
        shapes=(SHAPE,),
        weights=(normal(*SHAPE),),
    ),
    *(
        constant(
            "constexpr_lut_to_dense",
            lambda types, indices, lut: {
                "indices": packed(torch.tensor(indices), int(np.log2(len(lut)))),
                "lut": lut,
                "shape": np.array(SHAPE, np.uint32),
            },
            lambda indices, lut: lut[indices.long()],
            whole(0, 2**bits, np.uint8, *SHAPE),
            normal(2**bits),
            target="iOS17",
        )
        for bits in (1, 2, 4, 6, 8)
    ),
    # One table for all, and two by three.
    *(
        constant(
            "constexpr_lut_to_dense",
            lambda types, indices, lut: {"indices": indices.astype(types.np_uint3_dtype), "lut": lut},
            lambda indices, lut: torch.stack(
                [
                    torch.stack(
                        [
                            lut[row * lut.shape[0] // 4, column * lut.shape[1] // 6, int(indices[row, column]), 0]
                            for column in range(6)
                        ]
                    )
                    for row in range(4)
                ]
            ),
            whole(0, 8, np.uint8, *SHAPE),
            normal(*tables, 8, 1),
        )
        for tables in ((1, 1), (2, 3))
    ),
    # A pair of rows for each index.
    constant(
        "constexpr_lut_to_dense",
        lambda types, indices, lut: {
            "indices": indices.astype(types.np_uint1_dtype),
            "lut": lut,
            "vector_axis": np.int32(0),
        },
        lambda indices, lut: torch.stack(
            [lut[0, 0, indices[row // 2].long(), row % 2] for row in range(2 * len(indices))]
        ),
        whole(0, 2, np.uint8, 2, 6),
        normal(1, 1, 2, 2),
    ),
    constant(
        "constexpr_sparse_to_dense",
        lambda types, mask, values: {
            "nonzero_data": values,
            "mask": packed(torch.tensor(mask), 1),
            "shape": np.array(SHAPE, np.uint32),
        },
        lambda mask, values: torch.zeros(SHAPE).index_put((mask.bool(),), values),
        np.tri(*SHAPE, dtype=np.uint8),
        normal(10),
        target="iOS17",
    ),
    constant(
        "constexpr_sparse_to_dense",
        lambda types, mask, values: {"nonzero_data": values, "mask": mask.astype(types.np_uint1_dtype)},
        lambda mask, values: torch.zeros(SHAPE).index_put((mask.bool(),), values),
        np.tri(*SHAPE, dtype=np.uint8),
        normal(10),
    ),
]

COMPRESSION = [*ACTIVATIONS, *WEIGHTS]
