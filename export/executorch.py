"""ExecuTorch with XNNPACK: both methods in one `.pte`; int8 means `encode` int8 and `classify` float32."""

from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.manifest import Delegation, Precision, UndelegatedOp
from core.quantisation import quantised
from core.runtimes import missing_extra
from export.programs import Classify, Encode, example_inputs
from export.source import Source


def build(source: Source, precision: Precision, path: Path) -> Delegation:
    """Write the program to `path`; what the delegate took of it."""
    try:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    except ImportError as error:
        raise missing_extra("executorch", error) from error
    encode: nn.Module = Encode(source.student).eval()
    if precision == "int8":
        encode = quantised(encode, torch.split(source.crops, 1))
    inputs = example_inputs(source)
    programs = {
        "encode": torch.export.export(encode, inputs["encode"], strict=True),
        "classify": torch.export.export(Classify(source.student).eval(), inputs["classify"], strict=True),
    }
    lowered = to_edge_transform_and_lower(
        programs,
        partitioner={name: [XnnpackPartitioner()] for name in programs},
        compile_config=EdgeCompileConfig(_check_ir_validity=False),
    )
    delegation = delegation_of({name: lowered.exported_program(name).graph_module for name in programs})
    path.write_bytes(lowered.to_executorch().buffer)
    return delegation


def delegation_of(methods: dict[str, Any]) -> Delegation:
    """Operators inside the delegates of lowered graph modules, and those left outside, by method."""
    delegated = 0
    outside: list[UndelegatedOp] = []
    for method, graph_module in methods.items():
        left: Counter[str] = Counter()
        for node in graph_module.graph.nodes:
            if node.op != "call_function":
                continue
            name = getattr(node.target, "__name__", str(node.target))
            if name == "executorch_call_delegate":
                module = getattr(graph_module, node.args[0].target)
                delegated += sum(
                    inner.op == "call_function" for inner in module.original_module.graph_module.graph.nodes
                )
            elif name != "getitem":
                left[name] += 1
        outside += [UndelegatedOp(method=method, op=op, count=count) for op, count in sorted(left.items())]
    return Delegation(delegated=delegated, undelegated_ops=tuple(outside))
