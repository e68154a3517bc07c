"""The artefact contract: it survives being written down, and a folder that is not what it claims is refused."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from core.manifest import MANIFEST, Manifest, open_artifacts, read_manifest, sha256_of, size_of
from core.runtimes import open_runtime, preferred_artifact
from tests.conftest import PROJECT


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Apply `change` to the manifest in `folder`."""
    document = json.loads((folder / MANIFEST).read_text())
    change(document)
    (folder / MANIFEST).write_text(json.dumps(document))


def refusal(folder: Path) -> str:
    """The message with which `folder` is refused: one line that names what is wrong."""
    with pytest.raises(InputError) as refused:
        open_artifacts(folder)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_a_manifest_survives_being_written_down(artifacts: Path) -> None:
    manifest = open_artifacts(artifacts)
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_the_schema_in_the_documents_is_the_manifest_s() -> None:
    schema = json.loads((PROJECT / "docs" / "manifest.schema.json").read_text())

    assert schema == Manifest.model_json_schema(), "write it again: see the first lines of core/manifest.py"


def test_an_opened_manifest_says_what_its_file_says(artifacts: Path) -> None:
    document = json.loads((artifacts / MANIFEST).read_text())

    manifest = open_artifacts(artifacts)

    found = json.loads(manifest.model_dump_json())
    assert found["decision"] == {
        **document["decision"],
        "frame_rate": 10.0,
        "hop": 10,
        "min_coverage": 0.5,
        "aggregation": "mean_logits",
        "positive_class": "fake",
        "positive_index": 1,
    }
    assert found["preprocess"] == {"size": 64, "margin": 1.5, "padding": 0, "fit": "scale"}
    assert {name: found[name] for name in ("artifacts", "source", "methods", "metrics")} == {
        name: document[name] for name in ("artifacts", "source", "methods", "metrics")
    }
    assert manifest.method("classify").inputs[2].shape == (1, 20)
    assert manifest.artifact("student_int8.mlpackage").target == "coreml"


def test_the_preferred_artefact_is_the_listed_one(artifacts: Path) -> None:
    assert preferred_artifact(open_artifacts(artifacts)).path == "student_fp32.pte"
    edited(artifacts, lambda document: document.update(preferred=None))
    with pytest.raises(InputError, match=r"the artefacts of demo hold none .* type `python -m export"):
        preferred_artifact(open_artifacts(artifacts))


def test_a_target_without_a_runtime_here_is_refused_by_name(artifacts: Path) -> None:
    row = open_artifacts(artifacts).artifact("student_int8.mlpackage")
    with pytest.raises(InputError, match=r"student_int8.mlpackage: a coreml artefact cannot be executed on this"):
        open_runtime(artifacts, row)


def test_a_folder_without_a_manifest_says_what_to_type(tmp_path: Path) -> None:
    assert re.search(rf"{tmp_path}: no manifest.json here; .* type `python -m export`", refusal(tmp_path))
    assert "no manifest.json here" in refusal(tmp_path / "absent")


@pytest.mark.parametrize("text", ["", "{", "\x00\xff", "[1, 2", "[" * 100_000])
def test_broken_json_is_refused(artifacts: Path, text: str) -> None:
    (artifacts / MANIFEST).write_text(text)
    assert "manifest.json: not readable as JSON" in refusal(artifacts)


@pytest.mark.parametrize("document", ["[]", "{}", "null", '{"schema_version": 2}', '{"schema_version": "1"}'])
def test_another_schema_version_is_refused(artifacts: Path, document: str) -> None:
    (artifacts / MANIFEST).write_text(document)
    assert re.search(r"schema version .*; this version reads 1 only: export again", refusal(artifacts))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(licence="MIT"), "licence: Extra inputs are not permitted"),
        (lambda d: d["artifacts"][0].update(licence="MIT"), "artifacts.0.licence: Extra inputs"),
        (lambda d: d["decision"].update(hop=0), "decision.hop: Input should be greater than or equal to 1"),
        (lambda d: d["decision"].update(positive_index=0), "decision.positive_index: Input should be 1"),
        (lambda d: d["artifacts"][0].update(target="tflite"), "artifacts.0.target: Input should be 'executorch'"),
        (lambda d: d.pop("preprocess"), "preprocess: Field required"),
        (lambda d: d["artifacts"][0].pop("sha256"), "artifacts.0.sha256: Field required"),
    ],
)
def test_a_field_that_is_unknown_missing_or_out_of_range_is_named(
    artifacts: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edited(artifacts, change)
    assert f"manifest.json: {message}" in refusal(artifacts)


@pytest.mark.parametrize("path", ["../student_fp32.pte", "a/../../b", "/etc/hostname", "..\\x", "", ".", "a\0b"])
def test_a_path_that_leaves_the_folder_is_refused(artifacts: Path, path: str) -> None:
    edited(artifacts, lambda document: document["artifacts"][0].update(path=path))
    message = refusal(artifacts)
    assert "artifacts.0.path" in message
    assert "leaves its folder" in message


@pytest.mark.parametrize("path", ["student_fp32.pte", "student_int8.mlpackage/Data/model.mlmodel"])
def test_a_file_with_one_flipped_bit_is_refused(artifacts: Path, path: str) -> None:
    file = artifacts / path
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    listed = artifacts / Path(path).parts[0]
    assert refusal(artifacts).startswith(f"{listed}: its sha256 is not the manifest's")


def test_a_truncated_file_is_refused(artifacts: Path) -> None:
    file = artifacts / "student_fp32.pte"
    file.write_bytes(file.read_bytes()[:-1])
    assert "student_fp32.pte: its sha256 is not the manifest's" in refusal(artifacts)


def test_a_blown_up_file_is_refused_without_being_read(artifacts: Path) -> None:
    with (artifacts / "student_fp32.pte").open("r+b") as file:
        file.truncate(1 << 40)  # sparse: a terabyte that takes no room, and hours to hash

    assert "student_fp32.pte: its sha256 is not the manifest's" in refusal(artifacts)


def test_blown_up_golden_vectors_and_manifests_are_refused_without_being_read(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.manifest.MOST_GOLDEN_BYTES", 10)
    (artifacts / "golden").mkdir()
    (artifacts / "golden/x.png").write_bytes(b"x" * 11)
    edited(artifacts, lambda d: d.update(golden="golden", golden_sha256=sha256_of(artifacts / "golden")))
    assert "golden: its sha256 is not the manifest's" in refusal(artifacts)

    monkeypatch.setattr("core.manifest.MOST_MANIFEST_BYTES", 10)
    assert "more than 10 bytes, no manifest is" in refusal(artifacts)


def test_a_path_that_no_file_system_takes_is_one_line(artifacts: Path) -> None:
    edited(artifacts, lambda document: document["artifacts"][0].update(path="a" * 5000))
    assert "lists a file that cannot be read (File name too long); export it again" in refusal(artifacts)


@pytest.mark.parametrize("other", ["0.3.0", "99.1"])
def test_a_program_of_another_runtime_version_is_not_executed(artifacts: Path, other: str) -> None:
    row = open_artifacts(artifacts).artifact("student_fp32.pte")
    row = row.model_copy(update={"runtime": row.runtime.model_copy(update={"version": other})})

    with pytest.raises(InputError, match=rf"student_fp32.pte: was checked with executorch {other}, here is"):
        open_runtime(artifacts, row)


def test_a_missing_file_is_refused(artifacts: Path) -> None:
    (artifacts / "student_fp32.pte").unlink()
    assert re.search(r"student_fp32.pte: listed in .* but missing; export it again", refusal(artifacts))


@pytest.mark.parametrize("change", ["added", "renamed", "removed"])
def test_a_package_with_other_files_is_refused(artifacts: Path, change: str) -> None:
    package = artifacts / "student_int8.mlpackage"
    if change == "added":
        (package / "extra").write_bytes(b"")
    elif change == "renamed":
        (package / "Manifest.json").rename(package / "manifest.json")
    else:
        (package / "Manifest.json").unlink()
    assert "student_int8.mlpackage: its sha256 is not the manifest's" in refusal(artifacts)


@pytest.mark.parametrize("path", ["student_fp32.pte", "student_int8.mlpackage/Data/model.mlmodel"])
def test_a_symbolic_link_in_place_of_a_file_is_refused(artifacts: Path, tmp_path: Path, path: str) -> None:
    """Even to the very same bytes: what it points to may change after the check."""
    file = artifacts / path
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert refusal(artifacts) == f"{file}: a symbolic link, artefacts are plain files and folders; export it again"


@pytest.mark.parametrize("part", ["student_int8.mlpackage", "student_int8.mlpackage/Data"])
def test_a_link_in_place_of_a_package_or_a_folder_of_it_is_refused(artifacts: Path, tmp_path: Path, part: str) -> None:
    folder = artifacts / part
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert f"{folder}: a symbolic link" in refusal(artifacts)


def test_a_link_on_the_way_to_an_artefact_is_refused(artifacts: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (artifacts / "student_fp32.pte").rename(tmp_path / "elsewhere" / "student_fp32.pte")
    (artifacts / "phone").symlink_to(tmp_path / "elsewhere")
    edited(artifacts, lambda document: document["artifacts"][0].update(path="phone/student_fp32.pte"))
    assert f"{artifacts / 'phone'}: a symbolic link" in refusal(artifacts)


def test_a_preferred_artefact_that_is_not_listed_is_refused(artifacts: Path) -> None:
    edited(artifacts, lambda document: document.update(preferred="other.pte"))
    assert "the preferred artefact 'other.pte' is not among the listed ones" in refusal(artifacts)


def test_reading_a_manifest_alone_opens_no_artefact(artifacts: Path) -> None:
    (artifacts / "student_fp32.pte").unlink()
    assert read_manifest(artifacts / MANIFEST).preferred == "student_fp32.pte"


def test_the_digest_of_a_folder_is_over_its_sorted_path_and_digest_lines(tmp_path: Path) -> None:
    contents = {"b.bin": b"two", "a/z.bin": b"one", "a/deep/c.bin": b"", "B.bin": b"three"}
    for name, data in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)

    lines = [f"{name} {hashlib.sha256(contents[name]).hexdigest()}\n" for name in sorted(contents)]

    assert sha256_of(tmp_path) == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert sha256_of(tmp_path / "b.bin") == hashlib.sha256(b"two").hexdigest()
    assert size_of(tmp_path) == sum(map(len, contents.values())) == 11
    assert size_of(tmp_path / "b.bin") == 3


def test_sorting_is_by_the_path_as_it_is_written(tmp_path: Path) -> None:
    """`a.b` comes before `a/c` as text; by parts, as paths sort, it would come after."""
    for name in ("a/c", "a.b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    expected = hashlib.sha256(f"a.b {digest}\na/c {digest}\n".encode()).hexdigest()
    assert sha256_of(tmp_path) == expected
