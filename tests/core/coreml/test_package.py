"""A package is executed as it stands on disk, and whatever is wrong with it is refused in one line."""

import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.errors import InputError
from core.runtimes import Array
from core.runtimes.coreml import CoreMLReference
from core.runtimes.coreml.package import MANIFEST, MOST_BYTES
from core.runtimes.coreml.values import MOST_ELEMENTS
from tests.core.coreml.conftest import WEIGHT
from tests.core.coreml.packages import MODEL, WEIGHTS, edited, operations, save_program

INPUT = np.random.default_rng(1).normal(size=(2, 8)).astype(np.float32)


def outputs(package: Path) -> Array:
    """What `main` gives for `INPUT`."""
    (found,) = CoreMLReference(package, ["main"]).run("main", INPUT)
    return found


def refusal(path: Path, *methods: str) -> str:
    """The message with which the package at `path` is refused: one line that begins with its name."""
    with pytest.raises(InputError) as refused:
        CoreMLReference(path, methods or ["main"])
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(f"{path}")
    assert message.endswith("; export it again")
    return message


def step_named(model: Any, kind: str) -> Any:
    """The operator of that kind in the function `main`."""
    return next(step for step in operations(model.mlProgram.functions["main"]) if step.type == kind)


def test_a_package_computes_what_torch_computes(package: Path) -> None:
    wanted = F.gelu(F.linear(torch.tensor(INPUT), torch.tensor(WEIGHT)))
    torch.testing.assert_close(torch.tensor(outputs(package)), wanted)


def test_weights_are_those_of_the_file(package: Path) -> None:
    before, file = outputs(package), package / WEIGHTS
    data = bytearray(file.read_bytes())
    place = data.index(WEIGHT.tobytes())
    data[place : place + 4] = np.float32(WEIGHT[0, 0] + 1).tobytes()
    file.write_bytes(data)
    after = outputs(package)
    assert not np.array_equal(before[:, 0], after[:, 0])
    assert np.array_equal(before[:, 1:], after[:, 1:])


def test_half_precision_overflows_where_the_program_says_so(tmp_path: Path) -> None:
    def build(mb: Any, x: Any) -> Sequence[Any]:
        return [mb.mul(x=x, y=np.float16(2))]

    package = save_program(build, {"x": (2,)}, tmp_path / "doubled.mlpackage", half=True)
    (found,) = CoreMLReference(package, ["main"]).run("main", np.array([40_000.0, 0.1], np.float32))
    assert found.tolist() == [np.inf, float(2 * np.float16(0.1))]


def test_each_method_is_the_function_of_its_name(package: Path) -> None:
    with edited(package) as model:
        functions = model.mlProgram.functions
        functions["encode"].CopyFrom(functions["main"])
        functions["classify"].CopyFrom(functions["main"])
        step = next(step for step in operations(functions["classify"]) if step.type == "gelu")
        step.type = "relu"
        del functions["main"]
    reference = CoreMLReference(package, ["encode", "classify"])
    linear = F.linear(torch.tensor(INPUT), torch.tensor(WEIGHT))
    torch.testing.assert_close(torch.tensor(reference.run("encode", INPUT)[0]), F.gelu(linear))
    torch.testing.assert_close(torch.tensor(reference.run("classify", INPUT)[0]), F.relu(linear))


def test_a_folder_holds_a_package_for_each_method(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "student_ios17"
    for method in ("encode", "classify"):
        shutil.copytree(package, folder / f"{method}.mlpackage")
    reference = CoreMLReference(folder, ["encode", "classify"])
    assert np.array_equal(reference.run("classify", INPUT)[0], outputs(package))


def test_one_function_is_not_taken_for_two_methods(package: Path) -> None:
    assert "it has no function 'encode', only main" in refusal(package, "encode", "classify")


def test_an_unknown_operator_is_named(package: Path) -> None:
    with edited(package) as model:
        step_named(model, "gelu").type = "lstm"
    assert "main: the operator 'lstm' is not one that the reference executes" in refusal(package)


def test_a_line_stays_one_whatever_names_the_file_holds(package: Path) -> None:
    with edited(package) as model:
        functions = model.mlProgram.functions
        functions["a\nb"].CopyFrom(functions["main"])
        del functions["main"]
    assert "it has no function 'main', only a b" in refusal(package)


def test_an_absent_package_is_refused(tmp_path: Path) -> None:
    assert "Manifest.json is missing" in refusal(tmp_path / "main.mlpackage")


def test_without_coremltools_the_extra_is_named(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools.libmilstoragepython", None)
    with pytest.raises(InputError, match=r"is not installed; type `pip install 'megatron-mobile\[coreml\]'`$"):
        CoreMLReference(package, ["main"])


@pytest.mark.parametrize("file", [MANIFEST, MODEL, WEIGHTS])
@pytest.mark.parametrize("kept", [0, 0.3, 0.9])
def test_a_truncated_file_is_refused(package: Path, file: str, kept: float) -> None:
    path = package / file
    os.truncate(path, int(path.stat().st_size * kept))
    refusal(package)


@pytest.mark.parametrize("file", [MANIFEST, MODEL, WEIGHTS])
def test_a_missing_file_is_refused(package: Path, file: str) -> None:
    (package / file).unlink()
    assert "is missing" in refusal(package)


@pytest.mark.parametrize(("file", "kind"), [(MANIFEST, "manifest"), (MODEL, "model"), (WEIGHTS, "weights")])
def test_an_oversized_file_is_not_opened(package: Path, file: str, kind: str) -> None:
    os.truncate(package / file, MOST_BYTES[kind] + 1)
    assert f"is larger than {MOST_BYTES[kind] >> 20} MiB" in refusal(package)


@pytest.mark.parametrize("file", [MODEL, WEIGHTS])
def test_a_flipped_bit_changes_a_value_or_is_refused(package: Path, file: str) -> None:
    path, generator = package / file, random.Random(0)
    whole = path.read_bytes()
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            outputs(package)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)


@pytest.mark.parametrize("path", ["../../outside.mlmodel", "/etc/hostname", "..\\x", "a/../../../b", "x\0y"])
def test_a_model_outside_the_package_is_not_opened(package: Path, path: str) -> None:
    (package.parent / "outside.mlmodel").write_bytes((package / MODEL).read_bytes())
    manifest = json.loads((package / MANIFEST).read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = path
    (package / MANIFEST).write_text(json.dumps(manifest))
    assert "leaves the package" in refusal(package)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("@model_path/../../../../outside.bin", "leaves the package"),
        ("@model_path//etc/hostname", "leaves the package"),
        ("/etc/hostname", "does not lie beside the model"),
        ("weights/weight.bin", "does not lie beside the model"),
        ("@model_path/weights/other.bin", "weights/other.bin is missing"),
        ("@model_path/weights", "weights is missing"),
    ],
)
def test_weights_outside_the_package_are_not_opened(package: Path, name: str, message: str) -> None:
    with edited(package) as model:
        for step in operations(model.mlProgram.functions["main"]):
            if step.attributes["val"].WhichOneof("value") == "blobFileValue":
                step.attributes["val"].blobFileValue.fileName = name
    assert message in refusal(package)


@pytest.mark.parametrize("file", [MANIFEST, MODEL, WEIGHTS, "Data"])
def test_a_symbolic_link_is_not_followed(package: Path, file: str) -> None:
    path, elsewhere = package / file, package.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert "symbolic link" in refusal(package)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(fileFormatVersion="2.0.0"), "fileFormatVersion: Input should be '1.0.0'"),
        (lambda m: m.update(rootModelIdentifier="none"), "does not list its own model 'none'"),
        (lambda m: m.pop("itemInfoEntries"), "itemInfoEntries: Field required"),
        (lambda m: m.update(itemInfoEntries=[1]), "itemInfoEntries: Input should be"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(
    package: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    manifest = json.loads((package / MANIFEST).read_text())
    change(manifest)
    (package / MANIFEST).write_text(json.dumps(manifest))
    assert message in refusal(package)


@pytest.mark.parametrize("version", [0, 7, 10])
def test_another_specification_version_is_refused(package: Path, version: int) -> None:
    with edited(package) as model:
        model.specificationVersion = version
    assert f"specification version {version}; known are 8 (iOS 17), 9 (iOS 18)" in refusal(package)


def test_another_kind_of_model_is_refused(package: Path) -> None:
    with edited(package) as model:
        model.ClearField("mlProgram")
        model.neuralNetwork.layers.add()
    assert "model.mlmodel holds no ML program of version 1" in refusal(package)


def test_another_program_version_is_refused(package: Path) -> None:
    with edited(package) as model:
        model.mlProgram.version = 2
    assert "model.mlmodel holds no ML program of version 1" in refusal(package)


def declared(value: Any) -> Any:
    return value.type.tensorType


def enlarge(model: Any) -> None:
    for dimension in declared(step_named(model, "gelu").outputs[0]).dimensions:
        dimension.constant.size = MOST_ELEMENTS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (enlarge, "a tensor of type float32[268435456, 268435456] and rank 2 cannot be"),
        (
            lambda m: setattr(declared(step_named(m, "gelu").outputs[0]).dimensions[0].constant, "size", 3),
            "gelu 'activated': gives float32[2, 3] where float32[3, 3] is declared",
        ),
        (
            lambda m: setattr(declared(step_named(m, "gelu").outputs[0]), "dataType", 23),
            "gelu 'activated': gives float32[2, 3] where int32[2, 3] is declared",
        ),
        (
            lambda m: declared(step_named(m, "gelu").outputs[0]).dimensions[0].unknown.SetInParent(),
            "a dimension is not known before the program runs",
        ),
        (
            lambda m: setattr(step_named(m, "gelu").inputs["x"].arguments[0], "name", "nothing"),
            "gelu reads 'nothing', which is not computed before it",
        ),
        (lambda m: step_named(m, "gelu").inputs["x"].ClearField("arguments"), "gelu 'activated': its x has 0 values"),
        (lambda m: step_named(m, "gelu").ClearField("outputs"), "gelu has no output"),
        (
            lambda m: setattr(m.mlProgram.functions["main"], "opset", "CoreML5"),
            "no block for its operator set 'CoreML5'",
        ),
        (
            lambda m: setattr(m.mlProgram.functions["main"].inputs[0].type.tensorType, "dataType", 23),
            "its input 'x' is int32[2, 8], only floats are known",
        ),
        (
            lambda m: m.mlProgram.functions["main"].block_specializations["CoreML8"].outputs.append("none"),
            "its output 'none' is never computed",
        ),
    ],
)
def test_a_program_that_contradicts_itself_is_refused(
    package: Path, change: Callable[[Any], object], message: str
) -> None:
    with edited(package) as model:
        change(model)
    assert message in refusal(package)


def test_a_result_too_large_is_never_allocated(tmp_path: Path) -> None:
    def build(mb: Any, x: Any) -> Sequence[Any]:
        return [mb.tile(x=x, reps=[2, 3], name="tiled")]

    package = save_program(build, {"x": (2, 2)}, tmp_path / "tiled.mlpackage")
    with edited(package) as model:
        reps = next(step for step in operations(model.mlProgram.functions["main"]) if "reps" in step.outputs[0].name)
        reps.attributes["val"].immediateValue.tensor.ints.values[:] = [2**20, 2**20]
    assert "tile 'tiled': gives float32[2097152, 2097152] where float32[4, 6] is declared" in refusal(package)


def test_an_index_without_an_element_is_refused_when_it_is_computed(tmp_path: Path) -> None:
    def build(mb: Any, x: Any, place: Any) -> Sequence[Any]:
        return [mb.gather(x=x, indices=mb.cast(x=place, dtype="int32"), axis=0, name="found")]

    package = save_program(build, {"x": (2, 2), "place": (1,)}, tmp_path / "gathered.mlpackage")
    reference, x = CoreMLReference(package, ["main"]), np.eye(2, dtype=np.float32)
    assert reference.run("main", x, np.array([1.0], np.float32))[0].tolist() == [[0, 1]]
    with pytest.raises(InputError, match=r"gathered.mlpackage: gather 'found': .*; export it again$"):
        reference.run("main", x, np.array([2.0], np.float32))
