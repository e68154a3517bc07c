"""`python -m core evaluate`: what it judges, what it says, and what it refuses."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.command_line import page
from core.evaluation.page import page_of
from core.evaluation.tables import tables_of
from core.evaluation.wording import change, interval
from core.manifest import MANIFEST
from core.records import VideoRecord
from core.store import ClipStore
from tests.core.evaluation.conftest import GREYS, VIDEOS, documented, evaluated, has_seen, refused
from tests.core.judging import filled, record

REQUEST = re.compile(r"(src|href|srcset|action|data)\s*=|url\(|@import|https?:|<script|<link|<iframe")
FIGURES = {
    *("auc", "frame_auc", "window_auc", "ap", "eer", "accuracy", "ece", "log_loss", "videos_real", "videos_fake"),
    *("undecided", "coverage", "auc_interval", "frame_accuracy", "window_log_loss"),
}


# What it says


def test_json_is_one_document_with_every_part(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = documented(capsys, "store", "--run", "run")

    assert list(found) == [
        "schema_version", "model", "data", "left_out", "figures", "by", "perturbations", "curves", "videos",
    ]  # fmt: skip
    assert found["model"]["kind"] == "run"
    assert found["model"]["runtime"]["name"] == "torch"
    assert (found["data"]["split"], found["data"]["forged"], found["data"]["max_windows"]) == ("test", True, 4)
    assert set(found["figures"]) >= FIGURES
    assert {kind: list(groups) for kind, groups in found["by"].items()} == {
        "method": ["self_blend", "swap"],
        "strength": ["4 to 8", "16 and above"],
        "compression": ["as it came"],
        "encoding": ["as it came"],
        "identity": ["anna", "bert"],
        "folder": ["fake", "real"],
    }
    assert found["perturbations"] is None
    assert found["curves"]["roc"][0] == [0.0, 0.0]
    assert len(found["curves"]["reliability"]) == 10
    assert [(video["path"], video["label"]) for video in found["videos"]] == [
        ("fake/anna swapped.mp4", "fake"),
        ("fake/bert blended.mp4", "fake"),
        ("real/anna.mp4", "real"),
        ("real/bert.mp4", "real"),
    ]
    assert all(0 < video["fake_probability"] < 1 for video in found["videos"])


def test_the_terminal_shows_the_figures_and_where_they_come_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = evaluated(capsys, "store", "--run", "run")
    for words in (
        "run run: student.safetensors, torch fp32",
        "store, the test side: 2 real and 2 fake videos decided, 0 undecided, 2 people",
        "video AUC",
        "reference's frame accuracy",
        "self_blend",
        "4 to 8",
    ):
        assert words in out


def test_the_robustness_table_has_six_kinds_of_three_strengths(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = documented(capsys, "store", "--run", "run", "--perturb")
    rows = document["perturbations"]
    assert [(row["kind"], row["strength"]) for row in rows] == [
        (kind, strength) for kind in ("blur", "noise", "rescale", "jpeg", "h264", "combined") for strength in (1, 2, 3)
    ]
    for table in tables_of(document):
        page().print(table)
    out = capsys.readouterr().out
    assert "Robustness" in out
    assert "H.264 at crf 44" in out
    assert "with the boxes found in the clean video" in " ".join(out.split())
    text = page_of(document)
    assert "H.264 at crf 44" in text
    assert not REQUEST.search(text)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0124, "+0.012"), (-0.3, "-0.300"), (-0.0004, "0.000"), (0.0, "0.000"), (None, "-")]
)
def test_a_change_has_its_sign_unless_it_rounds_to_nothing(value: float | None, expected: str) -> None:
    assert change(value) == expected


def test_an_interval_of_no_width_says_so() -> None:
    assert interval([0.912, 0.978]) == "0.91 to 0.98"
    assert interval([1.0, 1.0]) == "1.00 in every draw"
    assert interval([-0.112, 0.001], signed=True) == "-0.11 to 0.00"
    assert interval(None) == ""


# Corpora


def test_a_corpus_of_two_real_videos_is_forged_and_judged_whole(
    tmp_path: Path, trained: Path, talking_head: Callable[..., Path], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    videos = [
        talking_head(tmp_path / "faces" / f"{name}_1.mp4", frames=34, seed=seed) for seed, name in enumerate("ab")
    ]
    shutil.copytree(trained, tmp_path / "run")
    has_seen(tmp_path / "run", {})

    found = documented(capsys, "faces", "--run", "run", "--forge", "--workers", "1")

    assert found["data"]["split"] == "all"
    assert found["data"]["store"] == "stores/evaluate-faces-forged"
    assert (found["figures"]["videos_real"], found["figures"]["videos_fake"]) == (2, 4)
    assert list(found["by"]["method"]) == ["self_blend", "swap"]
    # Every window counts: of 34 samples those that end at 20, 30 and 34.
    assert {video["windows"] for video in found["videos"]} == {3}
    with ClipStore.read(tmp_path / "stores/evaluate-faces-forged") as store:
        contents = {(row.path, row.content_sha256) for row in store.records()}
    assert contents == {(video.name, hashlib.sha256(video.read_bytes()).hexdigest()) for video in videos}

    # Once the run has seen one of them, its three clips and the swap that shows it are left out.
    has_seen(tmp_path / "run", {hashlib.sha256(videos[0].read_bytes()).hexdigest(): "train"})
    again = documented(capsys, "faces", "--run", "run", "--forge", "--workers", "1")
    assert [(video["path"], video["method"]) for video in again["videos"]] == [
        ("b_1.mp4", "original"),
        ("b_1.mp4", "self_blend"),
    ]
    assert (again["left_out"]["videos"], again["left_out"]["clips"]) == (1, 4)


@pytest.mark.parametrize("label", ["real", "fake"])
def test_a_folder_of_one_class_has_every_figure_that_one_class_can_have(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str], label: str
) -> None:
    rows = [row for row in VIDEOS if row.label == label]
    filled(tmp_path / "store", GREYS, rows)
    found = documented(capsys, str(tmp_path / "store"), "--run", str(trained))
    assert (found["figures"]["auc"], found["figures"]["auc_interval"], found["curves"]["roc"]) == (None, None, [])
    assert found["figures"]["accuracy"] is not None
    out, _ = evaluated(capsys, str(tmp_path / "store"), "--run", str(trained), "--html", str(tmp_path / "page.html"))
    assert "video AUC" in out
    assert "There is no curve without videos of both classes." in (tmp_path / "page.html").read_text()


def test_a_store_is_chosen_from_by_side_method_and_compression(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[VideoRecord] = [
        *(row.model_copy(update={"compression": "c23"}) for row in VIDEOS),
        record("carl", split="train", compression="c23"),
        record("dora", compression="c40"),
    ]
    filled(tmp_path / "store", GREYS | {"carl": 1, "dora": 1}, rows)

    def judged(*words: str) -> list[str]:
        found = documented(capsys, str(tmp_path / "store"), "--run", str(trained), *words)
        return [Path(video["path"]).stem for video in found["videos"]]

    assert judged() == ["anna swapped", "bert blended", "anna", "bert", "dora"]
    assert judged("--split", "all", "--compressions", "c23") == ["anna swapped", "bert blended", "anna", "bert", "carl"]
    assert judged("--methods", "swap") == ["anna swapped", "anna", "bert", "dora"]
    assert judged("--split", "train") == ["carl"]


# What it refuses


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("store", "--run", "run", "--artifact", "other"), "--run run and --artifact other: give one of the two"),
        (("store",), "artifacts/demo: no manifest.json here"),
        (("store", "--run", "absent"), "absent: no student.json in it"),
        (("store", "--run", "run", "--split", "dev"), "--split dev: allowed are test, val, train, all"),
        (("store", "--run", "run", "--split", "val"), "store: no val video in it, there is test; name a side with"),
        (("store", "--run", "run", "--workers", "0"), "--workers 0: give 1 or more"),
        (("store", "--run", "run", "--html", "absent/page.html"), "--html absent/page.html: give the name of a file"),
        (("store", "--run", "run", "--forge"), "--forge: store is a store already; give a corpus, or leave it out"),
        (("store", "--run", "run", "--store", "other"), "--store: store is a store already"),
        (("store", "--run", "run", "--methods", "swop"), "--methods swop: none such in store; there are"),
        (("store", "--run", "run", "--compressions", "c23"), "--compressions c23: none such in store; there are none"),
        (("absent", "--run", "run"), "absent: no such corpus folder"),
        (("empty", "--run", "run"), "empty: no video in it"),
        (("flat", "--run", "run"), "flat: neither real/ and fake/ nor corpus.csv in it"),
        (("fakes", "--run", "run", "--forge"), "--forge: fakes has no real video to forge; leave --forge out"),
        (("fakes", "--run", "run", "--split", "test"), "--split test: fakes gives no split; leave --split out"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_and_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str], expected: str
) -> None:
    (folder / "empty").mkdir()
    for path in ("flat/a.mp4", "fakes/fake/a.mp4"):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).touch()
    before = sorted(folder.rglob("*"))

    assert expected in refused(capsys, *words)

    assert sorted(folder.rglob("*")) == before


def test_a_store_sampled_otherwise_than_the_model_decides_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "run" / "student.json"
    document = json.loads(file.read_text())
    document["decision"]["hop"] = 5
    file.write_text(json.dumps(document))
    line = refused(capsys, "store", "--run", "run")
    assert "store: prepared with hop 10, the model decides at 5; give the corpus instead" in line


def test_damaged_data_of_a_run_are_refused_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run" / "data.json").write_text('{"videos": [{"path": "a.mp4"}]}')
    assert "run/data.json: videos.0.identity: Field required; train the run again" in refused(
        capsys, "store", "--run", "run"
    )


def test_an_untrained_program_is_refused_unless_it_is_asked_for(
    folder: Path, artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((artifacts / MANIFEST).read_text())
    (artifacts / MANIFEST).write_text(json.dumps(manifest | {"trained": False}))
    line = refused(capsys, "store", "--artifact", str(artifacts))
    assert "an untrained program, its answers mean nothing; train one" in line
    # With the flag it goes on to the program, which is none here.
    _, err = evaluated(capsys, "store", "--artifact", str(artifacts), "--allow-untrained", code=2)
    assert "student_fp32.pte: not a program that executorch" in err


# The page


def test_the_page_asks_for_nothing_and_names_no_machine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (str(folder / "store"), "--run", str(folder / "run"), "--html", str(folder / "page.html"))
    evaluated(capsys, *words)
    text = (folder / "page.html").read_text()
    assert not REQUEST.search(text)
    assert str(folder) not in text
    assert not list(folder.glob(".page*"))
    evaluated(capsys, *words)
    assert (folder / "page.html").read_text() == text


def test_the_page_has_both_curves_with_words_for_who_cannot_see_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(capsys, "store", "--run", "run", "--html", "page.html")
    text = (folder / "page.html").read_text()
    assert text.count('role="img"') == 2
    for name in ("roc", "reliability"):
        assert f'aria-labelledby="{name}-title {name}-text"' in text
        assert f'<desc id="{name}-text">' in text
    assert "prefers-color-scheme: dark" in text


def test_names_from_the_corpus_are_text_and_never_markup(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "<script>alert(1)</script>[/b]"
    filled(tmp_path / "store", {name: 1, "b": 2}, [record(name), record("b", is_fake=True, method="<b>&")])
    out, _ = evaluated(capsys, str(tmp_path / "store"), "--run", str(trained), "--html", str(tmp_path / "page.html"))
    assert name in out
    text = (tmp_path / "page.html").read_text()
    assert "<script" not in text
    assert "&lt;b&gt;&amp;" in text
