"""What a model is shown of a store, and what comes of it: against the detector on a phone, and the student itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.clips import ClipWindow, read_slots
from core.decision import WINDOW, Decision
from core.detector import StreamingDetector
from core.evaluation.figures import rows_of
from core.evaluation.perturbations import Perturbation
from core.evaluation.scoring import CLEAN, ScoredVideo, scored
from core.evaluation.subject import Subject, subject_of_run
from core.metrics import ScoredWindow
from core.records import VideoRecord
from core.store import ClipStore, Picture, encode_png
from core.transforms import Quality, Variant
from tests.core.judging import SIDE, SPEC, GreyRuntime, filled, record, student_run, subject

GREYS = [100 + 2 * index for index in range(34)]
LONG = record("long", samples=34, windows=((0, 20), (10, 30), (14, 34)), missed=(3, 25))


def only(videos: dict[Perturbation | None, list[ScoredVideo]]) -> tuple[ScoredWindow, ...]:
    """The windows of the one video, as it is."""
    (video,) = videos[CLEAN]
    return video.windows


def judged(folder: Path, row: VideoRecord, model: Subject, greys: list[int] = GREYS) -> tuple[ScoredWindow, ...]:
    with ClipStore.read(filled(folder, {row.key: greys}, [row])) as store:
        return only(scored(store, [row], model))


def test_a_frame_that_several_windows_show_is_encoded_once(tmp_path: Path) -> None:
    runtime = GreyRuntime()
    judged(tmp_path / "store", LONG, subject(runtime))
    assert runtime.encoded == 32


def test_a_window_s_logits_are_of_its_faces_and_a_frame_s_of_that_frame_alone(tmp_path: Path) -> None:
    found = judged(tmp_path / "store", LONG, subject())
    assert len(found) == 3
    for window, (start, end) in zip(found, LONG.windows, strict=True):
        greys = [GREYS[index] for index in range(start, end) if index not in (3, 25)]
        assert window.logits[1] == pytest.approx(np.mean(greys) / 16 - 8, abs=1e-5)
        assert [fake for _, fake in window.frame_logits] == pytest.approx([grey / 16 - 8 for grey in greys], abs=1e-5)
        assert (window.video, window.is_fake) == ("long", False)


def test_a_program_that_takes_one_at_a_time_gives_the_same(tmp_path: Path) -> None:
    single = GreyRuntime()
    whole = judged(tmp_path / "a", LONG, subject())
    assert judged(tmp_path / "b", LONG, subject(single, batch=1)) == whole
    assert set(single.batches) == {1}


@pytest.mark.parametrize(("depth_trained", "heard"), [(True, 40.0), (False, 0.0)])
def test_the_depth_stream_is_heard_where_the_face_is_if_depth_was_trained(
    tmp_path: Path, depth_trained: bool, heard: float
) -> None:
    runtime = GreyRuntime()
    judged(tmp_path / "store", record("a"), subject(runtime, depth_trained=depth_trained), [128] * 20)
    # 20 slots of the window, and each once more by itself.
    assert runtime.depth_heard == heard


def test_a_video_with_too_few_faces_is_undecided(tmp_path: Path) -> None:
    row = record("a", missed=range(11))
    with ClipStore.read(filled(tmp_path / "store", {"a": 128}, [row])) as store:
        ways = scored(store, [row], subject())
    (video,) = rows_of(ways[CLEAN], Decision())
    assert (video.video.windows, video.probability) == ((), None)


def noisy(folder: Path, row: VideoRecord) -> Path:
    """A store of one video whose crops are noise."""
    generator = np.random.default_rng(0)
    pictures: list[Picture] = []
    for index, sample in enumerate(row.samples):
        crop = generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        if sample.kept:
            pictures.append(("crop", index, encode_png(crop)))
    with ClipStore.write(folder, {"code": 1}) as store:
        store.add(row, pictures)
    return folder


@pytest.mark.parametrize("samples", [7, 20, 34])
def test_a_video_s_probability_is_the_verdict_of_the_streaming_detector(tmp_path: Path, samples: int) -> None:
    student_run(tmp_path / "run")
    model = subject_of_run(tmp_path / "run")
    windows = {7: [(0, 7)], 20: [(0, 20)], 34: [(0, 20), (10, 30), (14, 34)]}[samples]
    row = record("a", samples=samples, windows=windows, missed=(2, 5))
    detector = StreamingDetector(model.runtime, spec=SPEC, decision=model.decision, depth_trained=True)
    with ClipStore.read(noisy(tmp_path / "store", row)) as store:
        (video,) = rows_of(scored(store, [row], model)[CLEAN], model.decision)
        for index, sample in enumerate(row.samples):
            # A crop and the box in it stand for the frame and the box in that.
            crop, box = store.crop(row, index) if sample.kept else (np.zeros((1, 1, 3), np.uint8), None)
            detector.push(crop, box, sample.time_ms)
    verdict = detector.finish()

    assert video.probability == pytest.approx(verdict.fake_probability, abs=1e-5)
    for window, expected in zip(video.video.windows, verdict.windows, strict=True):
        assert window.logits == pytest.approx(expected.logits, abs=1e-4)


@pytest.mark.parametrize("quality", [Quality(), Quality(blur_px=1.5), Quality(jpeg_quality=20), Quality(h264_crf=40)])
def test_logits_are_those_of_the_student_on_slots_read_as_training_reads_them(tmp_path: Path, quality: Quality) -> None:
    student = student_run(tmp_path / "run")
    row = record("a", missed=(4,))
    way = Perturbation(kind="any", strength=1, quality=quality)
    with ClipStore.read(noisy(tmp_path / "store", row)) as store:
        (video,) = scored(store, [row], subject_of_run(tmp_path / "run"), [way])[way]
        window = ClipWindow(record=row, start=0, end=WINDOW)
        slots = read_slots(store, window, range(WINDOW), SPEC, Variant(camera=quality))
    with torch.inference_mode():
        rgb, depth, _ = student.encode(slots.frames.float())
        valid = slots.face_valid[None]
        whole = student.classify(rgb[None], depth[None], valid, valid)
        alone = student.classify(
            rgb.expand(WINDOW, -1, -1), depth.expand(WINDOW, -1, -1), torch.eye(WINDOW), torch.eye(WINDOW)
        )

    (judged,) = video.windows
    assert judged.logits == pytest.approx(tuple(whole[0].tolist()), abs=1e-4)
    expected = [tuple(row) for slot, row in enumerate(alone.tolist()) if slot != 4]
    assert np.asarray(judged.frame_logits) == pytest.approx(np.asarray(expected), abs=1e-4)


def test_every_video_is_judged_in_order_and_reported(tmp_path: Path) -> None:
    rows = [record("b"), record("a", is_fake=True)]
    reported: list[tuple[int, int]] = []
    with ClipStore.read(filled(tmp_path / "store", {"a": 200, "b": 20}, rows)) as store:
        ways = scored(store, rows, subject(), on_progress=lambda done, total: reported.append((done, total)))
    assert [video.record.key for video in ways[CLEAN]] == ["b", "a"]
    assert reported == [(1, 2), (2, 2)]
