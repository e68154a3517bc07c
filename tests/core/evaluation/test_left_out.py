"""`python -m core evaluate`: what it leaves out since the run has seen it, and what it says of that."""

import shutil
from pathlib import Path

import pytest

from tests.core.evaluation.conftest import GREYS, VIDEOS, documented, evaluated, has_seen, refused
from tests.core.judging import filled, record


def test_a_video_that_the_run_has_seen_is_left_out_and_counted_everywhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    has_seen(folder / "run", {"content of anna": "train", "content of bert blended": "val", "content of bert": "test"})

    found = documented(capsys, "store", "--run", "run")

    assert [video["path"] for video in found["videos"]] == ["fake/anna swapped.mp4", "real/bert.mp4"]
    line = "2 videos left out: the run was trained or validated on them"
    assert found["left_out"] == {
        "checked": True,
        "text": line,
        "videos": 2,
        "clips": 2,
        "paths": ["fake/bert blended.mp4", "real/anna.mp4"],
    }
    out, _ = evaluated(capsys, "store", "--run", "run", "--html", "page.html")
    assert line in out
    assert line in (folder / "page.html").read_text()


def test_it_is_told_by_its_content_whatever_it_is_called(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    has_seen(folder / "run", {"some other content": "train"}, identity="anna")
    found = documented(capsys, "store", "--run", "run")
    assert len(found["videos"]) == 4
    assert found["left_out"]["checked"]
    assert found["left_out"]["text"] == "no video left out: the run has seen none of them"


def test_all_clips_of_a_video_go_with_it_and_those_that_show_its_face(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = [
        record("anna", identity="anna"),
        record("anna blended", is_fake=True, identity="anna", path="real/anna.mp4", content_sha256="content of anna",
               visibility=5.0),
        record("bert", identity="bert"),
        record("bert in anna's place", is_fake=True, identity="bert", source="anna", path="real/bert.mp4",
               content_sha256="content of bert", visibility=5.0),
        record("bert in carl's place", is_fake=True, identity="bert", source="carl", path="real/bert.mp4",
               content_sha256="content of bert", visibility=5.0),
    ]  # fmt: skip
    filled(tmp_path / "store", dict.fromkeys((row.key for row in forged), 128), forged)
    shutil.copytree(trained, tmp_path / "run")
    has_seen(tmp_path / "run", {"content of anna": "train"})

    found = documented(capsys, str(tmp_path / "store"), "--run", str(tmp_path / "run"))

    assert (found["figures"]["videos_real"], found["figures"]["videos_fake"]) == (1, 1)
    assert found["left_out"]["text"] == (
        "1 video (2 clips) left out: the run was trained or validated on it; "
        "1 swap left out: it shows a face that the run was trained on"
    )
    assert (found["left_out"]["videos"], found["left_out"]["clips"]) == (1, 3)


@pytest.mark.parametrize("side", ["train", "val"])
def test_a_side_that_was_asked_for_leaves_nothing_out(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str], side: str
) -> None:
    rows = [row.model_copy(update={"split": side}) for row in VIDEOS]
    filled(tmp_path / "store", GREYS, rows)
    shutil.copytree(trained, tmp_path / "run")
    has_seen(tmp_path / "run", {f"content of {row.key}": side for row in rows})
    store, run = str(tmp_path / "store"), str(tmp_path / "run")

    found = documented(capsys, store, "--run", run, "--split", side)

    assert len(found["videos"]) == 4
    assert f"--split {side} asks for those that the model has seen" in found["left_out"]["text"]
    # Whereas with everything asked for nothing is left to judge.
    assert "4 videos left out" in refused(capsys, store, "--run", run, "--split", "all")


def test_what_cannot_be_checked_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left_out = documented(capsys, "store", "--run", "run")["left_out"]
    assert not left_out["checked"]
    assert left_out["text"] == (
        "not checked for videos that the model has seen: the run run has no data.json; train it again to have one"
    )


def test_clips_of_a_store_that_does_not_name_their_video_are_said_to_be_unchecked(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [VIDEOS[0], VIDEOS[1].model_copy(update={"content_sha256": ""}), *VIDEOS[2:]]
    filled(tmp_path / "store", GREYS, rows)
    shutil.copytree(trained, tmp_path / "run")
    has_seen(tmp_path / "run", {"": "train", "content of anna": "train"})
    left_out = documented(capsys, str(tmp_path / "store"), "--run", str(tmp_path / "run"))["left_out"]
    assert (left_out["checked"], left_out["paths"]) == (False, ["real/anna.mp4"])
    assert "1 clip not checked: the store does not name the video" in left_out["text"]
