"""The run folder: JSON alone rebuilds a model, and what does not belong together is refused by name."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.decision import WINDOW, Decision
from core.errors import InputError
from core.models import Student, StudentConfig, Teacher, TeacherConfig
from core.models.fusion import FusionConfig
from core.preprocess import PreprocessSpec
from core.runs import (
    SAMPLES,
    ModelDocument,
    read_samples,
    read_student,
    read_teacher,
    weights_sha256,
    write_json,
    write_model,
    write_tensors,
)

SMALL = FusionConfig(width=32, heads=2, feed_forward=32, norm="layer")


def document_of(model: Student | Teacher) -> ModelDocument:
    return ModelDocument(
        role=model.config.role,
        architecture=model.config,
        preprocess=PreprocessSpec(size=64, margin=1.5, padding=3),
        decision=Decision(threshold=0.37, temperature=1.9),
        depth_trained=True,
        recipe={"name": "demo", "epochs": 3},
        data_fingerprint="f" * 64,
        code_version="0.1.0",
        weights_sha256=weights_sha256(model),
        activation_ranges={"trunk.stem": (-1.5, 2.25)},
    )


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    return Student(StudentConfig(depth_width=16, fusion=SMALL)).eval()


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    torch.manual_seed(1)
    return Teacher(TeacherConfig(fusion=SMALL)).eval()


@pytest.fixture(scope="module")
def original(student: Student, teacher: Teacher, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "demo"
    folder.mkdir()
    for model in (student, teacher):
        write_model(folder, model, document_of(model))
    return folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy to damage: of the JSON; the weights are links until a test writes its own."""
    folder = tmp_path / "run"
    folder.mkdir()
    for file in original.iterdir():
        if file.suffix == ".json":
            shutil.copy(file, folder)
        else:
            (folder / file.name).symlink_to(file)
    return folder


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def replace_tensors(file: Path, tensors: dict[str, Tensor]) -> None:
    file.unlink()
    save_file(tensors, file)


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as refused:
        read_student(folder)
    message = str(refused.value)
    assert "\n" not in message
    assert re.search("train the run again|python -m distill", message)
    return message


def test_a_student_comes_back_with_the_same_answers(original: Path, student: Student) -> None:
    frame = 255 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    found, document = read_student(original)

    assert document == document_of(student)
    assert not found.training
    with torch.no_grad():
        expected = student.encode(frame)
        for output, reference in zip(found.encode(frame), expected, strict=True):
            assert torch.equal(output, reference)
        rgb, depth = (embedding.expand(1, WINDOW, -1) for embedding in expected[:2])
        valid = torch.ones(1, WINDOW)
        assert torch.equal(found.classify(rgb, depth, valid, valid), student.classify(rgb, depth, valid, valid))


def test_a_teacher_comes_back_with_the_same_answers(original: Path, teacher: Teacher) -> None:
    generator = torch.Generator().manual_seed(1)
    frame, depth = (255 * torch.rand(1, count, 64, 64, generator=generator) for count in (3, 1))

    found, document = read_teacher(original)

    assert document == document_of(teacher)
    with torch.no_grad():
        assert torch.equal(found.encode_rgb(frame), teacher.encode_rgb(frame))
        assert torch.equal(found.encode_depth(depth), teacher.encode_depth(depth))


def test_nothing_half_written_is_left_beside_a_finished_run(original: Path) -> None:
    assert sorted(file.name for file in original.iterdir()) == [
        "student.json",
        "student.safetensors",
        "teacher.json",
        "teacher.safetensors",
    ]


def test_a_write_that_fails_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    file, tensors = tmp_path / "metrics.json", tmp_path / "weights.safetensors"
    write_json(file, {"auc": 0.5})
    write_tensors(tensors, {"a": torch.ones(2)})

    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(file, {"auc": object()})
    shared = torch.zeros(2)
    with pytest.raises(RuntimeError, match="share memory"):
        write_tensors(tensors, {"a": shared, "b": shared})

    assert json.loads(file.read_text()) == {"auc": 0.5}
    assert torch.equal(load_file(tensors)["a"], torch.ones(2))
    assert sorted(tmp_path.iterdir()) == [file, tensors]


def test_weights_without_a_document_are_no_finished_run(run: Path) -> None:
    (run / "student.json").unlink()
    assert "no student.json in it, so no finished student; type `python -m distill --run" in refusal(run)


def test_a_document_without_weights_is_refused(run: Path) -> None:
    (run / "student.safetensors").unlink()
    assert "student.safetensors: no such file" in refusal(run)


@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_truncated_weights_are_refused(run: Path, kept: int) -> None:
    data = (run / "student.safetensors").read_bytes()
    (run / "student.safetensors").unlink()
    (run / "student.safetensors").write_bytes(data[:kept])
    assert "student.safetensors: damaged or not safetensors" in refusal(run)


def test_another_architecture_is_refused_by_the_first_weight_that_does_not_fit(run: Path) -> None:
    architecture = json.loads((run / "student.json").read_text())["architecture"]
    edit(run / "student.json", architecture={**architecture, "depth_width": 8})
    assert "depth_head.embed.weight does not fit the architecture in student.json" in refusal(run)
    edit(
        run / "student.json",
        architecture={**architecture, "fusion": SMALL.model_copy(update={"layers": 2}).model_dump()},
    )
    assert "fusion.depth.blocks.1" in refusal(run)


@pytest.mark.parametrize("change", ["lacks one", "has one more"])
def test_weights_with_other_names_are_refused(run: Path, change: str) -> None:
    tensors = load_file(run / "student.safetensors")
    if change == "lacks one":
        del tensors["fusion.head.bias"]
    else:
        tensors["fusion.tail.bias"] = torch.zeros(2)
    replace_tensors(run / "student.safetensors", tensors)
    assert re.search(r"fusion\.(head|tail)\.bias does not fit the architecture", refusal(run))


def test_one_changed_weight_is_refused(run: Path) -> None:
    tensors = load_file(run / "student.safetensors")
    tensors["fusion.head.bias"][1] += 1e-6
    replace_tensors(run / "student.safetensors", tensors)
    assert "student.safetensors: not the weights that student.json was written for" in refusal(run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 3}, "student.json: epochs: Extra inputs are not permitted"),
        ({"schema_version": 2}, "student.json: schema_version: Input should be 1"),
        ({"architecture": {"role": "student", "trunk": "resnet"}}, "student.json: architecture.student.trunk: Input"),
        ({"decision": {"hop": 0}}, "student.json: decision.hop: Input should be greater than or equal to 1"),
        ({"depth_trained": None}, "student.json: depth_trained: Input should be a valid boolean"),
    ],
)
def test_a_document_that_says_something_else_is_refused(run: Path, changes: dict[str, Any], message: str) -> None:
    edit(run / "student.json", **changes)
    assert message in refusal(run)


def test_a_document_that_is_not_json_is_refused(run: Path) -> None:
    (run / "student.json").write_text("{")
    assert "Invalid JSON" in refusal(run)


def test_a_teacher_in_the_place_of_a_student_is_refused(run: Path) -> None:
    shutil.copy(run / "teacher.json", run / "student.json")
    assert "student.json: describes a teacher, not a student" in refusal(run)


def test_an_architecture_of_another_role_than_the_document_s_is_refused(run: Path) -> None:
    edit(run / "student.json", architecture=TeacherConfig(fusion=SMALL).model_dump())
    assert "student.json: describes a teacher, not a student" in refusal(run)


def test_the_digest_of_weights_covers_names_values_and_shapes() -> None:
    torch.manual_seed(0)
    layer, renamed = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    renamed.load_state_dict(layer.state_dict())
    expected = weights_sha256(layer)
    assert weights_sha256(renamed) == expected
    assert weights_sha256(torch.nn.Sequential(renamed)) != expected
    with torch.no_grad():
        renamed.weight[0, 0] += 1e-6
    assert weights_sha256(renamed) != expected


def test_samples_come_back_and_what_they_lack_is_named(tmp_path: Path) -> None:
    tensors = {
        "crops": torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8),
        "windows": torch.randint(256, (1, WINDOW, 3, 32, 32), dtype=torch.uint8),
        "face_valid": torch.ones(1, WINDOW),
        "is_fake": torch.tensor([1]),
    }
    write_tensors(tmp_path / SAMPLES, tensors)

    samples = read_samples(tmp_path)

    assert all(torch.equal(getattr(samples, name), tensor) for name, tensor in tensors.items())
    write_tensors(tmp_path / SAMPLES, {"crops": tensors["crops"], "windows": tensors["windows"]})
    with pytest.raises(InputError, match=r"samples.safetensors: lacks face_valid, is_fake; train the run again"):
        read_samples(tmp_path)
