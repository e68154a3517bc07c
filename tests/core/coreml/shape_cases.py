"""Operators that move elements or resize pictures, and what torch says they give."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.core.coreml.cases import Case, number


def shaped(
    op: str, expected: Callable[..., Tensor | Sequence[Tensor]], *shapes: tuple[int, ...], **options: Any
) -> Case:
    return Case(
        op=op,
        build=lambda mb, x: getattr(mb, op)(x=x, **options),
        expected=expected,
        shapes=shapes or ((2, 3, 4),),
    )


def joined(op: str, expected: Callable[..., Tensor], *shapes: tuple[int, ...], **options: Any) -> Case:
    return Case(
        op=op, build=lambda mb, *x: getattr(mb, op)(values=x, **options), expected=expected, shapes=tuple(shapes)
    )


SHAPES = [
    shaped("reshape", lambda x: x.reshape(3, 8), shape=[3, -1]),
    shaped("reshape", lambda x: x.reshape(2, 12, 1), shape=[0, 12, 1]),
    shaped("transpose", lambda x: x.permute(2, 0, 1), perm=[2, 0, -2]),
    shaped("expand_dims", lambda x: x[None, :, :, :, None], axes=[-1, 0]),
    shaped("squeeze", lambda x: x[0, :, 0], (1, 3, 1, 4), axes=[0, -2]),
    shaped("squeeze", lambda x: x[0, :, 0], (1, 3, 1, 4)),
    joined("concat", lambda x, y: torch.cat([x, y], 1), (2, 3, 4), (2, 1, 4), axis=1),
    joined("concat", lambda x, y: torch.cat([x, y], -1), (2, 3), (2, 1), axis=-1),
    joined(
        "concat",
        lambda x, y: torch.stack([x, y], 1).reshape(4, 3),
        (2, 3),
        (2, 3),
        axis=0,
        interleave=True,
    ),
    joined("stack", lambda x, y: torch.stack([x, y], 1), (2, 3), (2, 3), axis=1),
    shaped("split", lambda x: [x[:, :1], x[:, 1:]], axis=1, split_sizes=[1, 2]),
    shaped("split", lambda x: [x[..., :2], x[..., 2:]], axis=-1, num_splits=2),
    shaped("slice_by_index", lambda x: x[:, 1:3, 0:4:2], begin=[0, 1, 0], end=[2, 3, 4], stride=[1, 1, 2]),
    shaped(
        "slice_by_index",
        lambda x: x[-1, :2, 1:],
        begin=[-1, 2, 1],
        end=[0, 2, 2],
        begin_mask=[False, True, False],
        end_mask=[False, False, True],
        squeeze_mask=[True, False, False],
    ),
    shaped(
        "slice_by_index",
        lambda x: x.flip(2)[:1],
        begin=[0, 0, 0],
        end=[1, 3, 0],
        stride=[1, 1, -1],
        begin_mask=[False, False, True],
        end_mask=[False, False, True],
    ),
    shaped("slice_by_size", lambda x: x[1:2, :, 1:3], begin=[1, 0, -3], size=[1, -1, 2]),
    shaped("tile", lambda x: x.repeat(1, 2, 3), reps=[1, 2, 3]),
    shaped("pad", lambda x: F.pad(x, (2, 0, 1, 3)), pad=[1, 3, 2, 0]),
    Case(
        op="pad",
        build=lambda mb, x, value: mb.pad(x=x, pad=[0, 0, 0, 0, 1, 1], mode="constant", constant_val=value),
        expected=lambda x, value: F.pad(x, (1, 1), value=float(value)),
        weights=(number(-1.5),),
    ),
    shaped(
        "pad", lambda x: F.pad(x, (2, 1, 1, 0), "reflect"), (1, 2, 4, 5), pad=[0, 0, 0, 0, 1, 0, 2, 1], mode="reflect"
    ),
    shaped("pad", lambda x: F.pad(x, (2, 1), "replicate"), pad=[2, 1], mode="replicate"),
    Case(
        op="fill",
        build=lambda mb, x, value: mb.add(x=x, y=mb.fill(shape=[2, 3, 4], value=value)),
        expected=lambda x, value: x + value,
        weights=(number(2.5),),
    ),
    shaped("gather", lambda x: x[:, [2, 0, 0]], indices=np.array([2, 0, 0], np.int32), axis=1),
    shaped("gather", lambda x: x[..., [[1, 3]]], indices=np.array([[1, 3]], np.uint16), axis=-1),
    shaped("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), (1, 8, 3, 2), upscale_factor=2),
]


def sampled(mode: str, *points: float) -> list[Case]:
    """The grid that MIL's documentation lists for 2 given elements and `points` wanted ones."""

    def expected(x: Tensor) -> Tensor:
        return x[..., :1] + torch.tensor(points) * (x[..., 1:] - x[..., :1])

    options = {"target_size_height": 1, "target_size_width": len(points), "sampling_mode": mode}
    return [
        shaped("resize_bilinear", expected, (1, 2, 1, 2), **options),
        shaped("resize", expected, (1, 2, 1, 2), shape=[1, len(points)], resized_dims=np.uint32(2), sampling_mode=mode),
    ]


def scaled(op: str, expected: Callable[[Tensor], Tensor], height: float, width: float, **options: Any) -> Case:
    return shaped(op, expected, (1, 2, 4, 6), scale_factor_height=height, scale_factor_width=width, **options)


def interpolated(x: Tensor, size: tuple[int, int], mode: str = "bilinear", corners: bool | None = None) -> Tensor:
    return F.interpolate(x, size, mode=mode, align_corners=corners)


RESIZING = [
    scaled("upsample_bilinear", lambda x: interpolated(x, (8, 18), corners=False), 2, 3, align_corners=False),
    scaled("upsample_bilinear", lambda x: interpolated(x, (8, 9), corners=True), 2.0, 1.5, align_corners=True),
    scaled(
        "upsample_bilinear",
        lambda x: interpolated(x, (8, 12), corners=False),
        2,
        2,
        align_corners=False,
        half_pixel_centers=True,
    ),
    # Without either, the grid begins at the first pixel and steps by the inverse scale.
    scaled(
        "upsample_bilinear",
        lambda x: (x[..., [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]] + x[..., [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5]]) / 2,
        1,
        2,
        align_corners=False,
        half_pixel_centers=False,
    ),
    scaled("upsample_nearest_neighbor", lambda x: interpolated(x, (8, 18), "nearest"), 2, 3),
    shaped(
        "resize_nearest_neighbor",
        lambda x: interpolated(x, (7, 3), "nearest"),
        (1, 2, 4, 6),
        target_size_height=7,
        target_size_width=3,
    ),
    shaped(
        "resize_bilinear",
        lambda x: interpolated(x, (7, 3), corners=False),
        (1, 2, 4, 6),
        target_size_height=7,
        target_size_width=3,
        sampling_mode="UNALIGN_CORNERS",
    ),
    *sampled("UNALIGN_CORNERS", 0.0, 0.1, 0.5, 0.9, 1.0),
    *sampled("STRICT_ALIGN_CORNERS", 0.0, 0.25, 0.5, 0.75, 1.0),
    *sampled("ALIGN_CORNERS", 0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    *sampled("ALIGN_CORNERS", 0.5),
    *sampled("DEFAULT", 0.0, 0.4, 0.8, 1.0, 1.0),
    *sampled("OFFSET_CORNERS", 0.1, 0.3, 0.5, 0.7, 0.9),
]
