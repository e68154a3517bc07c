"""ExecuTorch: both methods in one `.pte` for a delegate; int8 means `encode` int8 and `classify` float32."""

import hashlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import torch
from torch import nn

from core.manifest import Delegation, UndelegatedOp
from core.runtimes import missing_extra
from export.programs import example_inputs
from export.source import Source
from export.targets import Variant

_IDENTIFIER = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
"""Of a model, by which a phone caches what it compiled, and of the files of its package."""
_PACKAGE = re.compile(rb'\{\s+"fileFormatVersion".*?"rootModelIdentifier": "[^"]*"\s+\}', re.DOTALL)
"""The table of a package's files, in the order of their identifiers."""


def build(modules: Mapping[str, nn.Module], source: Source, variant: Variant, path: Path) -> Delegation:
    """Write `modules`, one a method, to `path`; what the delegate took of them."""
    try:
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    except ImportError as error:
        raise missing_extra("executorch", error) from error
    inputs = example_inputs(source)
    programs = {name: torch.export.export(module, inputs[name]) for name, module in modules.items()}
    with warnings.catch_warnings():
        if variant.backend == "coreml":
            # Its converter casts every bound of a slice to float16, also the one that means "to the end".
            warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
        lowered = to_edge_transform_and_lower(
            programs,
            partitioner={name: [_partitioner(variant.backend)] for name in programs},
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
    delegation = delegation_of({name: lowered.exported_program(name).graph_module for name in programs})
    program = bytes(lowered.to_executorch().buffer)
    path.write_bytes(repeatable(program) if variant.backend == "coreml" else program)
    return delegation


def repeatable(program: bytes) -> bytes:
    """`program` with identifiers that follow from the rest of it, where the Core ML backend drew random ones.

    All are equally long, so that nothing in the program moves.
    """
    ordered, tables = _PACKAGE.subn(_by_path, program)
    if not tables:
        raise ValueError("the Core ML backend wrote a program without a package's table of files")
    digest = hashlib.sha256(_IDENTIFIER.sub(b"", ordered)).hexdigest()
    drawn = dict.fromkeys(_IDENTIFIER.findall(ordered))
    names = {name: str(uuid5(NAMESPACE_URL, f"{digest}/{place}")).encode() for place, name in enumerate(drawn)}
    return _IDENTIFIER.sub(lambda found: names[found.group()], ordered)


def _by_path(found: re.Match[bytes]) -> bytes:
    document = json.loads(found.group())
    entries = document["itemInfoEntries"]
    document["itemInfoEntries"] = dict(sorted(entries.items(), key=lambda item: str(item[1]["path"])))
    text = json.dumps(document, indent=4).encode()
    if len(text) != len(found.group()):
        raise ValueError("the Core ML backend wrote a package's table of files in another form")
    return text


def _partitioner(backend: str) -> Any:
    try:
        if backend == "vulkan":
            from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

            return VulkanPartitioner({"force_fp16": True})
        if backend == "coreml":
            import coremltools as ct
            from executorch.backends.apple.coreml.compiler import CoreMLBackend
            from executorch.backends.apple.coreml.partition import CoreMLPartitioner

            half = CoreMLBackend.generate_compile_specs(
                compute_precision=ct.precision.FLOAT16, minimum_deployment_target=ct.target.iOS17
            )
            return CoreMLPartitioner(compile_specs=half)
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

        return XnnpackPartitioner()
    except ImportError as error:
        raise missing_extra("executorch", error) from error


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
