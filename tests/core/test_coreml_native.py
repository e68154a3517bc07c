"""Core ML itself, on macOS: which package, function and compute unit are asked; a stand-in answers elsewhere."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from core.errors import InputError
from core.runtimes.coreml_native import COMPUTE_UNITS, CoreMLRuntime

# coremltools, as it is imported, uses what others have deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


class Model:
    """Answers each output with its place and remembers how it was loaded."""

    loaded: ClassVar[list[tuple[str, str, str | None]]] = []

    def __init__(self, path: str, *, compute_units: Any, function_name: str | None = None) -> None:
        if "broken" in path:
            raise RuntimeError("cannot be compiled")
        self.loaded.append((Path(path).name, compute_units.name, function_name))

    def predict(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self.asked = inputs
        names = ["logits"] if "rgb" in inputs else ["depth", "rgb_embedding", "depth_embedding"]
        return {name: np.full((1, 2), place, np.float16) for place, name in enumerate(names)}


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    import coremltools

    monkeypatch.setattr(coremltools.models, "MLModel", Model)
    monkeypatch.setattr(Model, "loaded", [])


def test_a_multifunction_package_is_asked_for_its_functions(tmp_path: Path) -> None:
    package = tmp_path / "student.mlpackage"
    package.mkdir()
    (package / "Manifest.json").write_text("{}")

    CoreMLRuntime(package, ("encode", "classify"), "CPU_AND_NE")

    assert Model.loaded == [
        ("student.mlpackage", "CPU_AND_NE", "encode"),
        ("student.mlpackage", "CPU_AND_NE", "classify"),
    ]


def test_packages_of_their_own_are_asked_for_the_only_function_they_have(tmp_path: Path) -> None:
    CoreMLRuntime(tmp_path, ("encode", "classify"))

    assert Model.loaded == [("encode.mlpackage", "ALL", None), ("classify.mlpackage", "ALL", None)]


def test_inputs_go_by_name_and_outputs_come_in_the_order_of_the_contract(tmp_path: Path) -> None:
    runtime = CoreMLRuntime(tmp_path, ("encode", "classify"))

    rgb, depth_embedding, depth = runtime.run("encode", np.zeros((1, 3, 4, 4), np.float32))

    assert (rgb[0, 0], depth_embedding[0, 0], depth[0, 0]) == (1, 2, 0)
    assert rgb.dtype == np.float32


def test_every_kind_of_unit_is_one_of_coremltools() -> None:
    import coremltools

    assert all(hasattr(coremltools.ComputeUnit, unit) for unit in COMPUTE_UNITS)


def test_what_core_ml_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"encode.mlpackage: not a package that Core ML can load"):
        CoreMLRuntime(tmp_path / "broken", ("encode",))
