"""The quickstart notebook, executed from its first cell to its last on a small corpus."""

import base64
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from core.demo import make_demo_corpus
from core.manifest import open_artifacts
from core.runs import METRICS
from tests.conftest import PROJECT
from tests.line import CORPUS

NOTEBOOK = PROJECT / "docs" / "quickstart.ipynb"
TIMEOUT_S = 1800
"""Of one cell: only a cell that hangs takes as long."""


def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def cell(book: Any, name: str) -> Any:
    return next(one for one in book.cells if one.id == name)


def said(book: Any, name: str) -> str:
    """What a cell printed."""
    return "".join(output.text for output in cell(book, name).outputs if output.output_type == "stream")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture(scope="module")
def executed(folder: Path) -> Any:
    """The notebook with its outputs: six people, the smallest student, one pass a stage, one light target."""
    make_demo_corpus(folder / "videos", settings=CORPUS, workers=2)
    book = notebook()
    (parameters,) = (one for one in book.cells if "parameters" in one.metadata.get("tags", []))
    parameters.source += '\nVIDEOS, STUDENT, EPOCHS, TARGET = "videos", "m0_6", 1, "onnx"'
    with pytest.MonkeyPatch.context() as patch:
        # Nothing is left in the home folder.
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder / "jupyter"))
        NotebookClient(book, timeout=TIMEOUT_S, resources={"metadata": {"path": str(folder)}}).execute()
    return book


def test_the_notebook_is_committed_without_outputs() -> None:
    code = [one for one in notebook().cells if one.cell_type == "code"]

    assert all(one.outputs == [] and one.execution_count is None for one in code)


@pytest.mark.slow
def test_every_step_leaves_what_the_next_one_reads(executed: Any, folder: Path) -> None:
    work = folder / "quickstart"

    assert (work / "store").is_dir()
    assert set(json.loads((work / "run" / METRICS).read_text())) == {"teacher", "student"}
    manifest = open_artifacts(work / "artifacts")
    assert manifest.trained
    assert {row.target for row in manifest.artifacts} == {"onnx"}
    assert "AUC" in said(executed, "evaluate")


@pytest.mark.slow
def test_the_notebook_ends_with_a_verdict_and_a_picture_of_each_video(executed: Any) -> None:
    verdicts = said(executed, "detect").splitlines()[-2:]
    pictures = [output.data["image/png"] for output in cell(executed, "picture").outputs]

    assert [line.split("/")[1] for line in verdicts] == ["fake", "real"]
    assert all("fake probability" in line for line in verdicts)
    assert len(pictures) == 2
    assert all(base64.b64decode(png).startswith(b"\x89PNG") for png in pictures)
