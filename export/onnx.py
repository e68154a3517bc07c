"""ONNX: a folder with `encode.onnx` and `classify.onnx`; int8 means a QDQ `encode`.

The same PT2E program as for XNNPACK: ranges that were trained are those that run, whatever the runtime.
"""

import contextlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.runtimes import missing_extra
from export.programs import example_inputs, method_specs
from export.source import Source

OPSET = 20
"""The first with a Gelu operator."""


def build(modules: Mapping[str, nn.Module], source: Source, path: Path) -> None:
    """Write `modules`, a model for each method, into the new folder `path`."""
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise missing_extra("onnx", error) from error
    path.mkdir()
    inputs = example_inputs(source)
    for spec in method_specs(source.student, source.preprocess.size):
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                modules[spec.name],
                inputs[spec.name],
                dynamo=True,
                opset_version=OPSET,
                input_names=[tensor.name for tensor in spec.inputs],
                output_names=[tensor.name for tensor in spec.outputs],
                verbose=False,
            )
        assert program is not None
        model = program.model_proto
        _without_traces(model)
        _own_zero_points(model)
        onnx.save(model, path / f"{spec.name}.onnx")


def _own_zero_points(model: Any) -> None:
    """Give every rounding a zero point of its own: ONNX Runtime fails to convert int8 ones that several share."""
    shared = {tensor.name: tensor for tensor in model.graph.initializer}
    used: set[str] = set()
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            name = node.input[2]
            if name in used:
                own = model.graph.initializer.add()
                own.CopyFrom(shared[name])
                own.name = f"{name}_of_{node.name}"
                node.input[2] = own.name
            used.add(name)


def _without_traces(model: Any) -> None:
    """Drop the exporter's stack traces: they hold paths of the machine that exported."""
    del model.metadata_props[:]
    for part in (
        *model.graph.node,
        *model.graph.input,
        *model.graph.output,
        *model.graph.value_info,
        *model.graph.initializer,
    ):
        del part.metadata_props[:]
        part.doc_string = ""
    del model.graph.metadata_props[:]
    for function in model.functions:
        del function.metadata_props[:]
