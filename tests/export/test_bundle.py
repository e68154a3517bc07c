"""The app's assets: what the app runs and nothing else, replaced whole or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import InputError
from core.golden import GOLDEN
from core.manifest import MANIFEST, Manifest, Parity, open_artifacts
from core.runs import write_json
from export.build import Outcome
from export.bundle import bundle
from export.card import CARD
from export.folder import GOLDEN_FOLDER, publish, staging
from export.golden import write_golden
from export.preflight import packed_runtime
from export.source import Source
from export.targets import chosen_variants
from tests.export.lowering import lowered

PARITY = Parity(cases=40, max_abs=0.5, cosine=0.999, agreement=None)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory, source: Source) -> Path:
    folder = tmp_path_factory.mktemp("vectors") / GOLDEN_FOLDER
    write_golden(source, folder)
    return folder


def exported(
    folder: Path, source: Source, vectors: Path | None, *, target: str = "all", content: bytes = b"program"
) -> Manifest:
    """Artefacts whose programs are `content`."""
    with staging(folder) as scratch:
        outcomes = []
        for variant in chosen_variants(target, None):
            path = scratch / variant.path
            if path.suffix != ".pte":
                path.mkdir()
                path = path / "encode"
            path.write_bytes(content)
            outcomes.append(Outcome(variant=variant, problem=None, parity=PARITY))
        if vectors is not None:
            (scratch / GOLDEN_FOLDER).symlink_to(vectors)
        return publish(folder, scratch, source, outcomes, None, None)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def program() -> bytes:
    """The smallest program that the app's runtime can execute."""
    return lowered(torch.nn.Linear(4, 2))


@pytest.fixture
def artifacts(tmp_path: Path, source: Source, vectors: Path, program: bytes) -> Path:
    import shutil

    folder = tmp_path / "artifacts"
    exported(folder, replace(source, trained=True), vectors, content=program)
    (folder / GOLDEN_FOLDER).unlink()
    shutil.copytree(vectors, folder / GOLDEN_FOLDER)
    return folder


def test_a_bundle_is_the_preferred_artefact_its_manifest_and_the_golden_vectors(
    artifacts: Path, tmp_path: Path, vectors: Path
) -> None:
    assets = tmp_path / "app" / "assets"

    bundle(artifacts, assets)

    manifest = open_artifacts(assets)
    assert [row.path for row in manifest.artifacts] == [manifest.preferred] == ["student_xnnpack_int8.pte"]
    assert files(assets) == {
        MANIFEST, "student_xnnpack_int8.pte", *(f"{GOLDEN_FOLDER}/{name}" for name in files(vectors))
    }  # fmt: skip


def test_a_former_bundle_goes_whole(artifacts: Path, tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    bundle(artifacts, assets)
    (assets / "student_old.pte").write_text("old")

    bundle(artifacts, assets)

    assert "student_old.pte" not in files(assets)


def test_what_cannot_be_bundled_leaves_the_former_bundle(artifacts: Path, tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    bundle(artifacts, assets)
    before = {name: (assets / name).read_bytes() for name in files(assets)}
    (artifacts / "student_xnnpack_int8.pte").write_text("damaged")

    with pytest.raises(InputError, match="its sha256 is not the manifest's"):
        bundle(artifacts, assets)

    assert {name: (assets / name).read_bytes() for name in files(assets)} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_program_that_the_app_cannot_execute_is_not_bundled(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = packed_runtime()
    monkeypatch.setattr("export.preflight.packed_runtime", lambda: runtime.model_copy(update={"nodes": ()}))

    with pytest.raises(InputError, match="XNNPACK node XNNFullyConnected, which the app's runtime"):
        bundle(artifacts, tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


def test_an_untrained_artefact_needs_an_explicit_word(artifacts: Path, tmp_path: Path) -> None:
    manifest = open_artifacts(artifacts)
    write_json(artifacts / MANIFEST, manifest.model_copy(update={"trained": False}))

    with pytest.raises(InputError, match="untrained program"):
        bundle(artifacts, tmp_path / "assets")
    assert not (tmp_path / "assets").exists()

    bundle(artifacts, tmp_path / "assets", allow_untrained=True)
    assert not open_artifacts(tmp_path / "assets").trained


def test_assets_of_somebody_else_stay(artifacts: Path, tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "song.ogg").write_text("mine")

    with pytest.raises(InputError, match="holds no bundle of ours"):
        bundle(artifacts, assets)

    assert files(assets) == {"song.ogg"}


def test_without_a_program_for_executorch_the_way_out_is_named(tmp_path: Path, source: Source) -> None:
    exported(tmp_path / "artifacts", replace(source, trained=True), None, target="onnx")

    with pytest.raises(InputError, match="--target executorch --bundle"):
        bundle(tmp_path / "artifacts", tmp_path / "assets")


def test_without_golden_vectors_nothing_is_bundled(tmp_path: Path, source: Source) -> None:
    exported(tmp_path / "artifacts", replace(source, trained=True), None)

    with pytest.raises(InputError, match="no golden vectors"):
        bundle(tmp_path / "artifacts", tmp_path / "assets")


@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_golden_vectors_are_held_to_their_hash(artifacts: Path, damage: str) -> None:
    file = artifacts / GOLDEN_FOLDER / GOLDEN
    file.write_text(file.read_text() + " ") if damage == "changed" else file.unlink()

    with pytest.raises(InputError, match="golden: its sha256 is not the manifest's"):
        open_artifacts(artifacts)


def test_the_card_says_what_the_manifest_says(artifacts: Path) -> None:
    card = (artifacts / CARD).read_text()

    assert "`student_xnnpack_int8.pte` | int8" in card
    assert "executorch" in card
    assert "| 40 | 0.99900 | 0.5 |" in card
    for heading in ("## Accuracy", "## Artefacts", "## Intended use", "## Limits", "## Licence"):
        assert heading in card


def test_the_card_of_an_untrained_program_claims_nothing(tmp_path: Path, source: Source) -> None:
    exported(tmp_path / "artifacts", source, None)

    card = (tmp_path / "artifacts" / CARD).read_text()
    assert "**Untrained" in card
    assert "None: this program was never trained." in card
