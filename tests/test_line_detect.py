"""What `detect` makes of artefacts that the line made: answers, and refusals in one line."""

import csv
import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.command_line import run_command
from core.commands import Detect
from core.decision import WINDOW, Logits, window_spans
from core.detector import detect_video
from core.manifest import MANIFEST, Manifest, open_artifacts
from core.models import Student
from core.preprocess import preprocess
from core.runs import read_student
from core.runtimes import open_runtime
from core.tracks import largest, tracked
from core.video import encode_video, sampled_frames
from tests.line import Line, detected

pytestmark = [
    # What importing ExecuTorch says about itself.
    pytest.mark.filterwarnings("ignore:(open|read)_text is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This API is experimental"),
]


def held_out(line: Line) -> list[Path]:
    """A real and a fake video of the test side."""
    with (line.corpus / "corpus.csv").open(newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "test"]
    return [line.corpus / next(row["path"] for row in rows if row["label"] == label) for label in ("real", "fake")]


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr that is an error; there is no traceback beside it."""
    written = capsys.readouterr().err
    assert "Traceback" not in written
    (line,) = (line for line in written.splitlines() if line.startswith("error: "))
    return line


def whole_clip_logits(student: Student, video: Path, manifest: Manifest) -> list[Logits]:
    """Every window of a video judged by torch from the clip as a whole, without a stream."""
    spec, decision = manifest.preprocess, manifest.decision
    seen = list(tracked(sampled_frames(video, decision.frame_rate)))
    tracks = largest([faces for _, faces in seen])
    boxes = [None if track is None else faces[track] for (_, faces), track in zip(seen, tracks, strict=True)]
    frames = [(frame.image, box) for (frame, _), box in zip(seen, boxes, strict=True)]
    pixels = np.stack([np.zeros((3, spec.size, spec.size)) if b is None else preprocess(i, b, spec) for i, b in frames])
    valid = torch.tensor([box is not None for _, box in frames]).float()
    with torch.inference_mode():
        rgb, depth, _ = student.encode(torch.from_numpy(pixels).float())
        logits = []
        for span in window_spans(len(frames), decision.hop):
            empty = WINDOW - (span.end - span.start)
            rgb_row, depth_row = (F.pad(x[span.start : span.end], (0, 0, empty, 0))[None] for x in (rgb, depth))
            mask = F.pad(valid[span.start : span.end], (empty, 0))[None]
            heard = mask if manifest.depth_trained else torch.zeros_like(mask)
            answer = student.classify(rgb_row, depth_row, mask, heard)[0]
            logits.append((float(answer[0]), float(answer[1])))
    return logits


def test_detect_answers_with_the_documents_keys_and_its_rule(line: Line) -> None:
    decision = open_artifacts(line.artifacts).decision

    for found in detected(line.artifacts, held_out(line)):
        assert set(found) == {
            *("video", "label", "fake_probability", "threshold", "coverage"),
            *("frames", "windows", "latency_ms"),
        }
        assert found["label"] == ("fake" if found["fake_probability"] >= decision.threshold else "real")
        assert found["threshold"] == decision.threshold
        # 40 frames at 20 a second, sampled at 10: one window.
        assert found["frames"] == WINDOW
        assert found["coverage"] > 0.9
        (window,) = found["windows"]
        assert (window["start_s"], window["end_s"]) == (0.0, pytest.approx(1.9))
        assert window["fake_probability"] == pytest.approx(found["fake_probability"])
        assert set(found["latency_ms"]) == {"decode", "face", "encode", "classify"}
        assert all(ms > 0 for ms in found["latency_ms"].values())


def test_the_stream_of_an_artefact_agrees_with_torch_on_the_whole_clip(line: Line) -> None:
    manifest, student = open_artifacts(line.artifacts), read_student(line.run)[0]
    runtime = open_runtime(line.artifacts, manifest.artifact("student_xnnpack_fp32.pte"))

    for video in held_out(line):
        (detection,) = detect_video(
            video,
            runtime,
            spec=manifest.preprocess,
            decision=manifest.decision,
            depth_trained=manifest.depth_trained,
        )
        verdict = detection.verdict
        wanted = whole_clip_logits(student, video, manifest)

        assert [window.logits for window in verdict.windows] == [pytest.approx(row, abs=2e-3) for row in wanted]
        assert verdict.fake_probability == pytest.approx(manifest.decision.probability(wanted), abs=0.02)


def test_real_footage_ends_with_an_answer(line: Line, clips: Path) -> None:
    videos = [
        *(clips / "asl" / name for name in ("again.mkv", "bird.mkv")),
        *(clips / "grid" / name for name in ("bbaf2n.mpg", "lbax4n.mpg")),
        *(clips / "other" / name for name in ("selfie.mp4", "leaves.mov")),
    ]

    answers = detected(line.artifacts, videos)

    assert [Path(answer["video"]) for answer in answers] == videos
    assert all(answer["label"] in ("real", "fake") and 0 <= answer["fake_probability"] <= 1 for answer in answers)
    *faces, leaves = answers
    assert all(answer["coverage"] > 0.5 for answer in faces)
    # The film cuts from the man to a cartoon: faces for a part of it only.
    assert 0.1 < leaves["coverage"] < 0.6


def test_a_changed_artefact_is_refused(line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(line.artifacts, folder)
    program = folder / "student_xnnpack_int8.pte"
    program.write_bytes(program.read_bytes()[:-1] + b"?")

    code = run_command(Detect, "detect", [str(held_out(line)[0]), "--artifact", str(folder)])

    assert code == 2
    assert "its sha256 is not the manifest's; it was changed or damaged" in one_line(capsys)


def test_an_untrained_program_runs_only_when_that_is_allowed(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(line.artifacts, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "trained": False}))
    words = [str(held_out(line)[0]), "--artifact", str(folder)]

    refused = run_command(Detect, "detect", words)
    complaint = one_line(capsys)
    allowed = run_command(Detect, "detect", [*words, "--allow-untrained"])

    assert (refused, allowed) == (2, 0)
    assert "an untrained program, its answers mean nothing" in complaint
    assert "--allow-untrained" in complaint


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"only words\n", "not a readable video"), (None, "no such file")],
    ids=["text", "missing"],
)
def test_what_is_no_video_is_refused(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, complaint: str
) -> None:
    video = tmp_path / "clip.mp4"
    if content is not None:
        video.write_bytes(content)

    code = run_command(Detect, "detect", [str(video), "--artifact", str(line.artifacts)])

    assert code == 2
    assert complaint in one_line(capsys)


def test_a_video_without_frames_is_refused(line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = tmp_path / "clip.mkv"
    with av.open(video, "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.height = stream.width = 64
        container.start_encoding()

    code = run_command(Detect, "detect", [str(video), "--artifact", str(line.artifacts)])

    assert code == 2
    assert str(video) in one_line(capsys)


def test_a_video_without_a_face_is_undecided(line: Line, tmp_path: Path) -> None:
    video = tmp_path / "grey.mp4"
    encode_video(video, [np.full((240, 240, 3), 128, np.uint8)] * 20, fps=10)

    (found,) = detected(line.artifacts, [video])

    assert (found["label"], found["fake_probability"], found["coverage"]) == ("undecided", None, 0.0)
    assert [window["fake_probability"] for window in found["windows"]] == [None]
