"""Core ML: `encode` and `classify` in one multifunction package (iOS 18), or in two packages (iOS 17)."""

import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import torch
from torch import nn

from core.manifest import MethodSpec, Precision
from core.runtimes import missing_extra
from core.runtimes.coreml.package import DATA, MANIFEST
from export.programs import example_inputs, method_specs
from export.source import Source
from export.targets import IOS_17, Variant

SMALLEST_QUANTISED = 2048
"""Values a weight must have to be stored in 8 bits: below that the saving is nothing."""


def build(modules: Mapping[str, nn.Module], source: Source, variant: Variant, path: Path) -> None:
    """Write `modules`, one a method, to `path`: a package, or a folder with one for each.

    All compute in float16 elsewhere; int8 means 8-bit weights, w8a8 8-bit activations too.
    """
    try:
        import coremltools as ct
    except ImportError as error:
        raise missing_extra("coreml", error) from error
    ios = ct.target.iOS17 if variant.backend == IOS_17 else ct.target.iOS18
    inputs = example_inputs(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = {}
        for spec in method_specs(source.student, source.preprocess.size):
            program = torch.export.export(modules[spec.name], inputs[spec.name])
            model = _converted(ct, program, spec, ios)
            models[spec.name] = _compressed(model, variant.precision) if spec.name == "encode" else model
        if variant.backend == IOS_17:
            path.mkdir()
            for name, model in models.items():
                model.save(str(path / f"{name}.mlpackage"))
                _make_repeatable(path / f"{name}.mlpackage")
        else:
            _save_together(ct, models, path)
            _make_repeatable(path)


def _converted(ct: Any, program: torch.export.ExportedProgram, spec: MethodSpec, ios: Any) -> Any:
    # Inputs and outputs stay float32, as the manifest says: in float16 a pixel above 128 is rounded to an eighth.
    return ct.convert(
        program.run_decompositions({}),
        convert_to="mlprogram",
        inputs=[ct.TensorType(name=tensor.name, shape=tensor.shape, dtype=np.float32) for tensor in spec.inputs],
        outputs=[ct.TensorType(name=tensor.name, dtype=np.float32) for tensor in spec.outputs],
        minimum_deployment_target=ios,
        compute_precision=ct.precision.FLOAT16,
        skip_model_load=True,
    )


def _compressed(model: Any, precision: Precision) -> Any:
    if precision != "int8":
        return model
    import coremltools.optimize.coreml as cto

    config = cto.OptimizationConfig(
        global_config=cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=SMALLEST_QUANTISED),
        # Products that make a frame's views: in 8 bits they would show another picture.
        op_type_configs={"linear": None},
    )
    return cto.linear_quantize_weights(model, config)


def _save_together(ct: Any, models: dict[str, Any], path: Path) -> None:
    descriptor = ct.utils.MultiFunctionDescriptor()
    with tempfile.TemporaryDirectory() as scratch:
        for name, model in models.items():
            single = str(Path(scratch) / f"{name}.mlpackage")
            model.save(single)
            descriptor.add_function(single, src_function_name="main", target_function_name=name)
        descriptor.default_function_name = "encode"
        ct.utils.save_multifunction(descriptor, str(path))


def _make_repeatable(package: Path) -> None:
    """Rewrite what differs from one saving of the same model to the next: random identifiers, the order of maps."""
    from coremltools.proto import Model_pb2

    manifest = package / MANIFEST
    document = json.loads(manifest.read_bytes())
    entries = {entry["path"]: entry for entry in document["itemInfoEntries"].values()}
    names = {path: str(uuid5(NAMESPACE_URL, path)).upper() for path in entries}
    root = document["itemInfoEntries"][document["rootModelIdentifier"]]["path"]
    document["itemInfoEntries"] = {names[path]: entries[path] for path in sorted(entries)}
    document["rootModelIdentifier"] = names[root]
    manifest.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    file = package / DATA / root
    model = Model_pb2.Model()
    model.ParseFromString(file.read_bytes())
    model.description.metadata.userDefined.pop("com.github.apple.coremltools.conversion_date", None)
    file.write_bytes(model.SerializeToString(deterministic=True))
