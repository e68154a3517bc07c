"""Operators on single elements, activations and reductions."""

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from core.runtimes.coreml.arguments import Arguments, Operator

_CASTS: Final = {
    "fp16": torch.float32,  # rounded with every other result that is declared so
    "fp32": torch.float32,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.int32,
    "int32": torch.int32,
    "bool": torch.bool,
}


def _unary(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda a: function(a.tensor("x"))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda a: function(a.tensor("x"), a.tensor("y"))


def _with_epsilon(function: Callable[[Tensor], Tensor], epsilon: float) -> Operator:
    return lambda a: function(a.tensor("x") + a.number("epsilon", epsilon))


def _with_alpha(function: Callable[[Tensor, float], Tensor], alpha: float) -> Operator:
    return lambda a: function(a.tensor("x"), a.number("alpha", alpha))


def _cast(a: Arguments) -> Tensor:
    return a.tensor("x").to(a.choice("dtype", _CASTS))


def _clip(a: Arguments) -> Tensor:
    return a.tensor("x").clamp(a.number("alpha"), a.number("beta"))


def _select(a: Arguments) -> Tensor:
    return torch.where(a.tensor("cond"), a.tensor("a"), a.tensor("b"))


def _gelu(a: Arguments) -> Tensor:
    modes: dict[str, Callable[[Tensor], Tensor]] = {
        "EXACT": F.gelu,
        "TANH_APPROXIMATION": lambda x: F.gelu(x, approximate="tanh"),
        "SIGMOID_APPROXIMATION": lambda x: x * torch.sigmoid(1.702 * x),
    }
    return a.choice("mode", modes, "EXACT")(a.tensor("x"))


def _linear_activation(a: Arguments) -> Tensor:
    return a.tensor("x") * a.number("alpha", 1.0) + a.number("beta", 0.0)


def _sigmoid_hard(a: Arguments) -> Tensor:
    return (a.tensor("x") * a.number("alpha", 0.2) + a.number("beta", 0.5)).clamp(0, 1)


def _prelu(a: Arguments) -> Tensor:
    return F.prelu(a.tensor("x"), a.tensor("alpha"))


def _softmax(a: Arguments) -> Tensor:
    return a.tensor("x").softmax(a.integer("axis", -1))


def _reduction(function: Callable[[Tensor, list[int], bool], Tensor]) -> Operator:
    def operator(a: Arguments) -> Tensor:
        x = a.tensor("x")
        return function(x, a.ints("axes", range(x.ndim)), a.flag("keep_dims", False))

    return operator


def _place(function: Callable[[Tensor, int, bool], Tensor]) -> Operator:
    return lambda a: function(a.tensor("x"), a.integer("axis", -1), a.flag("keep_dims", False))


ELEMENTWISE: Final[dict[str, Operator]] = {
    "abs": _unary(torch.abs),
    "add": _binary(torch.add),
    "cast": _cast,
    "ceil": _unary(torch.ceil),
    "clip": _clip,
    "cos": _unary(torch.cos),
    "elu": _with_alpha(F.elu, 1.0),
    "equal": _binary(torch.eq),
    "erf": _unary(torch.erf),
    "exp": _unary(torch.exp),
    "exp2": _unary(torch.exp2),
    "floor": _unary(torch.floor),
    "floor_div": _binary(torch.floor_divide),
    "gelu": _gelu,
    "greater": _binary(torch.gt),
    "greater_equal": _binary(torch.ge),
    "identity": _unary(lambda x: x),
    "inverse": _with_epsilon(torch.reciprocal, 1e-4),
    "leaky_relu": _with_alpha(F.leaky_relu, 0.01),
    "less": _binary(torch.lt),
    "less_equal": _binary(torch.le),
    "linear_activation": _linear_activation,
    "log": _with_epsilon(torch.log, 1e-45),
    "logical_and": _binary(torch.logical_and),
    "logical_not": _unary(torch.logical_not),
    "logical_or": _binary(torch.logical_or),
    "logical_xor": _binary(torch.logical_xor),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "mod": _binary(torch.remainder),
    "mul": _binary(torch.mul),
    "not_equal": _binary(torch.ne),
    "pow": _binary(torch.pow),
    "prelu": _prelu,
    "real_div": _binary(torch.div),
    "relu": _unary(torch.relu),
    "relu6": _unary(F.relu6),
    "round": _unary(torch.round),
    "rsqrt": _with_epsilon(torch.rsqrt, 1e-12),
    "select": _select,
    "sigmoid": _unary(torch.sigmoid),
    "sigmoid_hard": _sigmoid_hard,
    "sign": _unary(torch.sign),
    "silu": _unary(F.silu),
    "sin": _unary(torch.sin),
    "softmax": _softmax,
    "softplus": _unary(F.softplus),
    "softsign": _unary(F.softsign),
    "sqrt": _unary(torch.sqrt),
    "square": _unary(torch.square),
    "sub": _binary(torch.sub),
    "tanh": _unary(torch.tanh),
    "threshold": _with_alpha(lambda x, alpha: x.clamp(min=alpha), 0.0),
}

REDUCTIONS: Final[dict[str, Operator]] = {
    "reduce_argmax": _place(torch.argmax),
    "reduce_argmin": _place(torch.argmin),
    "reduce_l1_norm": _reduction(lambda x, axes, keep: x.abs().sum(axes, keep)),
    "reduce_l2_norm": _reduction(lambda x, axes, keep: x.square().sum(axes, keep).sqrt()),
    "reduce_log_sum_exp": _reduction(torch.logsumexp),
    "reduce_max": _reduction(torch.amax),
    "reduce_mean": _reduction(torch.mean),
    "reduce_min": _reduction(torch.amin),
    "reduce_sum": _reduction(torch.sum),
    "reduce_sum_square": _reduction(lambda x, axes, keep: x.square().sum(axes, keep)),
}
