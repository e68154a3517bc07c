"""Operators on single elements, activations and reductions, and what torch says they give."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.core.coreml.cases import Case, normal, number


def unary(op: str, expected: Callable[[Tensor], Tensor], *, positive: bool = False) -> Case:
    return Case(op=op, build=lambda mb, x: getattr(mb, op)(x=x), expected=expected, positive=positive)


def binary(op: str, expected: Callable[[Tensor, Tensor], Tensor], *, positive: bool = False) -> Case:
    """On shapes that broadcast to one another."""
    return Case(
        op=op,
        build=lambda mb, x, y: getattr(mb, op)(x=x, y=y),
        expected=expected,
        shapes=((2, 3, 4), (3, 1)),
        positive=positive,
    )


def comparison(op: str, expected: Callable[[Tensor, Tensor], Tensor]) -> Case:
    """On whole numbers, so that some are equal."""
    return Case(
        op=op,
        build=lambda mb, x, y: getattr(mb, op)(x=mb.round(x=x), y=mb.round(x=y)),
        expected=lambda x, y: expected(x.round(), y.round()).float(),
        shapes=((2, 3, 4), (2, 3, 4)),
    )


def logical(op: str, expected: Callable[[Tensor, Tensor], Tensor]) -> Case:
    return Case(
        op=op,
        build=lambda mb, x, y: getattr(mb, op)(x=mb.cast(x=mb.relu(x=x), dtype="bool"), y=mb.less(x=y, y=x)),
        expected=lambda x, y: expected(x > 0, y < x).float(),
        shapes=((2, 3, 4), (2, 3, 4)),
    )


def with_alpha(op: str, expected: Callable[[Tensor, Tensor], Tensor], alpha: float) -> Case:
    return Case(
        op=op,
        build=lambda mb, x, a: getattr(mb, op)(x=x, alpha=a),
        expected=expected,
        weights=(number(alpha),),
    )


def with_epsilon(op: str, expected: Callable[[Tensor], Tensor]) -> Case:
    return Case(
        op=op,
        build=lambda mb, x, epsilon: getattr(mb, op)(x=x, epsilon=epsilon),
        expected=lambda x, epsilon: expected(x + epsilon),
        weights=(number(0.125),),
        positive=True,
    )


def reduction(op: str, expected: Callable[[Tensor], Tensor], **options: Any) -> Case:
    return Case(op=op, build=lambda mb, x: getattr(mb, op)(x=x, **options), expected=expected)


def cast(dtype: str, expected: Callable[[Tensor], Tensor], *, positive: bool = False) -> Case:
    return Case(
        op="cast",
        build=lambda mb, x: mb.cast(x=mb.mul(x=x, y=x), dtype=dtype),
        expected=lambda x: expected(x * x).float(),
        positive=positive,
    )


def gelu(mode: str, expected: Callable[[Tensor], Tensor]) -> Case:
    return Case(op="gelu", build=lambda mb, x: mb.gelu(x=x, mode=mode), expected=expected)


ELEMENTWISE = [
    binary("add", torch.add),
    binary("sub", torch.sub),
    binary("mul", torch.mul),
    binary("real_div", torch.div, positive=True),
    binary("floor_div", torch.floor_divide, positive=True),
    binary("mod", torch.remainder, positive=True),
    binary("maximum", torch.maximum),
    binary("minimum", torch.minimum),
    binary("pow", torch.pow, positive=True),
    comparison("equal", torch.eq),
    comparison("not_equal", torch.ne),
    comparison("less", torch.lt),
    comparison("less_equal", torch.le),
    comparison("greater", torch.gt),
    comparison("greater_equal", torch.ge),
    logical("logical_and", torch.logical_and),
    logical("logical_or", torch.logical_or),
    logical("logical_xor", torch.logical_xor),
    Case(
        op="logical_not",
        build=lambda mb, x, y: mb.logical_not(x=mb.less(x=x, y=y)),
        expected=lambda x, y: (x >= y).float(),
        shapes=((2, 3), (2, 3)),
    ),
    Case(
        op="add",
        build=lambda mb, x: mb.add(x=mb.cast(x=x, dtype="int32"), y=np.int32(3)),
        expected=lambda x: x.int().float() + 3,
    ),
    Case(
        op="select",
        build=lambda mb, x, y: mb.select(cond=mb.less(x=x, y=y), a=x, b=y),
        expected=torch.minimum,
        shapes=((2, 3), (2, 3)),
    ),
    unary("abs", torch.abs),
    unary("ceil", torch.ceil),
    unary("cos", torch.cos),
    unary("erf", torch.erf),
    unary("exp", torch.exp),
    unary("exp2", torch.exp2),
    unary("floor", torch.floor),
    unary("identity", lambda x: x),
    unary("relu", torch.relu),
    unary("relu6", lambda x: x.clamp(0, 6)),
    unary("round", torch.round),
    unary("sigmoid", torch.sigmoid),
    unary("sign", torch.sign),
    unary("silu", lambda x: x * torch.sigmoid(x)),
    unary("sin", torch.sin),
    unary("softplus", lambda x: torch.log1p(x.exp())),
    unary("softsign", lambda x: x / (1 + x.abs())),
    unary("sqrt", torch.sqrt, positive=True),
    unary("square", lambda x: x * x),
    unary("tanh", torch.tanh),
    unary("log", torch.log, positive=True),
    unary("rsqrt", torch.rsqrt, positive=True),
    unary("inverse", lambda x: 1 / (x + 1e-4), positive=True),
    with_epsilon("log", torch.log),
    with_epsilon("rsqrt", torch.rsqrt),
    with_epsilon("inverse", torch.reciprocal),
    with_alpha("leaky_relu", lambda x, alpha: torch.where(x > 0, x, alpha * x), 0.125),
    with_alpha("elu", lambda x, alpha: torch.where(x > 0, x, alpha * (x.exp() - 1)), 0.5),
    with_alpha("threshold", torch.maximum, 0.25),
    Case(
        op="prelu",
        build=lambda mb, x, alpha: mb.prelu(x=x, alpha=alpha),
        expected=F.prelu,
        shapes=((1, 4, 7, 9),),
        weights=(normal(4),),
    ),
    Case(
        op="linear_activation",
        build=lambda mb, x, alpha, beta: mb.linear_activation(x=x, alpha=alpha, beta=beta),
        expected=lambda x, alpha, beta: alpha * x + beta,
        weights=(number(1.5), number(-0.25)),
    ),
    Case(
        op="sigmoid_hard",
        build=lambda mb, x, alpha, beta: mb.sigmoid_hard(x=x, alpha=alpha, beta=beta),
        expected=lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1),
        weights=(number(0.25), number(0.5)),
    ),
    Case(
        op="clip",
        build=lambda mb, x, low, high: mb.clip(x=x, alpha=low, beta=high),
        expected=lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
        weights=(number(-0.5), number(0.75)),
    ),
    gelu("EXACT", F.gelu),
    gelu("TANH_APPROXIMATION", lambda x: F.gelu(x, approximate="tanh")),
    gelu("SIGMOID_APPROXIMATION", lambda x: x * torch.sigmoid(1.702 * x)),
    Case(op="softmax", build=lambda mb, x: mb.softmax(x=x, axis=1), expected=lambda x: F.softmax(x, 1)),
    Case(op="softmax", build=lambda mb, x: mb.softmax(x=x), expected=lambda x: F.softmax(x, -1)),
    cast("int32", lambda x: x.int()),
    cast("int16", lambda x: x.short()),
    cast("int8", lambda x: x.char()),
    cast("uint8", lambda x: x.byte()),
    cast("uint16", lambda x: x.int()),
    cast("bool", lambda x: x != 0),
    cast("fp32", lambda x: x),
    cast("fp16", lambda x: x.half()),
]

REDUCTIONS = [
    reduction("reduce_mean", lambda x: x.mean((1, 2), keepdim=True), axes=[-1, 1], keep_dims=True),
    reduction("reduce_mean", lambda x: x.mean().reshape(1, 1, 1), keep_dims=True),
    reduction("reduce_sum", lambda x: x.sum(0), axes=[0]),
    reduction("reduce_max", lambda x: x.amax((0, 2)), axes=[0, 2]),
    reduction("reduce_min", lambda x: x.amin(1, keepdim=True), axes=[1], keep_dims=True),
    reduction("reduce_l1_norm", lambda x: x.norm(1, 1), axes=[1]),
    reduction("reduce_l2_norm", lambda x: x.norm(2, 2), axes=[2]),
    reduction("reduce_sum_square", lambda x: (x**2).sum(2), axes=[2]),
    reduction("reduce_log_sum_exp", lambda x: x.exp().sum(1).log(), axes=[1]),
    reduction("reduce_argmax", lambda x: x.max(1).indices.float(), axis=1),
    reduction("reduce_argmin", lambda x: x.min(-1, keepdim=True).indices.float(), axis=-1, keep_dims=True),
]
