"""ExecuTorch with XNNPACK: both methods in one `.pte`; int8 means `encode` int8 and `classify` float32."""

from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.manifest import Delegation, Precision, UndelegatedOp
from core.models import Classify, Encode
from core.quantisation import quantised
from core.runtimes import missing_extra
from export.parity import faces
from export.programs import example_inputs
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
        encode = _int8(encode, source)
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


ENDS = ("trunk.stem", "trunk.stages.3")
SECOND_HALF = tuple(f"trunk.stages.2.blocks.{block}" for block in range(7, 14))
FLOAT_PARTS: tuple[tuple[str, ...], ...] = ((), ENDS, (*ENDS, *SECOND_HALF), (*ENDS, "trunk.stages.2"))
"""What stays float32 in an int8 `encode`, from the fastest scheme to the most exact.

Calibrated and not trained for int8, the worst cosine of the demo's rgb embedding was 0.990 with nothing in float32, and
0.993 with the trunk's two ends: what the stem rounds away no later layer brings back, and nothing averages out the last
stage's noise but the mean that is the embedding. The long third stage adds most of the rest.
"""

SAFE_COSINE = 0.992
"""Of either embedding on every face, before lowering; a margin above the limit that the written program is held to."""

CALIBRATION_CROPS = 32


def _int8(encode: nn.Module, source: Source) -> nn.Module:
    """The int8 program that was trained; of a student that was not trained for it, one that is calibrated.

    Calibrated is the fastest scheme that keeps every embedding within SAFE_COSINE, or the most exact one where none
    does. The written program is compared all the same, and refused where it does not hold.
    """
    crops = torch.split(source.crops[:CALIBRATION_CROPS], 1)
    if source.activation_ranges is not None:
        return quantised(encode, crops[:1], ranges=source.activation_ranges)
    candidate = encode
    for parts in FLOAT_PARTS:
        candidate = quantised(encode, crops, float_parts=parts)
        if _least_cosine(encode, candidate, source) >= SAFE_COSINE:
            break
    return candidate


@torch.no_grad()
def _least_cosine(encode: nn.Module, candidate: nn.Module, source: Source) -> float:
    pairs = [
        (wanted, got)
        for face in map(torch.from_numpy, faces(source))
        for wanted, got in zip(encode(face)[:2], candidate(face)[:2], strict=True)
    ]
    return min(float(torch.cosine_similarity(wanted, got).min()) for wanted, got in pairs)


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
