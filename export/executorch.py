"""ExecuTorch with XNNPACK: both methods in one `.pte`; int8 means `encode` int8 and `classify` float32."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.manifest import Delegation, Precision, UndelegatedOp
from core.models import Classify, Encode
from core.quantisation import quantised
from core.runtimes import missing_extra
from export.programs import example_inputs
from export.schemes import CALIBRATION_CROPS, Scheme, safe_scheme
from export.source import Source


@dataclass(frozen=True, kw_only=True)
class Built:
    """What was written."""

    delegation: Delegation
    scheme: Scheme
    """What of `encode` is int8 and what is not."""


def build(source: Source, precision: Precision, path: Path) -> Built:
    """Write the program to `path`."""
    try:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    except ImportError as error:
        raise missing_extra("executorch", error) from error
    encode: nn.Module = Encode(source.student).eval()
    scheme = Scheme()
    if precision == "int8":
        scheme = safe_scheme(encode, source)
        crops = torch.split(source.crops[:CALIBRATION_CROPS], 1)
        encode = quantised(encode, crops, float_parts=scheme.float_parts, ranges=source.activation_ranges)
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
    return Built(delegation=delegation, scheme=scheme)


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
