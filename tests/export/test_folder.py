"""The artefact folder: complete or not there, and never more than what was asked replaced."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from core.manifest import MANIFEST, Manifest, Parity, open_artifacts
from export.build import Outcome
from export.card import CARD
from export.folder import former, publish, run_metrics, staging
from export.source import Source
from export.targets import VARIANTS, Variant, chosen_variants

ALL = chosen_variants("all", None)
PARITY = Parity(cases=40, max_abs=0.5, cosine=0.999, agreement=None)


def write(path: Path, variant: Variant, content: str) -> None:
    """A file, or a folder of files, as the variant's exporter would leave."""
    if path.suffix == ".pte":
        path.write_text(content)
        return
    path.mkdir()
    (path / "encode").write_text(content)


def exported(
    folder: Path,
    source: Source,
    variants: Sequence[Variant] = ALL,
    *,
    content: str = "first",
    problem: str | None = None,
    parity: Parity = PARITY,
) -> Manifest:
    """An export of `variants` whose programs are `content`; with a `problem` all of them failed."""
    kept = former(folder, source.weights_sha256)
    with staging(folder) as scratch:
        outcomes = []
        for variant in variants:
            if problem is None:
                write(scratch / variant.path, variant, content)
            by_reference = variant.target == "coreml"
            outcomes.append(Outcome(variant=variant, problem=problem, parity=parity, by_reference=by_reference))
        return publish(folder, scratch, source, outcomes, kept, None)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def only(target: str, precision: str) -> list[Variant]:
    return chosen_variants(target, precision)


def test_a_new_folder_opens_with_a_row_for_every_variant(tmp_path: Path, source: Source) -> None:
    written = exported(tmp_path / "out", source)

    manifest = open_artifacts(tmp_path / "out")
    assert manifest == written
    assert [row.path for row in manifest.artifacts] == sorted(variant.path for variant in chosen_variants("all", None))
    assert {row.path: row.size_bytes for row in manifest.artifacts} == {row.path: 5 for row in manifest.artifacts}
    assert manifest.preferred == "student_xnnpack_int8.pte"
    assert {row.verified for row in manifest.artifacts if row.target == "coreml"} == {"reference"}
    assert {row.verified for row in manifest.artifacts if row.target != "coreml"} == {"runtime"}
    assert [method.name for method in manifest.methods] == ["encode", "classify"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("odd_cosine", "told"), [(0.54, True), (0.999, False), (None, False)])
def test_the_card_says_which_program_holds_for_faces_alone(
    tmp_path: Path, source: Source, odd_cosine: float | None, told: bool
) -> None:
    parity = PARITY.model_copy(update={"odd_cosine": odd_cosine})

    exported(tmp_path / "out", source, only("executorch", "int8"), parity=parity)

    card = (tmp_path / "out" / CARD).read_text()
    assert ("`student_xnnpack_int8.pte` are those of faces: on noise" in card) is told
    assert ("is 0.540." in card) is told


def test_what_was_only_built_is_never_preferred(tmp_path: Path, source: Source) -> None:
    manifest = exported(tmp_path / "out", source, chosen_variants("coreml", None))

    assert manifest.preferred is None


def test_exporting_one_variant_again_keeps_the_other_rows_and_files(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "out"
    before = exported(folder, source)
    files = contents(folder)

    after = exported(folder, source, only("onnx", "fp32"), content="second")

    assert open_artifacts(folder) == after
    assert [row.path for row in after.artifacts] == [row.path for row in before.artifacts]
    for old, new in zip(before.artifacts, after.artifacts, strict=True):
        assert (old == new) == (old.path != "student_onnx_fp32")
    changed = {name for name, content in contents(folder).items() if files[name] != content}
    assert changed == {MANIFEST, "student_onnx_fp32/encode"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_other_weights_replace_the_folder_whole(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "out"
    exported(folder, source)

    exported(folder, replace(source, weights_sha256="other"), only("onnx", "fp32"), content="second")

    assert contents(folder).keys() == {MANIFEST, CARD, "student_onnx_fp32/encode"}
    assert open_artifacts(folder).source.weights_sha256 == "other"


def test_a_damaged_folder_of_ours_is_replaced_whole(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "out"
    exported(folder, source)
    (folder / "student_xnnpack_fp32.pte").write_text("damaged")

    exported(folder, source, only("onnx", "fp32"))

    assert [row.path for row in open_artifacts(folder).artifacts] == ["student_onnx_fp32"]


def test_a_variant_that_fails_goes_and_says_why(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "out"
    exported(folder, source)

    exported(folder, source, only("executorch", "int8"), problem="cosine 0.9 of an embedding is below 0.99")

    manifest = open_artifacts(folder)
    assert "student_xnnpack_int8.pte" not in {row.path for row in manifest.artifacts}
    assert not (folder / "student_xnnpack_int8.pte").exists()
    (rejected,) = manifest.rejected
    assert (rejected.target, rejected.precision) == ("executorch", "int8")
    assert rejected.reason == "cosine 0.9 of an embedding is below 0.99"
    assert rejected.figures == {"max_abs": 0.5, "cosine": 0.999}
    assert manifest.preferred == "student_xnnpack_fp32.pte"


def test_a_rejection_is_forgotten_when_the_variant_passes(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "out"
    exported(folder, source)
    exported(folder, source, only("executorch", "int8"), problem="a reason")

    exported(folder, source, only("executorch", "int8"))

    assert open_artifacts(folder).rejected == ()


def test_a_rejection_for_what_is_not_finite_leaves_a_readable_manifest(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "out"
    exported(folder, source)
    infinite = PARITY.model_copy(update={"max_abs": float("inf")})

    exported(folder, source, only("onnx", "fp32"), problem="an output is not finite", parity=infinite)

    (rejected,) = open_artifacts(folder).rejected
    assert rejected.figures == {"cosine": 0.999}


@pytest.mark.parametrize("name", ["notes.txt", "metrics.json"])
def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path, source: Source, name: str) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / name).write_text("{}")

    with pytest.raises(InputError, match=r"thesis: exists and is no artefact folder; give another --out"):
        exported(folder, source)

    assert contents(tmp_path) == {f"thesis/{name}": b"{}"}


@pytest.mark.parametrize("manifest", ["not json", '{"name": "a web app"}', '{"schema_version": 99}'])
def test_a_manifest_that_is_not_ours_protects_its_folder(tmp_path: Path, source: Source, manifest: str) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / MANIFEST).write_text(manifest)

    with pytest.raises(InputError, match=r"site: exists and its manifest.json is not one of ours; give another --out"):
        exported(folder, source)

    assert contents(folder) == {MANIFEST: manifest.encode()}


def test_a_file_in_the_way_is_refused(tmp_path: Path, source: Source) -> None:
    (tmp_path / "out").write_text("mine")

    with pytest.raises(InputError, match="out: exists and is no artefact folder"):
        exported(tmp_path / "out", source)


def test_an_empty_folder_is_filled(tmp_path: Path, source: Source) -> None:
    (tmp_path / "out").mkdir()

    exported(tmp_path / "out", source)

    assert len(open_artifacts(tmp_path / "out").artifacts) == len(chosen_variants("all", None))


def test_a_failure_leaves_the_former_folder_and_nothing_else(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "out"
    exported(folder, source)
    before = contents(tmp_path)

    def fail() -> None:
        with staging(folder) as scratch:
            write(scratch / VARIANTS[0].path, VARIANTS[0], "second")
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        fail()

    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_former_one(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    exported(folder, source)
    before = contents(folder)
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith("-former"):
            raise OSError("no space left")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)

    with pytest.raises(OSError, match="no space left"):
        exported(folder, replace(source, weights_sha256="other"))

    assert contents(folder) == before


@pytest.mark.parametrize("text", [None, "{", "[]"], ids=["missing", "cut off", "no object"])
def test_a_run_without_its_metrics_is_one_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "metrics.json").write_text(text)

    with pytest.raises(InputError, match=r"metrics\.json: no.*`python -m distill`"):
        run_metrics(tmp_path)


def test_a_first_export_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no space left"), staging(tmp_path / "out"):
        raise OSError("no space left")

    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_as_readable_as_any_other(tmp_path: Path, source: Source) -> None:
    (tmp_path / "plain").mkdir()

    exported(tmp_path / "out", source)

    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_manifest_is_plain_json_with_the_contracts_keys(tmp_path: Path, source: Source) -> None:
    exported(tmp_path / "out", source)

    document: dict[str, Any] = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert {"schema_version", "trained", "preprocess", "decision", "methods", "preferred", "rejected"} < set(document)
    assert document["methods"][0]["inputs"] == [
        {"name": "frame", "shape": [1, 3, 64, 64], "dtype": "float32", "range": [0.0, 255.0]}
    ]
