"""Architectures: what the masks promise, what fusing keeps, and the written-out layers against torch's own."""

from collections.abc import Iterator
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.repvit import RepViTBlock
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from core.decision import WINDOW
from core.models import STUDENT_SIZES, Student, StudentConfig, StudentSize, Teacher, TeacherConfig
from core.models.backbone import Trunk, TrunkName
from core.models.fusion import Attention, FusionConfig, RMSNorm, masked_mean, masked_softmax

SIDE = 64
Classifier = Student | Teacher


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    model = Student(StudentConfig()).eval()
    randomise_statistics(model)
    return model


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    torch.manual_seed(1)
    model = Teacher(TeacherConfig()).eval()
    randomise_statistics(model)
    return model


@pytest.fixture(scope="module")
def students(student: Student) -> dict[StudentSize, Student]:
    """One of every size."""
    torch.manual_seed(2)
    models = {size: student if size == "m0_9" else Student(config).eval() for size, config in STUDENT_SIZES.items()}
    for size in set(models) - {"m0_9"}:
        randomise_statistics(models[size])
    return models


@pytest.fixture(scope="module", params=[*STUDENT_SIZES, "teacher"])
def classifier(request: pytest.FixtureRequest, students: dict[StudentSize, Student], teacher: Teacher) -> Classifier:
    """Every student (RMSNorm, narrow) and the teacher (LayerNorm, width 384)."""
    return teacher if request.param == "teacher" else students[request.param]


@pytest.fixture(params=STUDENT_SIZES)
def sized(request: pytest.FixtureRequest, students: dict[StudentSize, Student]) -> Student:
    """The student of each size."""
    return students[request.param]


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def randomise_statistics(model: nn.Module) -> None:
    """Make batch-norms what they are after training: no two channels alike."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)


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


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def inputs(
    model: Classifier, seed: int, batch: int = 2, coverage: float = 0.5
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Embeddings [B, 20, D] of both streams and random masks [B, 20], a share `coverage` of them 1."""
    generator = torch.Generator().manual_seed(seed)
    rgb, depth = torch.randn(2, batch, WINDOW, model.embed_dim, generator=generator)
    face_valid, depth_valid = (torch.rand(2, batch, WINDOW, generator=generator) < coverage).float()
    return rgb, depth, face_valid, depth_valid


def changed_where_invalid(embeddings: Tensor, valid: Tensor, seed: int, size: float) -> Tensor:
    """Each invalid slot's values lie between -`size` and `size`, both of which occur."""
    noise = size * (torch.randint(-2, 3, embeddings.shape, generator=torch.Generator().manual_seed(seed)) / 2)
    return torch.where(valid.unsqueeze(2) == 1, embeddings, noise)


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


# The masks


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), size=finite, coverage=st.sampled_from([0.0, 0.05, 0.5, 0.95]))
@example(seed=0, size=torch.finfo(torch.float32).max, coverage=0.5)
def test_what_stands_in_an_invalid_slot_never_changes_a_logit(
    classifier: Classifier, seed: int, size: float, coverage: float
) -> None:
    rgb, depth, face_valid, depth_valid = inputs(classifier, seed, coverage=coverage)

    logits = classifier.classify(rgb, depth, face_valid, depth_valid)
    changed = classifier.classify(
        changed_where_invalid(rgb, face_valid, seed + 1, size),
        changed_where_invalid(depth, depth_valid, seed + 2, size),
        face_valid,
        depth_valid,
    )

    assert torch.equal(changed, logits)


def test_what_stands_in_a_valid_slot_changes_the_logits(classifier: Classifier) -> None:
    rgb, depth, face_valid, depth_valid = inputs(classifier, 3, batch=1)
    face_valid[0, 7] = depth_valid[0, 7] = 1.0
    logits = classifier.classify(rgb, depth, face_valid, depth_valid)

    for stream in (rgb, depth):
        kept = stream[0, 7].clone()
        stream[0, 7] = -kept
        assert not torch.allclose(classifier.classify(rgb, depth, face_valid, depth_valid), logits, atol=1e-4)
        stream[0, 7] = kept


def test_one_clip_of_a_batch_never_changes_another(classifier: Classifier) -> None:
    together = inputs(classifier, 4, batch=3)
    alone = [classifier.classify(*(tensor[i : i + 1] for tensor in together)) for i in range(3)]
    torch.testing.assert_close(classifier.classify(*together), torch.cat(alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("absent", "only_its_own"),
    [
        ("depth", ("depth.", "depth_from_rgb.", "rgb_from_depth.attention.")),
        ("rgb", ("rgb.", "rgb_from_depth.", "depth_from_rgb.attention.")),
    ],
)
def test_a_wholly_invalid_stream_contributes_exactly_nothing(
    classifier: Classifier, absent: str, only_its_own: tuple[str, ...]
) -> None:
    rgb, depth, face_valid, depth_valid = inputs(classifier, 5)
    (depth_valid if absent == "depth" else face_valid).zero_()
    half = slice(classifier.config.fusion.width, None) if absent == "depth" else slice(classifier.config.fusion.width)
    weights = {name: value.clone() for name, value in classifier.fusion.state_dict().items()}
    logits = classifier.classify(rgb, depth, face_valid, depth_valid)

    for name, parameter in classifier.fusion.named_parameters():
        if name.startswith(only_its_own):
            parameter.add_(torch.randn_like(parameter))
    classifier.fusion.head.weight[:, half] += 1.0
    changed = classifier.classify(rgb, depth, face_valid, depth_valid)
    with_it = classifier.classify(rgb, depth, torch.ones_like(face_valid), torch.ones_like(depth_valid))
    classifier.fusion.load_state_dict(weights)

    assert torch.equal(changed, logits)
    assert not torch.allclose(with_it, classifier.classify(rgb, depth, *torch.ones(2, 2, WINDOW)))


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**31), size=finite)
def test_with_nothing_valid_the_answer_is_finite_and_the_same_for_all(
    classifier: Classifier, seed: int, size: float
) -> None:
    rgb, depth, nothing, _ = inputs(classifier, seed, coverage=0.0)

    logits = classifier.classify(
        changed_where_invalid(rgb, nothing, seed, size),
        changed_where_invalid(depth, nothing, seed + 1, size),
        nothing,
        nothing,
    )

    assert torch.equal(logits, classifier.fusion.head.bias.expand(2, 2))
    assert torch.isfinite(logits).all()


def test_the_order_of_the_frames_counts(classifier: Classifier) -> None:
    rgb, depth, _, _ = inputs(classifier, 7, batch=1)
    ones = torch.ones(1, WINDOW)
    forwards = classifier.classify(rgb, depth, ones, ones)
    assert not torch.allclose(forwards, classifier.classify(rgb.flip(1), depth.flip(1), ones, ones), atol=1e-4)


def test_masked_softmax_shares_among_valid_entries_only() -> None:
    scores = torch.tensor([[0.0, 50.0, torch.log(torch.tensor(3.0))], [1.0, 2.0, 3.0]])
    valid = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])

    weights = masked_softmax(scores, valid)

    torch.testing.assert_close(weights, torch.tensor([[0.25, 0.0, 0.75], [0.0, 1.0, 0.0]]))
    assert weights[0, 1] == weights[1, 0] == weights[1, 2] == 0.0
    assert torch.isfinite(masked_softmax(scores, torch.zeros(2, 3))).all()


def test_masked_mean_is_over_valid_slots_and_zero_without_any() -> None:
    x = torch.tensor([[[1.0, 2.0], [100.0, 200.0], [5.0, 8.0]], [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]])
    valid = torch.tensor([[[1.0], [0.0], [1.0]], [[0.0], [0.0], [0.0]]])
    assert torch.equal(masked_mean(x, valid), torch.tensor([[3.0, 5.0], [0.0, 0.0]]))


# The written-out layers


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_torch_s_own_with_a_mask(heads: int) -> None:
    torch.manual_seed(heads)
    attention = Attention(32, heads, dropout=0.5).eval()
    x, source = torch.randn(2, 3, WINDOW, 32)
    valid = torch.randint(2, (3, WINDOW)).float()
    valid[:, 5] = 1.0

    def split(projected: Tensor) -> Tensor:
        return projected.view(3, WINDOW, heads, 32 // heads).transpose(1, 2)

    expected = F.scaled_dot_product_attention(
        split(F.linear(x, attention.query.weight, attention.query.bias)),
        split(F.linear(source, attention.key.weight, attention.key.bias)),
        split(F.linear(source, attention.value.weight)),
        attn_mask=valid.bool()[:, None, None, :],
    )
    expected = F.linear(expected.transpose(1, 2).flatten(2), attention.output.weight)

    torch.testing.assert_close(attention(x, source, valid.unsqueeze(2)), expected, rtol=1e-4, atol=1e-6)


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="width 30 is not a multiple of 4 heads"):
        Attention(30, 4, dropout=0.0)


def test_rms_norm_is_torch_s_own() -> None:
    torch.manual_seed(0)
    norm = RMSNorm(48, epsilon=1e-5)
    nn.init.normal_(norm.weight)
    x = 30 * torch.randn(2, 7, 48)
    torch.testing.assert_close(norm(x), F.rms_norm(x, (48,), norm.weight, eps=1e-5), rtol=1e-5, atol=1e-5)


def test_an_unknown_architecture_field_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fusion.widht"):
        StudentConfig.model_validate({"fusion": {"widht": 64}})
    with pytest.raises(ValueError, match=r"layers"):
        FusionConfig(layers=0)


# The trunk and the depth head


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
