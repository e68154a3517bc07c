"""Frames in, verdicts out: what is encoded, what a window holds, and what a missed face does to the answer."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from core.decision import WINDOW, Decision, window_spans
from core.detector import Detection, StreamingDetector, Verdict, detect_video
from core.errors import InputError
from core.faces import FaceSettings
from core.models import Student, StudentConfig
from core.preprocess import Box, Image, PreprocessSpec, preprocess
from core.runtimes import Array
from core.runtimes.torch import TorchRuntime
from core.video import encode_video, sampled_frames
from tests.core.heads import scene

SPEC = PreprocessSpec(size=64, margin=1.5)
FACE = Box(x=20, y=24, w=40, h=40)
WIDTH = 4


class FakeRuntime:
    """Records every call.

    The rgb embedding is the frame's mean, the depth embedding minus the count of
    calls so far; the logits are (0, mean of the valid rgb embeddings / 100 - 1).

    As real runtimes may, it gives out the same memory at every call.
    """

    name = "fake"
    version = "1"

    def __init__(self) -> None:
        self.encoded: list[Array] = []
        self.classified: list[tuple[Array, ...]] = []
        self._rgb = np.zeros((1, WIDTH), np.float32)
        self._depth = np.zeros((1, WIDTH), np.float32)
        self._logits = np.zeros((1, 2), np.float32)

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        if method == "encode":
            (frame,) = inputs
            self.encoded.append(frame.copy())
            self._rgb[:] = frame.mean()
            self._depth[:] = -len(self.encoded)
            return self._rgb, self._depth, np.zeros((1, 1, 16, 16), np.float32)
        assert method == "classify"
        self.classified.append(tuple(array.copy() for array in inputs))
        rgb, _, face_valid, _ = inputs
        self._logits[0, 1] = (rgb[0, :, 0] * face_valid[0]).sum() / face_valid.sum() / 100 - 1
        return (self._logits,)


def frames(count: int, seed: int = 0) -> list[Image]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, 80, 96, 3), np.uint8))


def judged(
    runtime: FakeRuntime | TorchRuntime,
    images: Sequence[Image],
    *,
    missed: Sequence[int] = (),
    decision: Decision | None = None,
    depth_trained: bool = True,
) -> Verdict:
    """A verdict on `images`, 100 ms apart, with the face at one place but in the missed ones."""
    detector = StreamingDetector(runtime, spec=SPEC, decision=decision or Decision(), depth_trained=depth_trained)
    for index, image in enumerate(images):
        detector.push(image, None if index in missed else FACE, 100.0 * index)
    return detector.finish()


def test_each_frame_with_a_face_is_encoded_exactly_once_and_in_order() -> None:
    runtime, images = FakeRuntime(), frames(45)

    verdict = judged(runtime, images, missed=(3, 21, 22))

    seen = [image for index, image in enumerate(images) if index not in (3, 21, 22)]
    assert verdict.frames == 45
    assert len(runtime.encoded) == len(seen) == 42
    for found, image in zip(runtime.encoded, seen, strict=True):
        np.testing.assert_array_equal(found, preprocess(image, FACE, SPEC)[np.newaxis])


def test_a_window_holds_the_embeddings_of_its_own_frames_oldest_first() -> None:
    runtime = FakeRuntime()

    judged(runtime, frames(30), missed=(12,))

    # The n-th encoded frame has the depth embedding -n; sample 12 was not encoded.
    counts = [*range(1, 13), 0, *range(13, 30)]
    for (_, depth, _, _), span in zip(runtime.classified, window_spans(30, 10), strict=True):
        assert (-depth[0, :, 0]).tolist() == counts[span.start : span.end]


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 30, 45])
@pytest.mark.parametrize("hop", [1, 7, 10, 20])
def test_windows_are_the_spans_of_the_decision(count: int, hop: int) -> None:
    verdict = judged(FakeRuntime(), frames(count), decision=Decision(hop=hop))
    expected = [(100.0 * span.start, 100.0 * (span.end - 1)) for span in window_spans(count, hop)]
    assert [(window.start_ms, window.end_ms) for window in verdict.windows] == expected


def test_a_frame_returns_the_window_it_closes() -> None:
    detector = StreamingDetector(FakeRuntime(), spec=SPEC, decision=Decision(), depth_trained=True)
    closed = [
        index
        for index, image in enumerate(frames(32), start=1)
        if detector.push(image, FACE, 100.0 * index) is not None
    ]
    assert closed == [20, 30]


def test_before_twenty_frames_the_first_slots_are_invalid() -> None:
    runtime = FakeRuntime()

    judged(runtime, frames(3))

    ((rgb, depth, face_valid, _),) = runtime.classified
    assert face_valid.tolist() == [[0.0] * 17 + [1.0] * 3]
    assert not rgb[0, :17].any()
    assert not depth[0, :17].any()


def test_a_missed_face_lowers_coverage_not_the_verdict() -> None:
    images = [np.full((80, 96, 3), 160, np.uint8)] * WINDOW
    runtime = FakeRuntime()

    whole = judged(FakeRuntime(), images)
    gappy = judged(runtime, images, missed=(0, 4, 5, 19))

    assert (whole.coverage, gappy.coverage) == (1.0, 0.8)
    assert gappy.fake_probability == pytest.approx(whole.fake_probability)
    assert gappy.label == whole.label == "fake"
    ((rgb, _, face_valid, _),) = runtime.classified
    assert np.flatnonzero(face_valid[0] == 0).tolist() == [0, 4, 5, 19]
    assert not rgb[0, [0, 4, 5, 19]].any()


def test_a_window_below_minimum_coverage_is_undecided_and_leaves_the_verdict_to_the_others() -> None:
    dark, bright = [np.full((80, 96, 3), value, np.uint8) for value in (0, 255)]
    runtime = FakeRuntime()
    decision = Decision(min_coverage=0.5, hop=20)

    # 9 of the first 20 faces are seen, all of the next 20: the dark frames have no say.
    verdict = judged(runtime, [dark] * 20 + [bright] * 20, missed=range(11), decision=decision)

    first, second = verdict.windows
    assert (first.coverage, first.logits) == (0.45, None)
    assert second.logits == pytest.approx((0.0, 1.55))
    assert verdict.fake_probability == pytest.approx(1 / (1 + np.exp(-1.55)))
    assert verdict.coverage == 29 / 40
    assert len(runtime.classified) == 1


def test_a_window_at_minimum_coverage_is_decided() -> None:
    verdict = judged(FakeRuntime(), frames(20), missed=range(10), decision=Decision(min_coverage=0.5))
    assert verdict.windows[0].coverage == 0.5
    assert verdict.windows[0].logits is not None


@pytest.mark.parametrize("count", [0, 5, 30])
def test_without_any_face_a_video_is_undecided_and_nothing_is_run(count: int) -> None:
    runtime = FakeRuntime()

    verdict = judged(runtime, frames(count), missed=range(count))

    assert (verdict.label, verdict.fake_probability, verdict.coverage) == ("undecided", None, 0.0)
    assert verdict.frames == count
    assert runtime.encoded == runtime.classified == []


@pytest.mark.parametrize("depth_trained", [True, False])
def test_depth_is_valid_where_the_face_is_or_nowhere_if_depth_was_not_trained(depth_trained: bool) -> None:
    runtime = FakeRuntime()

    judged(runtime, frames(20), missed=(2,), depth_trained=depth_trained)

    ((_, _, face_valid, depth_valid),) = runtime.classified
    expected = face_valid if depth_trained else np.zeros((1, WINDOW))
    np.testing.assert_array_equal(depth_valid, expected)
    assert depth_valid.dtype == np.float32


def test_the_verdict_is_the_decision_on_the_mean_of_its_windows() -> None:
    decision = Decision(temperature=2.0, threshold=0.9)
    verdict = judged(FakeRuntime(), frames(45), decision=decision)
    margins = [window.logits[1] - window.logits[0] for window in verdict.windows if window.logits]
    expected = 1 / (1 + np.exp(-np.mean(margins) / 2))
    assert verdict.fake_probability == pytest.approx(expected)
    assert verdict.label == "real"


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    return Student(StudentConfig()).eval()


def test_the_stream_gives_what_a_full_recomputation_gives_and_the_same_twice(student: Student) -> None:
    images, missed = frames(24, seed=5), (0, 9, 21)
    decision = Decision(hop=3)
    tensors = torch.from_numpy(np.stack([preprocess(image, FACE, SPEC) for image in images]))
    with torch.no_grad():
        rgb, depth, _ = student.encode(tensors)

    verdict = judged(TorchRuntime(student), images, missed=missed, decision=decision)
    again = judged(TorchRuntime(student), images, missed=missed, decision=decision)

    assert verdict == again
    spans = window_spans(24, 3)
    assert [(span.start, span.end) for span in spans] == [(0, 20), (3, 23), (4, 24)]
    for window, span in zip(verdict.windows, spans, strict=True):
        valid = torch.tensor([[float(index not in missed) for index in range(span.start, span.end)]])
        rows = slice(span.start, span.end)
        with torch.no_grad():
            expected = student.classify(rgb[None, rows], depth[None, rows], valid, valid)
        assert window.logits == pytest.approx(expected[0].tolist(), abs=1e-5)


def test_a_video_file_is_sampled_tracked_and_judged(talking_head: Callable[..., Path], tmp_path: Path) -> None:
    video = talking_head(tmp_path / "head.mp4", frames=22)
    runtime = FakeRuntime()

    (detection,) = detect_video(video, runtime, spec=SPEC, decision=Decision(), depth_trained=False)

    verdict = detection.verdict
    assert detection.video == video
    assert (verdict.frames, verdict.coverage) == (22, 1.0)
    assert len(runtime.encoded) == 22
    assert [(window.start_ms, window.end_ms) for window in verdict.windows] == [(0.0, 1900.0), (200.0, 2100.0)]
    assert set(detection.latency_ms) == {"decode", "face", "encode", "classify"}


@pytest.fixture
def two_heads(portrait: Image, tmp_path: Path) -> Path:
    """A large face throughout, and a small one that leaves after two seconds, while the large one hides for one."""
    images = [
        scene(
            *([] if 24 <= index < 34 else [(portrait, 300 + index % 5, 40, 1.6)]),
            *([(portrait, 20 + index % 3, 150, 0.9)] if index < 20 else []),
        )
        for index in range(44)
    ]
    encode_video(tmp_path / "two.mp4", images, fps=10)
    return tmp_path / "two.mp4"


def test_the_largest_face_is_judged_unless_every_face_is_asked_for(two_heads: Path) -> None:
    def judge(all_faces: bool) -> list[Detection]:
        settings = FaceSettings(all_faces=all_faces, cut=255)
        return detect_video(
            two_heads, FakeRuntime(), spec=SPEC, decision=Decision(), depth_trained=True, faces=settings
        )

    (largest,), every = judge(all_faces=False), judge(all_faces=True)

    assert largest.face is None
    assert largest.verdict.frames == 44
    assert 0.7 <= largest.verdict.coverage <= 0.8
    first, second = every[:2]
    assert first.face != second.face
    # Each over its own time: the large one was away for a second of it, the small one never.
    assert first.verdict.frames == 44
    assert 18 <= second.verdict.frames <= 22
    assert second.verdict.coverage > 0.9
    assert second.verdict.label in ("real", "fake")


def test_a_video_without_a_face_is_undecided_either_way(tmp_path: Path) -> None:
    encode_video(tmp_path / "wall.mp4", [scene()] * 8, fps=10)
    for all_faces in (False, True):
        (detection,) = detect_video(
            tmp_path / "wall.mp4",
            FakeRuntime(),
            spec=SPEC,
            decision=Decision(),
            depth_trained=True,
            faces=FaceSettings(all_faces=all_faces),
        )
        assert (detection.face, detection.verdict.label, detection.verdict.coverage) == (None, "undecided", 0.0)


def test_a_lower_frame_rate_samples_fewer_frames(talking_head: Callable[..., Path], tmp_path: Path) -> None:
    video = talking_head(tmp_path / "head.mp4", frames=10)
    (detection,) = detect_video(video, FakeRuntime(), spec=SPEC, decision=Decision(frame_rate=5), depth_trained=False)
    assert detection.verdict.frames == 5
    assert detection.verdict.windows[0].end_ms == 800.0


def test_a_file_that_is_no_video_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "notes.mp4"
    file.write_text("not a video")
    with pytest.raises(InputError, match=r"notes.mp4: not a readable video"):
        detect_video(file, FakeRuntime(), spec=SPEC, decision=Decision(), depth_trained=False)


def test_a_person_on_camera_is_seen_in_every_frame(clips: Path) -> None:
    video, runtime = clips / "grid/bbaf2n.mpg", FakeRuntime()

    (detection,) = detect_video(video, runtime, spec=SPEC, decision=Decision(), depth_trained=True)

    verdict = detection.verdict
    assert verdict.frames == len(list(sampled_frames(video, 10.0)))
    assert verdict.coverage == len(runtime.encoded) / verdict.frames >= 0.95
    assert len(verdict.windows) == len(window_spans(verdict.frames, 10))
    assert verdict.label in ("real", "fake")
