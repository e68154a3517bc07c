"""Memory of an artefact, measured in a process of its own."""

from importlib.metadata import version
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks.memory import memory_of
from core.decision import Decision
from core.errors import WorkError
from core.manifest import MANIFEST, Artifact, Manifest, MethodSpec, RuntimeVersion, Source, TensorSpec, sha256_of
from core.preprocess import PreprocessSpec
from core.runs import write_json

VALUES = 16 << 20
"""Float32 values in the program's one constant: 64 MB."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An artefact folder with one ONNX program that adds a large constant to its input."""
    (tmp_path / "tiny").mkdir()
    shape = helper.make_tensor("shape", TensorProto.INT64, (1,), [VALUES])
    graph = helper.make_graph(
        [
            helper.make_node("Expand", ["x", "shape"], ["wide"]),
            helper.make_node("ReduceSum", ["wide"], ["y"], keepdims=1),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1,))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1,))],
        [shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, tmp_path / "tiny" / "encode.onnx")
    value = (TensorSpec(name="x", shape=(1,), dtype="float32"),)
    artifact = Artifact(
        path="tiny",
        target="onnx",
        backend="cpu",
        precision="fp32",
        methods=("encode",),
        sha256=sha256_of(tmp_path / "tiny"),
        size_bytes=1,
        runtime=RuntimeVersion(name="onnxruntime", version=version("onnxruntime")),
        parity=None,
        accuracy=None,
        delegation=None,
        verified="runtime",
    )
    manifest = Manifest(
        name="tiny",
        created="now",
        trained=True,
        depth_trained=False,
        source=Source(run=None, recipe="demo", weights_sha256="0", code_version="0"),
        preprocess=PreprocessSpec(size=32, margin=1.5),
        decision=Decision(),
        methods=(MethodSpec(name="encode", inputs=value, outputs=value),),
        metrics=None,
        preferred=None,
        artifacts=(artifact,),
    )
    write_json(tmp_path / MANIFEST, manifest)
    return tmp_path


def test_the_peak_holds_what_running_the_program_takes(folder: Path) -> None:
    memory = memory_of(folder, "tiny")

    assert memory.before_load is not None
    assert memory.after_load is not None
    assert memory.peak is not None
    assert memory.peak >= memory.after_load >= memory.before_load > 0
    assert memory.added == memory.peak - memory.before_load >= 4 * VALUES


def test_a_program_that_cannot_be_loaded_fails_in_one_line(folder: Path) -> None:
    (folder / "tiny" / "encode.onnx").write_bytes(b"no program")

    with pytest.raises(WorkError, match=r"tiny: measuring its memory failed: .*not a model that onnxruntime can load"):
        memory_of(folder, "tiny")
