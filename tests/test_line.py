"""The whole line, corpus to verdict: what must hold at every joint whatever the weights are."""

import csv
import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from benchmarks.results import RESULTS, read_results
from core.clips import read_slots, windows_of
from core.command_line import run_command
from core.commands import Detect
from core.decision import WINDOW, Logits, window_spans
from core.detector import detect_video
from core.errors import InputError
from core.manifest import MANIFEST, Manifest, open_artifacts
from core.models import Student
from core.preprocess import preprocess
from core.runs import METRICS, SAMPLES, read_student
from core.runtimes import open_runtime
from core.store import ClipStore
from core.tracks import largest, tracked
from core.transforms import Variant
from core.video import encode_video, sampled_frames
from export.commands import Export
from tests.line import VIDEOS, Line, detected, distil

pytestmark = [
    pytest.mark.xdist_group("line"),
    # What importing ExecuTorch says about itself.
    pytest.mark.filterwarnings("ignore:(open|read)_text is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This API is experimental"),
]

METRIC_NAMES = {
    *("auc", "frame_auc", "window_auc", "ap", "eer", "accuracy", "ece", "log_loss"),
    *("videos_real", "videos_fake", "undecided", "coverage"),
}
EXECUTABLE = {
    "student_xnnpack_fp32.pte",
    "student_xnnpack_int8.pte",
    "student_onnx_fp32",
}


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


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


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


def test_metrics_cover_both_models_on_both_held_out_sides(line: Line) -> None:
    metrics = json.loads((line.run / METRICS).read_text())

    assert set(metrics) == {"teacher", "student"}
    for sides in metrics.values():
        assert set(sides) == {"val", "test"}
        for side, figures in sides.items():
            assert set(figures) == METRIC_NAMES
            assert figures["videos_real"] == figures["videos_fake"] == VIDEOS[side]
            assert figures["undecided"] == 0
            assert 0.9 < figures["coverage"] <= 1


def test_the_student_rebuilt_from_its_document_gives_the_figures_of_metrics_json(line: Line) -> None:
    student, document = read_student(line.run)
    spec, decision = document.preprocess, document.decision
    assert (spec, decision.hop) == (line.recipe.product.preprocess, line.recipe.product.decision.hop)

    with ClipStore.read(line.store) as store:
        records = [record for record in store.records() if record.split == "test"]
        windows = windows_of(records, min_coverage=decision.min_coverage)
        slots = [read_slots(store, window, range(WINDOW), spec, Variant()) for window in windows]
    with torch.inference_mode():
        logits = []
        for row in slots:
            rgb, depth, _ = student.encode(row.frames.float())
            heard = row.face_valid if document.depth_trained else torch.zeros(WINDOW)
            answer = student.classify(rgb[None], depth[None], row.face_valid[None], heard[None])[0]
            logits.append((float(answer[0]), float(answer[1])))
    probability = {
        record.key: decision.probability(
            [row for row, window in zip(logits, windows, strict=True) if window.record.key == record.key]
        )
        for record in records
    }

    figures = json.loads((line.run / METRICS).read_text())["student"]["test"]
    losses = [-math.log(probability[r.key] if r.label == "fake" else 1 - probability[r.key]) for r in records]
    right = [decision.label(probability[r.key]) == r.label for r in records]
    assert figures["log_loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    assert figures["accuracy"] == pytest.approx(sum(right) / len(right))


def test_samples_are_crops_and_validation_windows_as_bytes(line: Line) -> None:
    samples = load_file(line.run / SAMPLES)

    size = line.recipe.product.preprocess.size
    windows = len(samples["windows"])
    crops = len(samples["crops"])
    assert {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in samples.items()} == {
        "crops": (torch.uint8, (crops, 3, size, size)),
        "windows": (torch.uint8, (windows, WINDOW, 3, size, size)),
        "face_valid": (torch.float32, (windows, WINDOW)),
        "is_fake": (torch.int64, (windows,)),
    }
    assert 0 < crops <= 128
    assert windows == 2 * VIDEOS["val"]
    assert set(samples["is_fake"].tolist()) == {0, 1}


def test_every_file_of_the_manifest_is_there_and_whole(line: Line) -> None:
    manifest = open_artifacts(line.artifacts)

    document = read_student(line.run)[1]
    assert {row.target for row in manifest.artifacts} == {"executorch", "coreml", "onnx"}
    assert manifest.rejected == ()
    assert manifest.trained
    assert manifest.source.weights_sha256 == document.weights_sha256
    assert (manifest.preprocess, manifest.decision) == (document.preprocess, document.decision)
    assert manifest.metrics == json.loads((line.run / METRICS).read_text())
    # A plain file's hash as any other program would take it.
    assert manifest.preferred == "student_xnnpack_int8.pte"
    file = line.artifacts / manifest.preferred
    assert hashlib.sha256(file.read_bytes()).hexdigest() == manifest.artifact(manifest.preferred).sha256
    assert {path.name for path in line.artifacts.iterdir()} == {MANIFEST, *(row.path for row in manifest.artifacts)}


def test_what_this_machine_executes_was_compared_and_core_ml_was_only_built(line: Line) -> None:
    for row in open_artifacts(line.artifacts).artifacts:
        assert row.verified == ("built" if row.target == "coreml" else "runtime")
        assert (row.parity is None) == (row.target == "coreml")
        assert row.parity is None or row.parity.cases >= 32


def test_almost_nothing_is_left_outside_the_delegate(line: Line) -> None:
    for row in open_artifacts(line.artifacts).artifacts:
        if row.delegation is None:
            assert row.target != "executorch"
            continue
        assert row.delegation.delegated > 100
        for method in ("encode", "classify"):
            assert sum(op.count for op in row.delegation.undelegated_ops if op.method == method) <= 2


@pytest.mark.parametrize("path", sorted(EXECUTABLE))
def test_artefacts_embed_crops_as_torch_does(line: Line, path: str) -> None:
    artifact = open_artifacts(line.artifacts).artifact(path)
    runtime, student = open_runtime(line.artifacts, artifact), read_student(line.run)[0]
    # The middle ones: neither calibration, which takes the first, nor the parity check, which takes the last.
    crops = load_file(line.run / SAMPLES)["crops"]
    crops = crops[len(crops) // 2 :][:4].float()

    for crop in torch.split(crops, 1):
        with torch.inference_mode():
            wanted = [output.numpy() for output in student.encode(crop)]
        got = runtime.run("encode", crop.numpy())
        for reference, output in zip(wanted[:2], got[:2], strict=True):
            cosine = (reference * output).sum() / np.linalg.norm(reference) / np.linalg.norm(output)
            assert cosine >= (0.99 if artifact.precision == "int8" else 0.9999)
        if artifact.precision == "fp32":
            for reference, output in zip(wanted, got, strict=True):
                assert np.abs(reference - output).max() <= 1e-3 * max(1.0, np.abs(reference).max())


def test_results_hold_a_row_for_the_anchor_and_for_each_method_that_can_run(line: Line) -> None:
    results = read_results(line.report / RESULTS)

    rows = {(row.artifact, row.method) for row in results.rows}
    methods = ("encode", "classify")
    assert rows == {("anchor", "forward")} | {(path, m) for path in (*EXECUTABLE, "teacher") for m in methods}
    assert all(row.device == "host" and row.kind == "measured" for row in results.rows)


def test_figures_of_the_results_agree_with_each_other(line: Line) -> None:
    results, manifest = read_results(line.report / RESULTS), open_artifacts(line.artifacts)

    anchor = results.row("anchor", "forward")
    assert anchor is not None
    for row in results.rows:
        latency = row.latency_ms
        assert 0 < latency.min <= latency.p50 <= latency.p90 <= latency.p99
        assert row.ratio_to_anchor == pytest.approx(latency.p50 / anchor.latency_ms.p50)
        assert row.noisy == (latency.p90 > 1.5 * latency.p50)
        assert not row.valid, "--quick measures too little"
        if row.artifact in EXECUTABLE:
            assert row.sha256 == manifest.artifact(row.artifact).sha256
            assert row.peak_rss_bytes is not None
            assert row.peak_rss_bytes > 0
            assert row.cold_load_ms is not None
            assert row.cold_load_ms > 0


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


def test_exporting_one_target_again_keeps_the_other_rows(line: Line, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(line.artifacts, folder)
    before = open_artifacts(folder)

    assert Export(run=line.run, out=folder, target="onnx", precision="fp32").execute() == 0

    after = open_artifacts(folder)
    assert [row.path for row in after.artifacts] == [row.path for row in before.artifacts]
    assert [row for row in after.artifacts if row.path != "student_onnx_fp32"] == [
        row for row in before.artifacts if row.path != "student_onnx_fp32"
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]


def test_a_finished_run_is_left_as_it_is(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(line.run)

    distil(line.recipe, line.store, line.run)

    assert "finished already, nothing to do" in capsys.readouterr().err
    assert digests(line.run) == before


def test_a_run_of_another_recipe_is_refused(line: Line) -> None:
    before = digests(line.run)

    with pytest.raises(InputError, match="a run of another recipe; give another --run, or remove the folder"):
        distil(replace(line.recipe, seed=1), line.store, line.run)

    assert digests(line.run) == before


def test_an_interrupted_run_goes_on_to_the_same_figures(line: Line, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(line.run, run)
    for name in (METRICS, "student.json", "student.safetensors"):
        (run / name).unlink()

    distil(line.recipe, line.store, run)

    for name in (METRICS, "student.json", "student.safetensors"):
        assert (run / name).read_bytes() == (line.run / name).read_bytes()


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
