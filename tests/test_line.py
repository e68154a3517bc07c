"""The whole line, corpus to verdict: what must hold at every joint whatever the weights are."""

import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.results import RESULTS, read_results
from core.clips import read_slots, windows_of
from core.decision import WINDOW
from core.detector import StreamingDetector
from core.errors import InputError
from core.golden import read_frame, read_golden
from core.manifest import MANIFEST, open_artifacts, sha256_of
from core.models import Encode
from core.quantisation import quantised
from core.runs import METRICS, SAMPLES, read_student
from core.runtimes import Runtime, open_runtime
from core.runtimes.coreml import CoreMLReference
from core.store import ClipStore
from core.transforms import Variant
from export.build import write
from export.bundle import ASSETS
from export.card import CARD
from export.commands import Export
from export.folder import GOLDEN_FOLDER
from export.source import Origin
from export.targets import VARIANTS
from tests.line import VIDEOS, Line, distil

pytestmark = [
    # What importing ExecuTorch says about itself.
    pytest.mark.filterwarnings("ignore:(open|read)_(text|binary) is deprecated:DeprecationWarning"),
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


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


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
    # Schemes of int8 that were tried on the way may be there, a variant that failed may not.
    assert all("in float32" in row.reason for row in manifest.rejected)
    assert manifest.trained
    assert manifest.source.weights_sha256 == document.weights_sha256
    assert (manifest.preprocess, manifest.decision) == (document.preprocess, document.decision)
    assert manifest.metrics == json.loads((line.run / METRICS).read_text())
    # A plain file's hash as any other program would take it.
    assert manifest.preferred == "student_xnnpack_int8.pte"
    file = line.artifacts / manifest.preferred
    assert hashlib.sha256(file.read_bytes()).hexdigest() == manifest.artifact(manifest.preferred).sha256
    assert {path.name for path in line.artifacts.iterdir()} == {
        MANIFEST, CARD, GOLDEN_FOLDER, *(row.path for row in manifest.artifacts)
    }  # fmt: skip


def test_every_artefact_was_executed_and_compared_core_ml_by_the_reference_interpreter(line: Line) -> None:
    for row in open_artifacts(line.artifacts).artifacts:
        assert row.verified == ("reference" if row.target == "coreml" else "runtime")
        assert row.parity is not None
        assert row.parity.cases >= 32


def test_int8_rounds_to_the_ranges_that_were_trained(line: Line) -> None:
    student, document = read_student(line.run)
    assert document.fused
    assert document.activation_ranges
    row = open_artifacts(line.artifacts).artifact("student_xnnpack_int8.pte")
    crops = load_file(line.run / SAMPLES)["crops"][:4].float()
    program = quantised(
        Encode(student).eval(), [crops[:1]], float_parts=row.float_parts, ranges=document.activation_ranges
    )
    runtime = open_runtime(line.artifacts, row)

    for crop in torch.split(crops, 1):
        with torch.inference_mode():
            wanted = program(crop)[0]
        got = torch.from_numpy(runtime.run("encode", crop.numpy())[0].copy())
        # The same arithmetic but for ties in rounding.
        assert float(torch.cosine_similarity(wanted, got)) > 0.999


def test_almost_nothing_is_left_outside_the_delegate(line: Line) -> None:
    for row in open_artifacts(line.artifacts).artifacts:
        if row.delegation is None:
            assert row.target != "executorch"
            continue
        assert row.delegation.delegated > 100
        for method in ("encode", "classify"):
            assert sum(op.count for op in row.delegation.undelegated_ops if op.method == method) <= 2


@pytest.mark.parametrize("path", [*sorted(EXECUTABLE), "student_fp16.mlpackage", "student_int8.mlpackage"])
def test_the_golden_streams_end_with_their_verdicts_on_every_artefact(line: Line, path: str) -> None:
    manifest = open_artifacts(line.artifacts)
    artifact = manifest.artifact(path)
    runtime: Runtime = (
        CoreMLReference(line.artifacts / path, artifact.methods)
        if artifact.target == "coreml"
        else open_runtime(line.artifacts, artifact)
    )
    assert manifest.golden is not None
    folder = line.artifacts / manifest.golden

    for stream in read_golden(folder).streams:
        detector = StreamingDetector(
            runtime, spec=manifest.preprocess, decision=manifest.decision, depth_trained=manifest.depth_trained
        )
        for frame in stream.frames:
            box = None if frame.box is None else frame.box.box()
            detector.push(read_frame(folder, frame.frame), box, frame.time_ms)
        verdict = detector.finish()

        tolerance = 0.05 if artifact.precision == "int8" else 0.02
        assert verdict.coverage == stream.coverage
        assert [(w.start_ms, w.end_ms, w.coverage) for w in verdict.windows] == [
            (w.start_ms, w.end_ms, w.coverage) for w in stream.windows
        ]
        assert verdict.fake_probability == pytest.approx(stream.fake_probability, abs=tolerance)
        if stream.fake_probability is None or abs(stream.fake_probability - manifest.decision.threshold) > tolerance:
            assert verdict.label == stream.label


@pytest.mark.parametrize("path", ["student_xnnpack_fp32.pte", "student_onnx_fp32", "student_fp16.mlpackage"])
def test_the_same_run_exported_again_gives_the_same_bytes(line: Line, tmp_path: Path, path: str) -> None:
    (variant,) = (variant for variant in VARIANTS if variant.path == path)

    write(Origin(run=line.run).read(), variant, tmp_path / path)

    assert sha256_of(tmp_path / path) == open_artifacts(line.artifacts).artifact(path).sha256


def test_a_bundle_from_the_command_line_is_what_the_app_reads(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(line.artifacts, tmp_path / "artifacts")
    monkeypatch.chdir(tmp_path)

    assert Export(run=line.run, target="onnx", out=tmp_path / "artifacts", bundle=True).execute() == 0

    bundled = open_artifacts(tmp_path / ASSETS)
    assert [row.path for row in bundled.artifacts] == [bundled.preferred]
    assert bundled.golden is not None
    assert bundled.trained


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
    wanted = {("anchor", "forward")} | {(path, m) for path in (*EXECUTABLE, "student", "teacher") for m in methods}
    native = {row.artifact for row in results.rows if row.runtime == "executorch"} - {"anchor"}
    assert rows == wanted | {(path, "stream") for path in native}
    assert native in (set(), {path for path in EXECUTABLE if path.endswith(".pte")})
    assert all(row.device == "host" and row.kind == "measured" for row in results.rows)


def test_figures_of_the_results_agree_with_each_other(line: Line) -> None:
    results, manifest = read_results(line.report / RESULTS), open_artifacts(line.artifacts)

    anchor = results.row("anchor", "forward")
    assert anchor is not None
    for row in results.rows:
        latency = row.times
        assert 0 < latency.min <= latency.p50 <= latency.p90 <= latency.p99
        assert row.ratio_to_anchor == pytest.approx(latency.p50 / anchor.times.p50)
        assert row.noisy == (latency.p90 > 1.5 * latency.p50)
        assert not row.valid, "--quick measures too little"
        if row.artifact in EXECUTABLE:
            assert row.sha256 == manifest.artifact(row.artifact).sha256
            assert row.peak_rss_bytes is not None
            assert row.peak_rss_bytes > 0
            assert row.cold_load_ms is not None
            assert row.cold_load_ms > 0


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

    for name in (METRICS, "student.safetensors"):
        assert (run / name).read_bytes() == (line.run / name).read_bytes()
    again, before = (json.loads((folder / "student.json").read_bytes()) for folder in (run, line.run))
    # The checkout may have moved on in between.
    assert {**again, "code_version": ""} == {**before, "code_version": ""}
