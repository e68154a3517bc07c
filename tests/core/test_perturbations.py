"""Perturbations: each does what its words say, harder with every strength, held over the clip."""

from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.evaluation.perturbations import PERTURBATIONS, Perturbation
from core.evaluation.scoring import model_inputs
from core.preprocess import Box, Image, PreprocessSpec
from core.recompress import recompressed
from core.records import VideoRecord
from core.transforms import Quality
from core.transforms.variation import Face
from tests.core.judging import record

SPEC = PreprocessSpec(size=64, margin=1.0, padding=7)
SIDE = 160
BOX = (16.0, 16.0, 128.0, 128.0)
"""Twice the model's input: a length is twice as many pixels of the crop."""
SCALE = 2


def video(name: str = "a") -> VideoRecord:
    row = record(name)
    return row.model_copy(update={"samples": tuple(s.model_copy(update={"face": BOX}) for s in row.samples)})


def face(crop: Image, sample: int = 0) -> Face:
    whole = slice(0, crop.shape[0])
    box = Box(x=BOX[0], y=BOX[1], w=BOX[2], h=BOX[3])
    return Face(sample=sample, crop=crop, box=box, inside=(whole, whole), depth=None, mask=None)


def clip(count: int = 4) -> list[Face]:
    """Frames alike: a picture of a head's coarseness."""
    coarse = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    crop = np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
    return [face(crop, sample) for sample in range(count)]


def shown(quality: Quality, faces: list[Face], *, name: str = "a", seed: int = 0) -> list[Image]:
    way = Perturbation(kind="any", strength=1, quality=quality)
    return [one.crop for one in way.applied(faces, video(name), SPEC, seed=seed)]


def grey(level: int = 128) -> Image:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


def test_there_are_six_kinds_of_three_strengths() -> None:
    assert Counter(way.kind for way in PERTURBATIONS) == dict.fromkeys(
        ("blur", "noise", "rescale", "jpeg", "h264", "combined"), 3
    )
    assert [way.strength for way in PERTURBATIONS] == [1, 2, 3] * 6
    assert len({way.quality for way in PERTURBATIONS}) == 18


def test_the_words_tell_every_step_with_its_unit() -> None:
    quality = Quality(reduction=0.35, blur_px=1.2, noise=0.04, jpeg_quality=35, h264_crf=36)
    assert Perturbation(kind="combined", strength=3, quality=quality).words == (
        "down to 35% of the model's resolution and up again, Gaussian blur of sigma 1.2 px, "
        "Gaussian noise of sigma 4% of full scale, JPEG at quality 35, H.264 at crf 36"
    )


@pytest.mark.parametrize("kind", ["blur", "noise", "rescale", "jpeg", "h264", "combined"])
def test_a_stronger_one_changes_what_the_model_sees_more(kind: str) -> None:
    faces = clip()
    before = model_inputs(faces, SPEC).astype(float)
    changes = [
        np.abs(model_inputs(way.applied(faces, video(), SPEC, seed=0), SPEC) - before).mean()
        for way in PERTURBATIONS
        if way.kind == kind
    ]
    assert 0.2 < changes[0] < changes[1] < changes[2]


def test_noise_has_the_deviation_it_says_and_another_grain_in_every_frame_and_video() -> None:
    faces = [face(grey(), sample) for sample in range(2)]
    first, second = shown(Quality(noise=0.05), faces)
    assert first.std() == pytest.approx(0.05 * 255, rel=0.02)
    assert first.mean() == pytest.approx(128, abs=0.3)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] == pytest.approx(0, abs=0.02)
    other = shown(Quality(noise=0.05), faces, name="b")[0]
    assert np.corrcoef(first.ravel(), other.ravel())[0, 1] == pytest.approx(0, abs=0.02)


def test_blur_widens_an_edge_by_its_sigma_in_pixels_of_the_model_s_input() -> None:
    edge = grey(0)
    edge[:, SIDE // 2 :] = 250
    (blurred,) = shown(Quality(blur_px=1.6), [face(edge)])
    # The slope of a blurred step is the kernel: its second moment is sigma squared.
    slope = np.diff(blurred[SIDE // 2, :, 0].astype(float))
    place = np.arange(len(slope))
    mean = (slope * place).sum() / slope.sum()
    assert ((slope * (place - mean) ** 2).sum() / slope.sum()) ** 0.5 == pytest.approx(SCALE * 1.6, rel=0.05)


def test_jpeg_and_h264_are_the_codecs_own() -> None:
    faces = clip(6)
    crop = faces[0].crop
    _, data = cv2.imencode(".jpg", crop[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 30))
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert expected is not None
    assert np.array_equal(shown(Quality(jpeg_quality=30), faces)[0], expected[..., ::-1])
    coded = list(recompressed((one.crop for one in faces), crf=36))
    assert np.array_equal(np.stack(shown(Quality(h264_crf=36), faces)), np.stack(coded))


def test_rescaling_leaves_no_detail_finer_than_it_says() -> None:
    # Stripes of 2 px of the crop are 1 px of the model's input: at a quarter of its resolution they are gone.
    stripes = grey(0)
    stripes[:, ::4] = stripes[:, 1::4] = 255
    (coarse,) = shown(Quality(reduction=0.25), [face(stripes)])
    assert coarse[:, 20:-20].std() < 0.1 * stripes.std()


@pytest.mark.parametrize("quality", [Quality(blur_px=2.0), Quality(reduction=0.3), Quality(jpeg_quality=20)])
def test_frames_alike_stay_alike_so_that_nothing_flickers(quality: Quality) -> None:
    first, *others = shown(quality, clip())
    assert all(np.array_equal(first, other) for other in others)


def test_the_same_seed_draws_the_same_and_another_seed_another_grain() -> None:
    drawn = [np.stack(shown(Quality(noise=0.05), clip(), seed=seed)) for seed in (0, 0, 1)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_boxes_stay_where_they_were_and_what_is_outside_the_frame_stays_padding() -> None:
    outside = grey(200)
    outside[:, :40] = SPEC.padding
    cut = replace(face(outside), inside=(slice(0, SIDE), slice(40, SIDE)))
    for way in PERTURBATIONS:
        (after,) = way.applied([cut], video(), SPEC, seed=0)
        assert after.box == cut.box
        assert after.crop.shape == cut.crop.shape
        assert (after.crop[:, :40] == SPEC.padding).all()
        # No padding is drawn into the picture, and the picture that was handed in is left as it was.
        assert abs(after.crop[:, 42:].mean() - 200) < 5
        assert (cut.crop[:, 40:] == 200).all()
