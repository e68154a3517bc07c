"""ONNX: a folder with `encode.onnx` and `classify.onnx`; int8 means a QDQ `encode`."""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from core.manifest import Precision
from core.models import Classify, Encode
from core.runtimes import missing_extra
from export.programs import example_inputs, method_specs
from export.source import Source

OPSET = 20
"""The first with a Gelu operator."""


def build(source: Source, precision: Precision, path: Path) -> None:
    """Write both models into the new folder `path`."""
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise missing_extra("onnx", error) from error
    path.mkdir()
    modules = {"encode": Encode(source.student).eval(), "classify": Classify(source.student).eval()}
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
        file = path / f"{spec.name}.onnx"
        onnx.save(model, file)
        if precision == "int8" and spec.name == "encode":
            _quantise(file, source)


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


def _quantise(file: Path, source: Source) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Crops(CalibrationDataReader):  # type: ignore[misc]
        """The calibration crops, one a call, then None."""

        def __init__(self) -> None:
            self._crops: Iterator[torch.Tensor] = iter(torch.split(source.crops, 1))

        def get_next(self) -> dict[str, Any] | None:
            crop = next(self._crops, None)
            return None if crop is None else {"frame": crop.numpy()}

    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready.onnx"
        quant_pre_process(str(file), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(file),
            Crops(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
