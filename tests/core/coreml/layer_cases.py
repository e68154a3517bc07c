"""Operators with weights, of attention, normalisation and pooling, and what torch says they give."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.core.coreml.cases import Case, normal, number

PICTURE = (1, 4, 7, 9)


def conv(expected: Callable[..., Tensor], *weight: int, shape: tuple[int, ...] = PICTURE, **options: Any) -> Case:
    return Case(
        op="conv",
        build=lambda mb, x, w, b: mb.conv(x=x, weight=w, bias=b, **options),
        expected=expected,
        shapes=(shape,),
        weights=(normal(*weight), normal(weight[0])),
    )


def pool(op: str, expected: Callable[[Tensor], Tensor], **options: Any) -> Case:
    return Case(op=op, build=lambda mb, x: getattr(mb, op)(x=x, **options), expected=expected, shapes=(PICTURE,))


def matmul(expected: Callable[[Tensor, Tensor], Tensor], *shapes: tuple[int, ...], **options: Any) -> Case:
    return Case(
        op="matmul", build=lambda mb, x, y: mb.matmul(x=x, y=y, **options), expected=expected, shapes=tuple(shapes)
    )


LAYERS = [
    conv(F.conv2d, 6, 4, 3, 3, pad_type="valid"),
    conv(
        lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 2), groups=2),
        *(6, 2, 3, 3),
        pad_type="custom",
        pad=[1, 1, 2, 2],
        strides=[2, 1],
        groups=2,
    ),
    conv(lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=4), 4, 1, 3, 3, pad_type="same", groups=4),
    conv(
        lambda x, w, b: F.conv2d(F.pad(x, (0, 1, 2, 0)), w, b, dilation=2),
        *(5, 4, 2, 2),
        pad_type="custom",
        pad=[2, 0, 0, 1],
        dilations=[2, 2],
    ),
    # 7 rows in steps of 2 need one row more, 9 columns in steps of 2 one column more.
    conv(lambda x, w, b: F.conv2d(F.pad(x, (0, 1, 0, 1)), w, b, 2), 3, 4, 2, 2, pad_type="same", strides=[2, 2]),
    conv(lambda x, w, b: F.conv2d(F.pad(x, (1, 0, 1, 0)), w, b, 2), 3, 4, 2, 2, pad_type="same_lower", strides=[2, 2]),
    conv(lambda x, w, b: F.conv1d(x, w, b, padding=1), 3, 4, 3, shape=(2, 4, 8), pad_type="same"),
    conv(F.conv3d, 2, 3, 2, 2, 2, shape=(1, 3, 4, 4, 4), pad_type="valid"),
    Case(
        op="conv",
        build=lambda mb, x, w: mb.conv(x=x, weight=w),
        expected=F.conv2d,
        shapes=(PICTURE,),
        weights=(normal(5, 4, 1, 1),),
    ),
    Case(
        op="linear",
        build=lambda mb, x, w, b: mb.linear(x=x, weight=w, bias=b),
        expected=lambda x, w, b: x @ w.T + b,
        weights=(normal(5, 4), normal(5)),
    ),
    Case(
        op="linear",
        build=lambda mb, x, w: mb.linear(x=x, weight=w),
        expected=lambda x, w: x @ w.T,
        weights=(normal(5, 4),),
    ),
    matmul(torch.matmul, (2, 3, 4), (2, 4, 5)),
    matmul(lambda x, y: torch.einsum("bki,bjk->bij", x, y), (2, 4, 3), (2, 5, 4), transpose_x=True, transpose_y=True),
    matmul(lambda x, y: torch.einsum("bik,jk->bij", x, y), (2, 3, 4), (5, 4), transpose_y=True),
    Case(
        op="einsum",
        build=lambda mb, x, y: mb.einsum(values=(x, y), equation="nchw,nwhu->nchu"),
        expected=lambda x, y: (x.permute(0, 2, 1, 3) @ y.permute(0, 2, 1, 3)).permute(0, 2, 1, 3),
        shapes=((1, 2, 3, 4), (1, 4, 3, 5)),
    ),
    Case(
        op="scaled_dot_product_attention",
        build=lambda mb, q, k, v: mb.scaled_dot_product_attention(query=q, key=k, value=v),
        expected=F.scaled_dot_product_attention,
        shapes=((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)),
    ),
    Case(
        op="scaled_dot_product_attention",
        build=lambda mb, q, k, v, m: mb.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=m),
        expected=lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
        shapes=((2, 5, 4), (2, 6, 4), (2, 6, 7), (5, 6)),
    ),
    Case(
        op="scaled_dot_product_attention",
        build=lambda mb, q, k, v, m: mb.scaled_dot_product_attention(
            query=q, key=k, value=v, attn_mask=mb.cast(x=m, dtype="bool")
        ),
        expected=lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m.bool()),
        shapes=((2, 5, 4), (2, 6, 4), (2, 6, 7)),
        weights=(np.tri(5, 6, dtype=np.float32),),
    ),
    Case(
        op="batch_norm",
        build=lambda mb, x, m, v, g, b: mb.batch_norm(x=x, mean=m, variance=v, gamma=g, beta=b),
        expected=F.batch_norm,
        shapes=(PICTURE,),
        weights=(normal(4), normal(4) ** 2 + 0.1, normal(4), normal(4)),
    ),
    Case(
        op="instance_norm",
        build=lambda mb, x, g, b: mb.instance_norm(x=x, gamma=g, beta=b),
        expected=lambda x, g, b: F.instance_norm(x, weight=g, bias=b),
        shapes=(PICTURE,),
        weights=(normal(4), normal(4)),
    ),
    Case(
        op="layer_norm",
        build=lambda mb, x, g, b, epsilon: mb.layer_norm(x=x, axes=[-1], gamma=g, beta=b, epsilon=epsilon),
        expected=lambda x, g, b, epsilon: F.layer_norm(x, (4,), g, b, float(epsilon)),
        weights=(normal(4), normal(4), number(0.01)),
    ),
    Case(
        op="layer_norm",
        build=lambda mb, x, g, b: mb.layer_norm(x=x, axes=[1], gamma=g, beta=b),
        expected=lambda x, g, b: F.layer_norm(x.transpose(1, 2), (3,), g, b).transpose(1, 2),
        weights=(normal(3), normal(3)),
    ),
    Case(
        op="layer_norm",
        build=lambda mb, x: mb.layer_norm(x=x, axes=[0, 1, 2]),
        expected=lambda x: F.layer_norm(x, x.shape),
    ),
    Case(
        op="l2_norm",
        build=lambda mb, x: mb.l2_norm(x=x),
        expected=lambda x: F.normalize(x.flatten(1)).reshape(x.shape),
        shapes=((2, 3, 4, 5),),
    ),
    pool("max_pool", lambda x: F.max_pool2d(x, 2, 2), kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid"),
    pool(
        "max_pool",
        lambda x: F.max_pool2d(x, 3, 2, padding=1),
        kernel_sizes=[3, 3],
        strides=[2, 2],
        pad_type="custom",
        pad=[1, 1, 1, 1],
    ),
    pool("avg_pool", lambda x: F.avg_pool2d(x, (2, 3), 1), kernel_sizes=[2, 3], pad_type="valid"),
    pool(
        "avg_pool",
        lambda x: F.avg_pool2d(x, 3, 2, padding=1),
        kernel_sizes=[3, 3],
        strides=[2, 2],
        pad_type="custom",
        pad=[1, 1, 1, 1],
    ),
    pool(
        "avg_pool",
        lambda x: F.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False),
        kernel_sizes=[3, 3],
        pad_type="same",
        exclude_padding_from_average=True,
    ),
]
