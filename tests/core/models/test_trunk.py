"""Trunk, depth head and whole students: what fusing keeps, and the parts against timm's and torch's own."""

from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.repvit import RepViTBlock
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from core.decision import WINDOW
from core.models import STUDENT_SIZES, Student, StudentConfig, StudentSize, Teacher
from core.models.backbone import Trunk, TrunkName
from tests.core.models.conftest import relative_error

SIDE = 64


def frame(seed: int, count: int = 1) -> Tensor:
    """float32 [count, 3, 64, 64], 0-255, whole numbers."""
    return torch.randint(256, (count, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(seed)).float()


def output_of(layer: nn.Module, trunk: Trunk, image: Tensor) -> Tensor:
    """What one layer of the trunk gives for a frame."""
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    trunk(image)
    hook.remove()
    return seen[0]


def test_fusing_keeps_what_encode_gives(sized: Student) -> None:
    fused = Student(sized.config)
    fused.load_state_dict(sized.state_dict())
    fused.eval().fuse()

    for image in (frame(0), torch.full((1, 3, SIDE, SIDE), 255.0), torch.zeros(1, 3, SIDE, SIDE)):
        for found, expected in zip(fused.encode(image), sized.encode(image), strict=True):
            assert relative_error(found, expected) < 1e-4
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    before = {name: tensor.clone() for name, tensor in fused.state_dict().items()}
    fused.fuse()
    assert all(torch.equal(tensor, before[name]) for name, tensor in fused.state_dict().items()), "once is enough"


def test_the_trunk_is_timm_s_on_the_normalised_frame_but_for_the_black_border(student: Student) -> None:
    reference: Any = timm.create_model(student.config.trunk, pretrained=False, num_classes=0).eval()
    reference.load_state_dict(student.trunk.state_dict())
    image = frame(1)
    mean, std = torch.tensor(IMAGENET_DEFAULT_MEAN), torch.tensor(IMAGENET_DEFAULT_STD)
    normalised = (image / 255 - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)

    stem, expected_stem = output_of(student.trunk.stem, student.trunk, image), reference.stem(normalised)

    # Two convolutions of stride 2 pad on the left and above only: the border reaches one row and one column.
    torch.testing.assert_close(stem[..., 1:, 1:], expected_stem[..., 1:, 1:], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(stem[..., 0, :], expected_stem[..., 0, :], atol=1e-2)
    expected = stem
    for found, stage in zip(student.trunk(image), reference.stages, strict=True):
        expected = stage(expected)
        assert torch.equal(found, expected)


def test_the_padding_of_the_first_convolution_is_black(student: Student) -> None:
    first = next(layer for layer in student.trunk.stem.modules() if isinstance(layer, nn.Conv2d))
    in_black = F.pad(frame(2), (SIDE, 0, SIDE, 0))

    alone, within = (output_of(first, student.trunk, image) for image in (frame(2), in_black))

    torch.testing.assert_close(within[..., SIDE // 2 :, SIDE // 2 :], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [32, 96])
def test_depth_has_a_quarter_of_the_side_and_embeddings_the_trunk_s_width(sized: Student, side: int) -> None:
    image = F.interpolate(frame(3, count=2), size=(side, side))

    rgb_embedding, depth_embedding, depth = sized.encode(image)

    assert depth.shape == (2, 1, side // 4, side // 4)
    assert rgb_embedding.shape == depth_embedding.shape == (2, sized.embed_dim)
    for row in range(2):
        for found, expected in zip(
            sized.encode(image[row : row + 1]), (rgb_embedding, depth_embedding, depth), strict=True
        ):
            assert relative_error(found[0], expected[row]) < 1e-4


def test_noise_in_the_depth_head_changes_the_depth_embedding_and_never_the_rgb_embedding(student: Student) -> None:
    image = frame(4)
    rgb_embedding, depth_embedding, depth = student.encode(image)
    torch.manual_seed(0)
    hooks = [
        layer.register_forward_hook(lambda _module, _inputs, output: torch.randn_like(output))
        for layer in student.depth_head.smooth
    ]

    noisy_rgb, noisy_embedding, noisy_depth = student.encode(image)
    for hook in hooks:
        hook.remove()

    assert torch.equal(noisy_rgb, rgb_embedding)
    assert relative_error(noisy_embedding, depth_embedding) > 0.1
    assert relative_error(noisy_depth, depth) > 0.1


def test_every_level_of_the_trunk_reaches_the_depth_embedding(student: Student) -> None:
    features = student.trunk(frame(5))
    _, expected = student.depth_head(features)
    for level in range(len(features)):
        changed = [x if i != level else x + torch.randn_like(x) for i, x in enumerate(features)]
        assert not torch.allclose(student.depth_head(changed)[1], expected, atol=1e-4)


def test_the_teacher_sees_depth_as_grey_and_each_stream_by_its_own_trunk(teacher: Teacher) -> None:
    depth = frame(6)[:, :1]
    grey = depth.repeat(1, 3, 1, 1)

    embedding = teacher.encode_depth(depth)

    assert torch.equal(embedding, teacher.depth_trunk(grey)[-1].mean(dim=(2, 3), keepdim=True).flatten(1))
    assert not torch.allclose(embedding, teacher.encode_rgb(grey))


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("repvit_m0_6", (40, 80, 160, 320)),
        ("repvit_m0_9", (48, 96, 192, 384)),
        ("repvit_m1_0", (56, 112, 224, 448)),
        ("repvit_m1_1", (64, 128, 256, 512)),
    ],
)
def test_the_width_of_an_embedding_follows_the_trunk(name: TrunkName, channels: tuple[int, ...]) -> None:
    trunk = Trunk(name).eval()

    features = trunk(frame(7))

    assert tuple(x.shape[1] for x in features) == trunk.channels == channels
    assert features[-1].shape == (1, trunk.embed_dim, 2, 2)


def test_the_smallest_trunk_has_its_authors_blocks() -> None:
    # Rows of stride 1 in the authors' table of RepViT-M0.6: channels, squeeze-and-excitation.
    expected = [(40, True), (40, False), (80, True), (80, False)] + 4 * [(160, True), (160, False)]
    expected += [(160, False), (320, True)]

    blocks = [block for block in Trunk("repvit_m0_6").modules() if isinstance(block, RepViTBlock)]

    assert [(block.token_mixer.dim, not isinstance(block.se, nn.Identity)) for block in blocks] == expected


# Sizes of the student


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("size", "trunk", "head", "fusion", "fused"),
    [
        ("m0_6", 2_165_652, 46_521, 322_562, 2_516_155),
        ("m0_9", 4_717_792, 74_017, 561_154, 5_317_227),
        ("m1_1", 7_774_864, 122_633, 885_762, 8_739_707),
    ],
)
def test_the_sizes_have_the_parameters_that_are_written_beside_them(
    size: StudentSize, trunk: int, head: int, fusion: int, fused: int
) -> None:
    student = Student(STUDENT_SIZES[size])
    counts = [parameters(part) for part in (student.trunk, student.depth_head, student.fusion)]

    student.fuse()

    assert counts == [trunk, head, fusion]
    assert parameters(student) == fused


def test_the_default_student_is_the_middle_size() -> None:
    assert STUDENT_SIZES["m0_9"] == StudentConfig()


def test_every_size_is_the_same_operators_on_a_device(students: dict[StudentSize, Student]) -> None:
    """What a delegate takes whole of one size it takes of all."""
    names = [operators(student) for student in students.values()]

    assert names[0] == names[1] == names[2]
    assert len(names[0]) > 10


def operators(student: Student) -> set[str]:
    """What `encode` and `classify` call once they are fused."""
    fused = Student(student.config)
    fused.load_state_dict(student.state_dict())
    fused.eval().fuse()
    slots, valid = torch.zeros(1, WINDOW, student.embed_dim), torch.ones(1, WINDOW)
    calls = Calls()
    with calls:
        fused.encode(frame(8))
        fused.classify(slots, slots, valid, valid)
    return calls.names


class Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Names of the operators that run inside it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func))
        return func(*args, **(kwargs or {}))
