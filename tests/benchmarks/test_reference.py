"""The reference and the student on one video: what is counted, for whom, and that both do what they stand for."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from benchmarks.commands import Run
from benchmarks.reference import reference_video
from benchmarks.reference.measure import measure_pipelines
from benchmarks.reference.models import ReferenceModels
from benchmarks.reference.pipeline import SPEC, ReferencePipeline
from benchmarks.reference.result import EAGER, ONNX, STUDENT, Setting, Turns, result_of
from benchmarks.reference.student import student_pass
from benchmarks.reference_result import Reference
from core.decision import WINDOW, Decision
from core.demo import DemoSettings, make_demo_corpus
from core.detector import detect_video
from core.errors import InputError, WorkError
from core.faces import FaceDetector
from core.manifest import Manifest, MethodSpec, Source, TensorSpec
from core.preprocess import Image, PreprocessSpec, preprocess
from core.runtimes import Array
from core.video import encode_video

WIDTH = 4
STUDENT_SPEC = PreprocessSpec(size=64, margin=1.5)


class FakeReference:
    """Models of the reference that say what they saw: means, and minus the mean where `other`."""

    name, version = "fake", "1"

    def __init__(self, *, other: bool = False) -> None:
        self.calls: list[tuple[str, tuple[Array, ...]]] = []
        self._sign = -1 if other else 1

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        self.calls.append((method, tuple(array.copy() for array in inputs)))
        if method == "depth":
            return (inputs[0].mean(axis=1),)
        if method == "classify":
            return (np.array([[1.0, self._sign * inputs[0].mean()]], np.float32),)
        return (np.full((1, WIDTH), self._sign * inputs[0].mean(), np.float32),)

    def seen(self, method: str) -> list[tuple[Array, ...]]:
        """The inputs of every call of a method."""
        return [inputs for name, inputs in self.calls if name == method]


class FakeStudent:
    """The student's two methods, from the mean of what they are given."""

    name, version = "fake", "1"

    def __init__(self) -> None:
        self.encoded: list[Array] = []

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        if method == "encode":
            self.encoded.append(inputs[0].copy())
            mean = np.full((1, WIDTH), inputs[0].mean(), np.float32)
            return mean, -mean, np.zeros((1, 1, 16, 16), np.float32)
        return (np.array([[0.0, inputs[0].mean()]], np.float32),)


def manifest(decision: Decision) -> Manifest:
    frame = TensorSpec(name="frame", shape=(1, 3, 64, 64), dtype="float32", range=(0.0, 255.0))
    slots = TensorSpec(name="rgb", shape=(1, WINDOW, WIDTH), dtype="float32", range=None)
    return Manifest(
        name="tiny",
        created="now",
        trained=True,
        depth_trained=True,
        source=Source(run=None, recipe="demo", weights_sha256="0", code_version="0"),
        preprocess=STUDENT_SPEC,
        decision=decision,
        methods=(
            MethodSpec(name="encode", inputs=(frame,), outputs=(frame,)),
            MethodSpec(name="classify", inputs=(slots,), outputs=(slots,)),
        ),
        metrics=None,
        preferred=None,
        artifacts=(),
    )


SETTING = Setting(
    video=Path("talk.mp4"), student="student.pte", student_title="student", trained=False, onnx_version="1"
)


def scenes(frames: int, *, without: range = range(0)) -> list[Image]:
    """A head that moves over a wall; bare in `without`."""
    head = np.ascontiguousarray(astronaut()[10:210, 130:330])  # type: ignore[no-untyped-call]
    images = []
    for index in range(frames):
        image = np.full((224, 256, 3), 110, np.uint8)
        if index not in without:
            image[12:212, 20 + index : 220 + index] = head
        images.append(image)
    return images


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 frames at 20 a second, the first four of them bare: 12 sampled ones, of which 10 show a face."""
    path = tmp_path_factory.mktemp("reference") / "talk.mp4"
    encode_video(path, scenes(24, without=range(4)), fps=20, preset="ultrafast")
    return path


@pytest.fixture(scope="module")
def measured(video: Path) -> tuple[Reference, FakeReference, FakeStudent]:
    eager, student = FakeReference(), FakeStudent()
    reference = measure_pipelines(
        video,
        {EAGER: eager, ONNX: FakeReference()},
        student,
        manifest(Decision()),
        turns=3,
        frames_a_turn=5,
        setting=SETTING,
        on_progress=lambda done, total: None,
    )
    return reference, eager, student


def test_every_stage_of_every_pipeline_has_every_frame_that_was_taken(
    measured: tuple[Reference, FakeReference, FakeStudent],
) -> None:
    reference = measured[0]
    assert {name: tuple(stages) for name, stages in reference.stages_ms.items()} == {
        "reference": ("decode", "face", "depth", "rgb embedding", "depth embedding", "fusion"),
        "reference_onnx": ("decode", "face", "depth", "rgb embedding", "depth embedding", "fusion"),
        "student": ("decode", "face", "encode", "classify"),
    }
    # Three turns of five; the video ends after twelve, which is a pass of the student as well.
    counts = {name: {stage.frames for stage in stages.values()} for name, stages in reference.stages_ms.items()}
    assert counts == {"reference": {15}, "reference_onnx": {15}, "student": {36}}
    assert reference.frame_size == (256, 224)
    assert not reference.valid
    assert "A face in 11 of 15 frames of the reference, in 30 of 36 of the student." in reference.notes


def test_the_reference_runs_all_its_models_on_every_face_and_none_without(
    measured: tuple[Reference, FakeReference, FakeStudent],
) -> None:
    _, eager, student = measured
    # One to warm up and 11 counted, each followed by a fusion, and one more of those to compare the answers.
    methods = ("depth", "encode_rgb", "encode_depth", "classify")
    assert [len(eager.seen(method)) for method in methods] == [12, 12, 12, 13]
    # Two calls of warm-up in each of the three turns.
    assert len(student.encoded) == 30 + 6


def test_the_times_of_a_pass_are_all_the_time_it_took(video: Path) -> None:
    now = [0.0]

    class Slow(FakeStudent):
        def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
            now[0] += {"encode": 0.25, "classify": 1.0}[method]
            return super().run(method, *inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.perf_counter", lambda: now[0])
        passed = student_pass(video, Slow(), frames=12, spec=STUDENT_SPEC, decision=Decision(), depth_trained=True)
    assert len(passed.frames_ms) == 12
    # Two bare frames, then ten faces, each its own frame's though the tracker holds them back.
    assert [frame["encode"] for frame in passed.frames_ms] == [0.0] * 2 + [250.0] * 10
    # A video shorter than a window is classified once, at its end.
    assert [frame["classify"] for frame in passed.frames_ms] == [0.0] * 11 + [1000.0]
    assert sum(sum(frame.values()) for frame in passed.frames_ms) == pytest.approx(now[0] * 1000)


def test_the_student_judges_as_detect_does(video: Path) -> None:
    decision = Decision(frame_rate=20, hop=3)
    passed = student_pass(video, FakeStudent(), frames=100, spec=STUDENT_SPEC, decision=decision, depth_trained=True)
    (detection,) = detect_video(video, FakeStudent(), spec=STUDENT_SPEC, decision=decision, depth_trained=True)
    assert passed.verdict == detection.verdict
    assert passed.faces == 20


def test_the_reference_sees_the_face_that_dlib_finds_padded_and_its_depth_at_the_same_place() -> None:
    runtime = FakeReference()
    pipeline = ReferencePipeline({"it": runtime})
    (image,) = scenes(1)

    pipeline.frame(image)

    (face,) = FaceDetector().detect(image, part=None, scale=1.0, score=0.0)
    (rgb,), (grey,) = runtime.seen("encode_rgb")[0], runtime.seen("encode_depth")[0]
    np.testing.assert_array_equal(rgb[0], preprocess(image, face.box, SPEC))
    assert runtime.seen("depth")[0][0].shape == (1, 3, 518, 518)
    assert (grey.min(), grey.max()) == (0.0, pytest.approx(255.0, abs=15))
    # The stand-in for depth is brightness: what it says of the face must lie on the face.
    inside = cv2.cvtColor(rgb[0].transpose(1, 2, 0), cv2.COLOR_RGB2GRAY)
    assert np.corrcoef(grey.ravel(), inside.ravel())[0, 1] > 0.95


def test_the_window_is_the_last_twenty_faces_newest_last_and_a_new_video_starts_empty() -> None:
    runtime = FakeReference()
    pipeline = ReferencePipeline({"it": runtime})
    for image in scenes(3, without=range(1, 2)):
        pipeline.frame(image)
    pipeline.restart()
    pipeline.frame(scenes(1)[0])

    means = [rgb.mean() for (rgb,) in runtime.seen("encode_rgb")]
    first, second, anew = runtime.seen("classify")
    assert [valid.sum() for _, _, valid, _ in (first, second, anew)] == [1, 2, 1]
    assert second[0][0, -2:, 0] == pytest.approx(means[:2])
    assert second[3][0].tolist() == [0.0] * 18 + [1.0] * 2
    assert anew[0][0, -1, 0] == pytest.approx(means[2])


def test_two_executions_of_the_reference_that_disagree_are_no_measurement(video: Path) -> None:
    with pytest.raises(WorkError, match="cosine -1"):
        measure_pipelines(
            video,
            {EAGER: FakeReference(), ONNX: FakeReference(other=True)},
            FakeStudent(),
            manifest(Decision()),
            turns=1,
            frames_a_turn=4,
            setting=SETTING,
            on_progress=lambda done, total: None,
        )


def test_a_video_without_a_face_is_refused(tmp_path: Path) -> None:
    bare = tmp_path / "bare.mp4"
    encode_video(bare, scenes(4, without=range(4)), fps=10, preset="ultrafast")
    with pytest.raises(InputError, match=r"bare\.mp4: dlib finds no face at its beginning; give a video of a face"):
        measure_pipelines(
            bare,
            {EAGER: FakeReference(), ONNX: FakeReference()},
            FakeStudent(),
            manifest(Decision()),
            turns=1,
            frames_a_turn=4,
            setting=SETTING,
            on_progress=lambda done, total: None,
        )


def test_ratios_are_of_means_over_all_frames_and_intervals_over_the_turns() -> None:
    turns = Turns(reference_faces=32, student_faces=64)
    stages = ("decode", "face", "depth", "rgb embedding", "depth embedding", "fusion")
    for turn in range(8):
        pace = 1 + 0.1 * (turn % 3)
        frame = dict(zip(stages, (4.0, 26.0, 700.0, 35.0, 35.0, 20.0), strict=True))
        turns.frames_ms[EAGER].append([{stage: ms * pace for stage, ms in frame.items()}] * 4)
        turns.frames_ms[ONNX].append([{stage: ms * pace / 2 for stage, ms in frame.items()}] * 4)
        # A key frame, and three that cost nothing but decoding: their mean counts, not their median.
        key = {"decode": 2 * pace, "face": 8 * pace, "encode": 16 * pace, "classify": 4 * pace}
        turns.frames_ms[STUDENT].append([key, *([key | {"face": 0.0, "encode": 0.0, "classify": 0.0}] * 3)] * 2)

    found = result_of(turns, SETTING, Decision(), frame_size=(640, 480), cosine=1.0)

    # The reference: 820 ms, of which 790 its models; the student: 2 + (8 + 16 + 4) / 4 = 9, of which 5.
    assert found.ratio == pytest.approx(820 / 9)
    assert found.model_ratio == pytest.approx(790 / 5)
    assert found.onnx_ratio == pytest.approx(410 / 9)
    assert found.onnx_model_ratio == pytest.approx(395 / 5)
    # Every turn says the same, whatever its pace.
    assert found.ratio_interval == pytest.approx((820 / 9, 820 / 9))
    assert found.model_ratio_interval == pytest.approx((158.0, 158.0))
    assert found.reference_ms_per_frame == pytest.approx(820 * np.mean([1 + 0.1 * (turn % 3) for turn in range(8)]))
    assert found.valid
    assert found.stages_ms["student"]["face"].p50 == 0.0


def test_the_models_are_the_true_architectures() -> None:
    models = ReferenceModels()
    sizes = [
        sum(parameter.numel() for parameter in part.parameters())
        for part in (models.depth_network, models.teacher.rgb_trunk, models.teacher.depth_trunk)
    ]
    # Depth Anything V2 Small is published as 24.8 M; timm's RepViT-M0.9 without classifier is 4.7 M.
    assert sizes == [24_785_089, 4_717_792, 4_717_792]


def test_the_default_video_is_a_real_one_of_a_held_out_person(tmp_path: Path) -> None:
    sides = {"train_identities": 2, "val_identities": 2, "test_identities": 2}
    make_demo_corpus(
        tmp_path / "demo", settings=DemoSettings(**sides, train_clips=2, held_out_clips=2, frames=2), workers=1
    )
    video = reference_video(None, corpus=tmp_path / "demo")
    rows = (tmp_path / "demo" / "corpus.csv").read_text().splitlines()
    row = next(row for row in rows if row.startswith(f"real/{video.name},"))
    assert row.endswith(",test")
    with pytest.raises(InputError, match=r"no demo corpus in .*none; name a video, or type `python -m core demo"):
        reference_video(None, corpus=tmp_path / "none")
    with pytest.raises(InputError, match=r"missing\.mp4: no such file"):
        reference_video(tmp_path / "missing.mp4")


def test_a_video_without_the_flag_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"talk\.mp4: a video is for --reference alone"):
        Run(artifact=tmp_path, video=Path("talk.mp4")).execute()
