"""What the delegate took of a program, and the limit on what it left."""

import pytest
import torch
from torch import Tensor, nn

from core.manifest import Delegation, UndelegatedOp
from export.build import undelegated
from export.executorch import delegation_of
from export.targets import chosen_variants

(INT8,) = chosen_variants("executorch", "int8")


class Waves(nn.Module):
    """A convolution and a ReLU, which XNNPACK has, and two running sums, which it has not."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cumsum(torch.cumsum(torch.relu(self.convolution(x)), 3), 2)


class Sum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + x


def counted(*ops: tuple[str, str, int]) -> Delegation:
    return Delegation(
        delegated=100, undelegated_ops=tuple(UndelegatedOp(method=m, op=op, count=count) for m, op, count in ops)
    )


@pytest.mark.filterwarnings("ignore")  # ExecuTorch imports what the standard library deprecates.
def test_operators_are_counted_inside_and_outside_the_delegate_by_method() -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    inputs = (torch.zeros(1, 1, 5, 5),)
    programs = {
        "encode": torch.export.export(Waves().eval(), inputs),
        "classify": torch.export.export(Sum(), inputs),
    }
    lowered = to_edge_transform_and_lower(programs, partitioner={name: [XnnpackPartitioner()] for name in programs})

    delegation = delegation_of({name: lowered.exported_program(name).graph_module for name in programs})

    # Inside: the convolution and its ReLU, and the sum.
    assert delegation.delegated == 3
    assert delegation.undelegated_ops == (UndelegatedOp(method="encode", op="aten.cumsum.default", count=2),)


def test_two_operators_a_method_may_stay_outside() -> None:
    delegation = counted(("encode", "a", 1), ("encode", "b", 1), ("classify", "a", 2))

    assert undelegated(INT8, delegation) is None


def test_more_than_two_are_named() -> None:
    delegation = counted(("encode", "a", 1), ("classify", "a", 2), ("classify", "b", 1))

    assert undelegated(INT8, delegation) == "classify leaves more than 2 operators outside the delegate: a, b"


def test_a_target_without_delegates_has_no_such_limit() -> None:
    (onnx,) = chosen_variants("onnx", "int8")

    assert undelegated(onnx, None) is None
