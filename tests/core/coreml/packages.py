"""Small packages, written by coremltools from programs made by hand, and changed afterwards."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


def save_program(
    build: Callable[..., Sequence[Any]],
    shapes: Mapping[str, tuple[int, ...]],
    folder: Path,
    *,
    half: bool = False,
    target: str = "iOS18",
) -> Path:
    """Write the package of one function `main`: `build(mb, *inputs)` gives its outputs.

    Nothing of it is simplified on the way: each operator that `build` calls stands in the file.
    """
    with warnings.catch_warnings():
        # coremltools, as it is imported and as it writes, uses what others have deprecated.
        warnings.simplefilter("ignore")
        import coremltools as ct
        from coremltools.converters.mil import Builder as mb  # noqa: N813 (its documentation's own name)
        from coremltools.converters.mil.mil import Function, Program, types

        dtype = types.fp16 if half else types.fp32
        opset = getattr(ct.target, target)
        inputs = {name: mb.TensorSpec(shape=shape, dtype=dtype) for name, shape in shapes.items()}
        with Function(inputs, opset) as function:
            function.set_outputs([_as_float(mb, var, dtype) for var in build(mb, *function.inputs.values())])
        program = Program()
        program.add_function("main", function)
        model = ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=opset,
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
        )
        model.save(str(folder))
    return folder


def _as_float(mb: Any, var: Any, dtype: Any) -> Any:
    from coremltools.converters.mil.mil import types

    if types.is_float(var.dtype):
        return var
    return mb.cast(x=var, dtype="fp16" if dtype == types.fp16 else "fp32")


def specification(package: Path) -> Any:
    """The model message of the package."""
    from coremltools.proto.Model_pb2 import Model

    model = Model()
    model.ParseFromString((package / MODEL).read_bytes())
    return model


def operations(function: Any) -> Any:
    """The operators of a MIL function, to be read or changed."""
    return function.block_specializations[function.opset].operations


@contextmanager
def edited(package: Path) -> Any:
    """The model message of the package, written back when the block ends."""
    model = specification(package)
    yield model
    (package / MODEL).write_bytes(model.SerializeToString())
