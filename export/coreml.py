"""Core ML: one multifunction package (iOS 18) with `encode` and `classify`; computes in float16."""

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import torch

from core.manifest import Precision
from core.models import Classify, Encode
from core.runtimes import missing_extra
from export.programs import example_inputs, method_specs
from export.source import Source

SMALLEST_QUANTISED = 2048
"""Values a weight must have to be stored in 8 bits: below that the saving is nothing."""


def build(source: Source, precision: Precision, path: Path) -> None:
    """Write the package to `path`. int8 means 8-bit weights, float16 arithmetic."""
    try:
        import coremltools as ct
    except ImportError as error:
        raise missing_extra("coreml", error) from error
    modules = {"encode": Encode(source.student).eval(), "classify": Classify(source.student).eval()}
    inputs = example_inputs(source)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        descriptor = ct.utils.MultiFunctionDescriptor()
        for spec in method_specs(source.student, source.preprocess.size):
            program = torch.export.export(modules[spec.name], inputs[spec.name], strict=True)
            model = ct.convert(
                program.run_decompositions({}),
                convert_to="mlprogram",
                inputs=[_tensor_type(ct, tensor.name, tensor.shape) for tensor in spec.inputs],
                outputs=[ct.TensorType(name=tensor.name) for tensor in spec.outputs],
                minimum_deployment_target=ct.target.iOS18,
                compute_precision=ct.precision.FLOAT16,
                skip_model_load=True,
                pass_pipeline=_passes(ct),
            )
            if precision == "int8" and spec.name == "encode":
                model = _with_8_bit_weights(model)
            single = str(Path(scratch) / f"{spec.name}.mlpackage")
            model.save(single)
            descriptor.add_function(single, src_function_name="main", target_function_name=spec.name)
        descriptor.default_function_name = "encode"
        ct.utils.save_multifunction(descriptor, str(path))
    _make_repeatable(path)


def _make_repeatable(package: Path) -> None:
    """Rewrite what differs from one saving of the same model to the next: random identifiers, the order of maps."""
    from coremltools.proto import Model_pb2

    manifest = package / "Manifest.json"
    document = json.loads(manifest.read_bytes())
    entries = {entry["path"]: entry for entry in document["itemInfoEntries"].values()}
    names = {path: str(uuid5(NAMESPACE_URL, path)).upper() for path in entries}
    root = document["itemInfoEntries"][document["rootModelIdentifier"]]["path"]
    document["itemInfoEntries"] = {names[path]: entries[path] for path in sorted(entries)}
    document["rootModelIdentifier"] = names[root]
    manifest.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    file = package / "Data" / root
    model = Model_pb2.Model()
    model.ParseFromString(file.read_bytes())
    file.write_bytes(model.SerializeToString(deterministic=True))


def _passes(ct: Any) -> Any:
    """The default ones without one that fails on a scalar added to a linear operator, as RMSNorm's epsilon is.

    coremltools 9.0 asks for the last axis of a bias that has none. The biases of our linear layers are in them already.
    """
    passes = ct.PassPipeline.DEFAULT
    passes.remove_passes({"common::fuse_linear_bias"})
    return passes


def _tensor_type(ct: Any, name: str, shape: tuple[int, ...]) -> Any:
    return ct.TensorType(name=name, shape=shape)


def _with_8_bit_weights(model: Any) -> Any:
    import coremltools.optimize.coreml as cto

    config = cto.OptimizationConfig(
        global_config=cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=SMALLEST_QUANTISED)
    )
    return cto.linear_quantize_weights(model, config)
