"""The comparison with the reference's way: boxes matched by hand, and one small run of the command."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import COMMANDS
from benchmarks.footprint import Footprint
from benchmarks.preparation import Seen, agreement, boxes_at
from core.command_line import run_command
from core.preprocess import Box
from core.records import Sample, VideoRecord


def box(x: float) -> Box:
    return Box(x=x, y=0, w=10, h=10)


def record(*faces: float | None) -> VideoRecord:
    """Samples 100 ms apart; each face is told by its left edge."""
    return VideoRecord(
        key="k",
        path="a.mp4",
        label="real",
        identity="a",
        method="original",
        split="train",
        frame_size=(100, 100),
        samples=tuple(
            Sample(
                index=3 * place,
                time_ms=100.0 * place,
                face=None if x is None else (x, 0, 10, 10),
                kept=False,
                depth_valid=False,
            )
            for place, x in enumerate(faces)
        ),
        windows=(),
        depth_range=None,
    )


def test_between_two_samples_of_a_face_its_box_moves_evenly() -> None:
    found = boxes_at(record(0.0, 4.0, None, 50.0), [0.0, 25.0, 50.0, 100.0, 150.0, 250.0, 300.0, 390.0])
    assert [None if b is None else b.x for b in found] == [0.0, 1.0, 2.0, 4.0, 4.0, None, 50.0, 50.0]


def test_a_jump_to_another_face_is_no_movement() -> None:
    assert boxes_at(record(0.0, 60.0), [50.0]) == [box(0.0)]


def test_recall_counts_dlibs_boxes_and_the_false_rate_ours() -> None:
    # One frame a sample; ours is missing once, elsewhere once, and stands alone at the end, far from any of dlib's.
    ours = record(*[0.0] * 4, None, 40.0, *[None] * 12, 0.0)
    truth: list[Box | None] = [*[box(0.0)] * 6, *[None] * 13]
    seen = {"a.mp4": Seen(times_ms=[100.0 * place for place in range(19)], boxes=truth)}
    recall, false_rate = agreement(seen, [ours])
    assert recall == pytest.approx(4 / 6)
    assert false_rate == pytest.approx(1 / 6)


def test_without_a_face_on_either_side_there_is_nothing_to_say() -> None:
    seen = {"a.mp4": Seen(times_ms=[0.0], boxes=[None])}
    assert agreement(seen, [record(None)]) == (None, None)


def test_a_footprint_sees_what_its_block_allocates() -> None:
    with Footprint() as before:
        for _ in range(400):
            np.ones(1 << 20).sum()
    with Footprint() as after:
        block = np.ones(48 << 20)
        for _ in range(20):
            block.sum()
    assert before.total_bytes is not None
    assert after.total_bytes is not None
    assert after.total_bytes - before.total_bytes > 300e6


def test_the_command_compares_both_ways_in_one_document(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("asl/milk.mkv", "grid/lbax4n.mpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).symlink_to((clips / name).resolve())
    assert run_command(COMMANDS, "benchmarks", ["preparation", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["videos"], report["frames"]) == (2, 51 + 75)
    assert report["recall"] >= 0.98
    assert report["false_rate"] <= 0.02
    assert report["speedup"] == pytest.approx(report["reference_s"] / report["prepare_s"])
    assert report["speedup_one_worker"] == pytest.approx(report["reference_s"] / report["prepare_one_worker_s"])
    assert sum(report["stages_share"].values()) == pytest.approx(1)
    assert set(report["stages_share"]) == {"decode", "faces", "crops"}
    assert report["cache"]["clips"] == 128
    assert report["cache"]["size_bytes"] <= 4_500_000


def test_a_folder_that_is_no_corpus_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(COMMANDS, "benchmarks", ["preparation", str(tmp_path / "nowhere")]) == 2
    assert "no such corpus folder" in capsys.readouterr().err
