"""Golden vectors: complete, repeatable, and true of the student they were made of."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.decision import WINDOW, window_spans
from core.errors import InputError
from core.golden import GOLDEN, Golden, TensorFile, read_frame, read_golden, read_tensor
from core.preprocess import preprocess, square_around
from export.golden import write_golden
from export.source import Source


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, source: Source) -> Path:
    folder = tmp_path_factory.mktemp("vectors") / "golden"
    write_golden(source, folder)
    return folder


@pytest.fixture(scope="module")
def golden(folder: Path) -> Golden:
    return read_golden(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_student_gives_the_same_bytes(folder: Path, tmp_path: Path, source: Source) -> None:
    write_golden(source, tmp_path / "again")

    assert contents(tmp_path / "again") == contents(folder)


def test_every_file_is_one_that_the_document_names(folder: Path, golden: Golden) -> None:
    tensors = [t for c in golden.faces for t in (c.tensor, c.rgb_embedding, c.depth_embedding, c.depth)]
    tensors += [t for w in golden.windows for t in (w.rgb, w.depth)]
    frames = [case.frame for case in golden.faces] + [f.frame for s in golden.streams for f in s.frames]

    assert contents(folder).keys() == {GOLDEN, *frames, *(tensor.file for tensor in tensors)}
    for tensor in tensors:
        assert (folder / tensor.file).stat().st_size == 4 * int(np.prod(tensor.shape))


def test_pictures_and_boxes_become_the_tensors(folder: Path, golden: Golden, source: Source) -> None:
    for case in golden.faces:
        found = preprocess(read_frame(folder, case.frame), case.box.box(), source.preprocess)

        np.testing.assert_array_equal(found[np.newaxis], read_tensor(folder, case.tensor))


def test_tensors_become_the_outputs(folder: Path, golden: Golden, source: Source) -> None:
    for case in golden.faces:
        with torch.inference_mode():
            outputs = source.student.encode(torch.from_numpy(read_tensor(folder, case.tensor)))

        for output, file in zip(outputs, (case.rgb_embedding, case.depth_embedding, case.depth), strict=True):
            np.testing.assert_allclose(output.numpy(), read_tensor(folder, file), rtol=0, atol=1e-4)


def test_the_odd_cases_of_the_contract_are_among_the_faces(folder: Path, golden: Golden, source: Source) -> None:
    spec = source.preprocess
    squares = {case.name: square_around(case.box.box(), spec.margin) for case in golden.faces}
    height, width, _ = read_frame(folder, golden.faces[0].frame).shape

    assert squares["small"].side < spec.size
    assert squares["uneven"].side == 2 * spec.size + 1
    corner, outside = squares["corner"], squares["outside"]
    assert corner.x0 < 0 < corner.x0 + corner.side < width
    assert 0 < corner.y0 < height < corner.y0 + corner.side
    assert outside.x0 > width
    assert not read_tensor(folder, next(c.tensor for c in golden.faces if c.name == "outside")).any()


def test_windows_hold_masks_down_to_nothing(folder: Path, golden: Golden, source: Source) -> None:
    masks = {case.name: (sum(case.face_valid), sum(case.depth_valid)) for case in golden.windows}

    assert masks["all"] == (WINDOW, WINDOW)
    assert masks["no_depth"] == (WINDOW, 0)
    assert masks["one"] == (1, 0)
    assert masks["none"] == (0, 0)
    for case in golden.windows:
        inputs = [read_tensor(folder, case.rgb), read_tensor(folder, case.depth)]
        rows = [np.array([valid], np.float32) for valid in (case.face_valid, case.depth_valid)]
        with torch.inference_mode():
            (logits,) = source.student.classify(*(torch.from_numpy(array) for array in (*inputs, *rows)))
        np.testing.assert_allclose(logits.numpy(), case.logits, rtol=0, atol=1e-4)


def test_a_stream_closes_the_windows_of_its_length_and_one_is_undecided(golden: Golden, source: Source) -> None:
    patchy, lonely = golden.streams
    spans = window_spans(len(patchy.frames), source.decision.hop)

    assert [(w.start_ms, w.end_ms) for w in patchy.windows] == [
        (patchy.frames[span.start].time_ms, patchy.frames[span.end - 1].time_ms) for span in spans
    ]
    assert len(patchy.windows) == 3
    assert patchy.coverage == pytest.approx(sum(f.box is not None for f in patchy.frames) / len(patchy.frames))
    logits = [w.logits for w in patchy.windows if w.logits is not None]
    assert patchy.fake_probability == pytest.approx(source.decision.probability(logits))
    assert patchy.label in ("real", "fake")
    assert (lonely.label, lonely.fake_probability, lonely.windows[0].logits) == ("undecided", None, None)


@pytest.mark.parametrize("path", ["../secret.f32", "/etc/passwd", "a\\b"])
def test_a_path_that_leaves_the_folder_is_refused(folder: Path, tmp_path: Path, path: str) -> None:
    document = json.loads((folder / GOLDEN).read_text())
    document["faces"][0]["tensor"]["file"] = path
    (tmp_path / GOLDEN).write_text(json.dumps(document))

    with pytest.raises(InputError, match="leaves its folder"):
        read_golden(tmp_path)


def test_damage_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "short.f32").write_bytes(b"123456")
    (tmp_path / GOLDEN).write_text("{")

    with pytest.raises(InputError, match=r"short.f32: not \(2,\) of float32"):
        read_tensor(tmp_path, TensorFile(file="short.f32", shape=(2,)))
    with pytest.raises(InputError, match="not readable as golden vectors"):
        read_golden(tmp_path)
    with pytest.raises(InputError, match="not a readable PNG"):
        read_frame(tmp_path, "short.f32")
