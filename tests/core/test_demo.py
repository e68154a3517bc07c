"""The demo corpus: repeatable, honest in its splits, and told apart by the forgery alone."""

import csv
import json
import sys
from collections import Counter
from pathlib import Path

import cv2
import dlib
import numpy as np
import numpy.typing as npt
import pytest

from core.demo import DemoSettings, make_demo_corpus
from core.depth import read_depth
from core.errors import InputError
from core.portrait import portrait
from core.preprocess import Image
from core.video import sampled_frames

TINY = DemoSettings(train_identities=2, val_identities=2, test_identities=2, train_clips=2, held_out_clips=2, frames=2)
SMALL = DemoSettings(train_identities=6, test_identities=6, val_identities=2, held_out_clips=4, frames=6)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "corpus"
    assert make_demo_corpus(folder, settings=SMALL, workers=2)
    return folder


@pytest.fixture(scope="module")
def rows(corpus: Path) -> list[dict[str, str]]:
    with (corpus / "corpus.csv").open(newline="") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def shown(corpus: Path, rows: list[dict[str, str]]) -> dict[str, tuple[Image, npt.NDArray[np.uint16]]]:
    """Two frames of every clip and their depth: uint8 [2, H, W, 3] and uint16 [2, H, W]."""
    out = {}
    for row in rows:
        video = corpus / row["path"]
        picked = [frame for frame in sampled_frames(video, SMALL.fps) if frame.index in (1, 4)]
        depths = [read_depth(video, frame.index) for frame in picked]
        out[row["path"]] = (
            np.stack([frame.image for frame in picked]),
            np.stack([depth for depth in depths if depth is not None]),
        )
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_however_many_workers(tmp_path: Path) -> None:
    make_demo_corpus(tmp_path / "one", settings=TINY, workers=1)
    make_demo_corpus(tmp_path / "two", settings=TINY, workers=2)

    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_another_seed_gives_other_videos(tmp_path: Path) -> None:
    make_demo_corpus(tmp_path / "one", settings=TINY, workers=1)
    make_demo_corpus(
        tmp_path / "two",
        settings=DemoSettings(
            seed=1, train_identities=2, val_identities=2, test_identities=2, train_clips=2, held_out_clips=2,
            frames=2,
        ),
        workers=1,
    )  # fmt: skip

    first, second = set(files(tmp_path / "one").values()), set(files(tmp_path / "two").values())
    assert not first & second


def test_the_layout_is_videos_with_one_depth_file_a_frame(corpus: Path, rows: list[dict[str, str]]) -> None:
    assert (corpus / "corpus.csv").read_text().splitlines()[0] == "path,label,identity,method,split"
    assert json.loads((corpus / "demo.json").read_text())["settings"]["frames"] == SMALL.frames
    assert {row["path"] for row in rows} == {str(p.relative_to(corpus)) for p in corpus.glob("*/*.mp4")}
    for row in rows:
        depth = (corpus / row["path"]).with_suffix(".depth")
        assert sorted(p.name for p in depth.iterdir()) == [f"{n:06d}.png" for n in range(SMALL.frames)]


def test_no_identity_is_on_two_sides_and_half_of_its_clips_are_forged(rows: list[dict[str, str]]) -> None:
    sides = {(row["identity"], row["split"]) for row in rows}
    assert len(sides) == len({identity for identity, _ in sides}) == 14
    assert Counter(split for _, split in sides) == {"train": 6, "val": 2, "test": 6}
    labels = Counter((row["identity"], row["label"]) for row in rows)
    assert set(labels.values()) == {2}


def test_swap_and_self_blend_alternate_in_every_split(rows: list[dict[str, str]]) -> None:
    methods = Counter((row["split"], row["method"]) for row in rows)
    for split in ("train", "val", "test"):
        assert methods[split, "swap"] == methods[split, "self_blend"] == methods[split, "original"] / 2


def test_the_number_in_a_file_name_does_not_tell_the_label(rows: list[dict[str, str]]) -> None:
    numbers = {
        label: {Path(row["path"]).stem.split("_")[1] for row in rows if row["label"] == label}
        for label in ("real", "fake")
    }
    assert numbers["real"] == numbers["fake"] == {"0", "1", "2", "3"}


def test_dlib_finds_the_face_in_95_of_100_frames(
    shown: dict[str, tuple[Image, npt.NDArray[np.uint16]]],
) -> None:
    detector = dlib.get_frontal_face_detector()
    found = [len(detector(frame, 0)) == 1 for frames, _ in shown.values() for frame in frames]
    assert np.mean(found) >= 0.95


def test_depth_has_the_head_nearest_and_the_background_farthest(
    shown: dict[str, tuple[Image, npt.NDArray[np.uint16]]],
) -> None:
    for _, depths in shown.values():
        face, corner = depths[:, 120:150, 105:135], depths[:, :10, :10]
        shoulders = depths[:, 225:, 80:160]
        assert np.median(face) > np.median(shoulders) > np.median(corner)


def describe(planes: npt.NDArray[np.float32], cells: int = 12) -> npt.NDArray[np.float64]:
    """Features of planes [N, H, W]: their low-resolution picture, and the energy of gradient and fine grain."""
    out = []
    for plane in planes:
        grain = np.abs(cv2.Laplacian(plane, cv2.CV_32F))
        edges = np.hypot(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))
        maps = (plane, np.log1p(grain.astype(np.float32)), np.log1p(edges.astype(np.float32)))
        small = [cv2.resize(each, (cells, cells), interpolation=cv2.INTER_AREA).ravel() for each in maps]
        out.append(np.concatenate(small))
    return np.asarray(out, dtype=np.float64)


def held_out_auc(features: dict[str, npt.NDArray[np.float64]], rows: list[dict[str, str]]) -> float:
    """AUC by clip of a ridge classifier, trained on half of the identities and judged on the other, both ways."""
    sides = [{"train", "val"}, {"test"}]
    scores = []
    for learn, judge in (sides, sides[::-1]):
        x, y, judged, truth = (
            np.stack([features[r["path"]] for r in rows if r["split"] in learn]),
            np.array([1.0 if r["label"] == "fake" else -1.0 for r in rows if r["split"] in learn]),
            np.stack([features[r["path"]] for r in rows if r["split"] in judge]),
            np.array([r["label"] == "fake" for r in rows if r["split"] in judge]),
        )
        mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
        x, judged = (x - mean) / spread, (judged - mean) / spread
        # Ridge in its dual form, as there are more features than clips.
        weights = x.T @ np.linalg.solve(x @ x.T + 0.03 * x.shape[1] * np.eye(len(x)), y)
        score = judged @ weights
        above = score[truth][:, None] - score[~truth][None, :]
        scores.append(float((above > 0).mean() + 0.5 * (above == 0).mean()))
    return float(np.mean(scores))


def around_the_face(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """`planes` [N, H, W] with all that a forgery may touch set to one value."""
    hidden = planes.copy()
    hidden[:, 50:220, 45:195] = 0
    return hidden


def test_depth_alone_does_not_tell_the_label_and_a_planted_cue_would(
    shown: dict[str, tuple[Image, npt.NDArray[np.uint16]]], rows: list[dict[str, str]]
) -> None:
    depths = {path: (depth / 65535).astype(np.float32) for path, (_, depth) in shown.items()}
    honest = {path: describe(depth * 255).mean(axis=0) for path, depth in depths.items()}
    # What the depth would give away if a forger's seam showed in it: a step of 1% along an ellipse.
    seam = np.zeros((SMALL.side, SMALL.side), np.float32)
    cv2.ellipse(seam, (120, 130), (40, 50), 0, 0, 360, 0.01, cv2.FILLED)
    leaking = {
        path: describe((depth + (seam if path.startswith("fake") else 0)) * 255).mean(axis=0)
        for path, depth in depths.items()
    }

    assert held_out_auc(leaking, rows) >= 0.8
    assert held_out_auc(honest, rows) <= 0.65


def test_the_background_alone_does_not_tell_the_label_and_the_face_does(
    shown: dict[str, tuple[Image, npt.NDArray[np.uint16]]], rows: list[dict[str, str]]
) -> None:
    def features(mask_face: bool) -> dict[str, npt.NDArray[np.float64]]:
        out = {}
        for path, (frames, _) in shown.items():
            channels = [frames[..., channel].astype(np.float32) for channel in range(3)]
            # The background, whole; or of the face what stands out from the face as a whole.
            planes = [
                around_the_face(plane)
                if mask_face
                else plane[:, 60:220, 50:190] - plane[:, 60:220, 50:190].mean(axis=(1, 2), keepdims=True)
                for plane in channels
            ]
            out[path] = np.concatenate([describe(plane).mean(axis=0) for plane in planes])
        return out

    assert held_out_auc(features(mask_face=False), rows) >= 0.8
    assert held_out_auc(features(mask_face=True), rows) <= 0.65


def test_a_complete_corpus_with_the_same_settings_is_reused_untouched(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    progress: list[tuple[int, int]] = []
    assert make_demo_corpus(folder, settings=TINY, workers=1, on_progress=lambda done, of: progress.append((done, of)))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    assert not make_demo_corpus(folder, settings=TINY, workers=1)

    assert progress == [(n, 12) for n in range(1, 13)]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    with pytest.raises(InputError, match=r"corpus: a demo corpus of other settings or version; give another"):
        make_demo_corpus(folder, settings=DemoSettings(seed=7))
    next(folder.glob("real/*.mp4")).unlink()
    with pytest.raises(InputError, match=r"a demo corpus that lacks real/id.*mp4; delete the folder"):
        make_demo_corpus(folder, settings=TINY)


def test_a_foreign_folder_is_refused_and_an_empty_one_is_filled(tmp_path: Path) -> None:
    foreign, empty = tmp_path / "photos", tmp_path / "empty"
    foreign.mkdir()
    empty.mkdir()
    (foreign / "holiday.jpg").write_bytes(b"dear")

    with pytest.raises(InputError, match=r"photos: not empty and not a demo corpus; give a new or an empty folder"):
        make_demo_corpus(foreign, settings=TINY)

    assert files(foreign) == {"holiday.jpg": b"dear"}
    assert make_demo_corpus(empty, settings=TINY, workers=1)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, workers: int) -> None:
    def interrupt(done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo_corpus(tmp_path / "corpus", settings=TINY, workers=workers, on_progress=interrupt)

    assert list(tmp_path.iterdir()) == []


def test_without_scikit_image_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    portrait.cache_clear()

    with pytest.raises(InputError, match=r"pip install 'megatron-mobile\[demo\]'"):
        make_demo_corpus(tmp_path / "corpus", settings=TINY)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_identities": 1}, "test_identities is 1: a face is swapped for another, give 2 or more"),
        ({"train_clips": 3}, "train_clips is 3: half of them are forged, give an even number"),
        ({"frames": 0}, "frames is 0: give 1 or more"),
        ({"side": 241}, "side is 241: give an even number"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DemoSettings(**change)
