"""Weights from elsewhere: the true architectures with random weights, saved as timm and its hub save them."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from timm.models.repvit import RepVit
from torch import Tensor, nn

from core.errors import InputError
from core.models import STUDENT_SIZES, Student, Teacher, TeacherConfig
from core.models.backbone import Trunk
from core.pretrained import HUB_FILE, load_trunks

HUB_NAME = "timm/repvit_m0_9.dist_300e_in1k"


def as_timm_saves(file: Path, model: Any = None, **changes: Tensor | None) -> dict[str, Tensor]:
    """Write a timm model's state (a whole RepViT-M0.9 if none is given); a change of None leaves a tensor out."""
    torch.manual_seed(3)
    model = model or timm.create_model("repvit_m0_9", pretrained=False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            nn.init.normal_(module.running_mean)
    state = {name: tensor for name, tensor in (model.state_dict() | changes).items() if tensor is not None}
    save_file(state, file)
    return dict(state)


def holds(trunk: nn.Module, saved: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, saved[name]) for name, tensor in trunk.state_dict().items())


def refusal(file: Path, model: nn.Module) -> str:
    """The one line that `model` refuses `file` with, after which it is as it was."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load_trunks(model, file)
    assert holds(model, before)
    line = str(caught.value)
    assert line.startswith(f"{file}: ")
    assert line.endswith("in timm's naming, hub or scratch")
    assert "\n" not in line
    return line


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.safetensors"


@pytest.fixture
def trunk() -> Trunk:
    return Trunk("repvit_m0_9")


def test_a_file_of_timm_fills_the_trunk_and_its_classifiers_are_left_out(file: Path) -> None:
    saved = as_timm_saves(file)
    student = Student(STUDENT_SIZES["m0_9"])
    rest = {name: value.clone() for name, value in student.state_dict().items() if not name.startswith("trunk.")}

    load_trunks(student, file)

    left_out = set(saved) - set(student.trunk.state_dict())
    assert left_out == {name for name in saved if name.startswith(("head.head.", "head.head_dist."))}
    assert holds(student.trunk, saved)
    assert all(torch.equal(student.state_dict()[name], value) for name, value in rest.items())


def test_a_file_without_classifiers_does_as_well(file: Path, trunk: Trunk) -> None:
    saved = as_timm_saves(file, timm.create_model("repvit_m0_9", pretrained=False, num_classes=0))

    load_trunks(trunk, file)

    assert holds(trunk, saved)


def test_both_trunks_of_a_teacher_are_filled(file: Path) -> None:
    saved = as_timm_saves(file)
    teacher = Teacher(TeacherConfig())

    load_trunks(teacher, file)

    for trunk in (teacher.rgb_trunk, teacher.depth_trunk):
        assert holds(trunk, saved)


def test_the_smallest_trunk_takes_a_file_although_timm_has_no_name_for_it(file: Path) -> None:
    saved = as_timm_saves(file, RepVit(embed_dim=(40, 80, 160, 320), depth=(1, 1, 8, 1)))
    student = Student(STUDENT_SIZES["m0_6"])

    load_trunks(student, file)

    assert holds(student.trunk, saved)


def test_scratch_leaves_the_random_weights(trunk: Trunk) -> None:
    before = {name: tensor.clone() for name, tensor in trunk.state_dict().items()}

    load_trunks(trunk, "scratch")

    assert holds(trunk, before)


def test_a_missing_file_is_refused(file: Path, trunk: Trunk) -> None:
    assert f"{file}: no such file" in refusal(file, trunk)


@pytest.mark.parametrize("kept", [0, 5, 1000, -1])
def test_a_truncated_file_is_refused(file: Path, trunk: Trunk, kept: int) -> None:
    as_timm_saves(file)
    file.write_bytes(file.read_bytes()[:kept])

    assert "truncated or not safetensors" in refusal(file, trunk)


def test_a_pickle_is_refused_and_never_opened(file: Path, trunk: Trunk) -> None:
    torch.save(trunk.state_dict(), file)

    assert "truncated or not safetensors" in refusal(file, trunk)


def test_another_width_is_refused_by_its_first_tensor_with_both_shapes(file: Path, trunk: Trunk) -> None:
    as_timm_saves(file, timm.create_model("repvit_m1_1", pretrained=False))

    line = refusal(file, trunk)

    assert "not a repvit_m0_9: stem.conv1.c.weight is (32, 3, 3, 3), not (24, 3, 3, 3)" in line


def test_another_depth_is_refused_by_the_first_tensor_too_many(file: Path) -> None:
    as_timm_saves(file, timm.create_model("repvit_m1_5", pretrained=False))

    line = refusal(file, Trunk("repvit_m1_1"))

    assert "not a repvit_m1_1: has stages.0.blocks.2.channel_mixer.conv1.bn.bias, which is unknown there" in line


def test_another_kind_of_block_is_refused_by_the_first_tensor_it_lacks(file: Path, trunk: Trunk) -> None:
    as_timm_saves(file, timm.create_model("repvit_m1", pretrained=False))

    assert "lacks stages.0.blocks.0.token_mixer.conv1.weight (48, 1, 1, 1)" in refusal(file, trunk)


@pytest.mark.parametrize("name", ["head.head.l.scale", "head.weight", "module.stem.conv1.c.weight", "optimizer"])
def test_no_tensor_is_ignored_but_those_of_timm_s_classifiers(file: Path, trunk: Trunk, name: str) -> None:
    as_timm_saves(file, **{name: torch.zeros(2)})

    assert f"has {name}, which is unknown there" in refusal(file, trunk)


def test_a_file_that_lacks_a_counter_is_refused(file: Path, trunk: Trunk) -> None:
    as_timm_saves(file, **{"stem.conv2.bn.num_batches_tracked": None})

    assert "lacks stem.conv2.bn.num_batches_tracked ()" in refusal(file, trunk)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache on a closed machine: the folder of RepViT-M0.9's files, empty so far."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0" * 40
    repository = tmp_path / f"models--{HUB_NAME.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    folder = repository / "snapshots" / commit
    folder.mkdir(parents=True)
    return folder


def test_the_hub_s_weights_are_read_from_its_cache_without_a_network(hub: Path, trunk: Trunk) -> None:
    saved = as_timm_saves(hub / HUB_FILE)

    load_trunks(trunk, "hub")

    assert holds(trunk, saved)


@pytest.mark.usefixtures("hub")
def test_a_hub_that_cannot_be_reached_is_said_in_one_line(trunk: Trunk) -> None:
    with pytest.raises(InputError, match=rf"^{HUB_NAME}: cannot be fetched from the hub \(.*\); give a local copy of"):
        load_trunks(trunk, "hub")


def test_a_trunk_that_the_hub_lacks_is_refused() -> None:
    with pytest.raises(InputError, match=r"^repvit_m0_6: the hub has no weights for it; give a safetensors file or"):
        load_trunks(Trunk("repvit_m0_6"), "hub")
