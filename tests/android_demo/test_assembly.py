"""The build of the app: what it refuses, what it does again, and what it is pinned to."""

import struct
from pathlib import Path

import pytest

from android_demo.assembly import artefact, catalog, contents, packaging, parts
from android_demo.assembly.catalog import versions
from android_demo.assembly.freshness import redo
from android_demo.assembly.places import CHECKSUMS, DEMO, debug_keystore
from core.errors import InputError, WorkError
from export.preflight import packed_runtime


def test_without_a_bundled_artefact_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefact, "ASSETS", tmp_path)

    with pytest.raises(InputError, match="type `make demo`"):
        artefact.bundled_artefact()


def test_a_step_is_done_again_only_where_something_that_it_reads_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("android_demo.assembly.freshness.WORK", tmp_path / "work")
    source, made, done = tmp_path / "in", tmp_path / "out", list[str]()
    source.mkdir()

    def step(*words: str) -> bool:
        def work() -> None:
            made.write_text("made")
            done.append("once")

        return redo("step", work, inputs=[source], outputs=[made], words=words)

    assert step()
    assert not step()
    (source / "file").write_text("a")
    assert step()
    (source / "file").write_text("b")
    assert step()
    assert step("another word")
    made.unlink()
    assert step("another word")
    (source / "file").rename(source / "renamed")
    assert step("another word")
    assert not step("another word")
    assert len(done) == 6


def test_a_step_that_does_more_is_always_done_and_spares_the_one_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("android_demo.assembly.freshness.WORK", tmp_path)
    done = list[str]()

    def step(name: str, *, always: bool) -> bool:
        return redo("step", lambda: done.append(name), inputs=[], outputs=[], always=always)

    assert step("tested", always=True)
    assert not step("compiled", always=False)
    assert step("tested again", always=True)
    assert done == ["tested", "tested again"]


def test_a_step_that_failed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("android_demo.assembly.freshness.WORK", tmp_path / "work")

    def fails() -> None:
        raise WorkError("no")

    assert redo("step", lambda: None, inputs=[], outputs=[])
    with pytest.raises(WorkError, match="no"):
        redo("step", fails, inputs=[], outputs=[], words=["changed"])
    assert redo("step", lambda: None, inputs=[], outputs=[])


def test_a_part_that_is_another_than_it_was_is_refused(tmp_path: Path) -> None:
    known = CHECKSUMS.read_text().split()[1]
    for name in (known, "nobody-knows.jar"):
        (tmp_path / name).write_bytes(b"another")
        with pytest.raises(WorkError, match=f"{name}: its sha256 is"):
            parts.check(tmp_path / name)


def test_every_version_of_the_build_without_gradle_stands_in_the_catalog_alone() -> None:
    for file in ("pom.xml", "parts.pom.xml"):
        text = (DEMO / file).read_text()
        for name in ("kotlin", "robolectric", "androidAll", "fbjni", "junit", "onnxruntime", "r8"):
            version = versions()[name]
            assert f"<version>{version}</version>" not in text, f"{file} repeats {name}"


def test_maven_is_told_every_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "MAVEN_CONFIG", tmp_path / ".mvn/maven.config")

    catalog.write_maven_config()

    told = (tmp_path / ".mvn/maven.config").read_text().splitlines()
    assert told == [f"-D{name}={version}" for name, version in versions().items()]


def test_the_recorded_runtime_is_the_one_that_is_packed() -> None:
    assert packed_runtime().package.endswith(versions()["reactNativeExecutorch"])


def test_names_are_read_out_of_a_library(tmp_path: Path) -> None:
    library = tmp_path / "libexecutorch.so"
    texts = (b"aten::add.out", b"quantized_decomposed::add.out", b"XNNAdd", b"XNNTensorValue", b"XNNPACK", b"ET12",
             b"XN01", b"XH00XnnpackBackend", b"VulkanBackend", b"not aten::sub.out")  # fmt: skip
    library.write_bytes(b"\0".join((b"\x7fELF", *texts, b"")))

    found = contents.contents({"arm64-v8a": library})

    assert found.operators == ("aten::add.out", "quantized_decomposed::add.out")
    assert found.nodes == ("XNNAdd",)
    assert found.formats == ("ET12", "XN01")
    assert found.backends == ("VulkanBackend", "XnnpackBackend")


def test_a_library_of_another_build_than_the_recorded_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_bytes(b"another")

    with pytest.raises(WorkError, match=r"type `python -m android_demo\.assembly runtime`"):
        contents.check_table({"arm64-v8a": tmp_path / "lib.so"})


@pytest.mark.parametrize(("alignments", "least"), [((0x4000, 0x10000), 0x4000), ((0x10000, 0x1000), 0x1000)])
def test_the_least_alignment_of_the_loaded_segments_counts(
    tmp_path: Path, alignments: tuple[int, ...], least: int
) -> None:
    headers = [(1, alignment) for alignment in alignments] + [(2, 8)]
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<Q", head, 0x20, 64)
    struct.pack_into("<HH", head, 0x36, 56, len(headers))
    table = b"".join(struct.pack("<IIQQQQQQ", kind, 0, 0, 0, 0, 0, 0, alignment) for kind, alignment in headers)
    (tmp_path / "lib.so").write_bytes(bytes(head) + table)

    assert packaging.segment_alignment(tmp_path / "lib.so") == least


def test_the_debug_key_lies_outside_of_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ANDROID_USER_HOME", raising=False)
    assert not debug_keystore().is_relative_to(DEMO)
    monkeypatch.setenv("ANDROID_USER_HOME", str(tmp_path))
    assert debug_keystore() == tmp_path / "debug.keystore"


def test_the_app_asks_for_no_network() -> None:
    manifest = (DEMO / "app/src/main/AndroidManifest.xml").read_text()

    assert "INTERNET" not in manifest
    assert "NETWORK" not in manifest
