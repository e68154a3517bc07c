"""Architectures: what the masks promise, what fusing keeps, and the written-out layers against torch's own."""

from collections.abc import Iterator
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from core.decision import WINDOW
from core.models import Student, StudentConfig, Teacher, TeacherConfig
from core.models.backbone import Trunk
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


@pytest.fixture(scope="module", params=["student", "teacher"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    model: Classifier = request.getfixturevalue(request.param)
    return model


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


def inputs(seed: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Embeddings [B, 20, 384] of both streams and random masks [B, 20]."""
    generator = torch.Generator().manual_seed(seed)
    rgb, depth = torch.randn(2, batch, WINDOW, 384, generator=generator)
    face_valid, depth_valid = torch.randint(2, (2, batch, WINDOW), generator=generator).float()
    return rgb, depth, face_valid, depth_valid


def changed_where_invalid(embeddings: Tensor, valid: Tensor, seed: int, size: float) -> Tensor:
    noise = size * torch.randn(embeddings.shape, generator=torch.Generator().manual_seed(seed))
    return torch.where(valid.unsqueeze(2) == 1, embeddings, noise)


# The masks


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([1e-3, 1.0, 1e4, 1e36]))
def test_what_stands_in_an_invalid_slot_never_changes_a_logit(classifier: Classifier, seed: int, size: float) -> None:
    rgb, depth, face_valid, depth_valid = inputs(seed)

    logits = classifier.classify(rgb, depth, face_valid, depth_valid)
    changed = classifier.classify(
        changed_where_invalid(rgb, face_valid, seed + 1, size),
        changed_where_invalid(depth, depth_valid, seed + 2, size),
        face_valid,
        depth_valid,
    )

    assert torch.equal(changed, logits)


def test_what_stands_in_a_valid_slot_changes_the_logits(classifier: Classifier) -> None:
    rgb, depth, face_valid, depth_valid = inputs(3, batch=1)
    face_valid[0, 7] = depth_valid[0, 7] = 1.0
    logits = classifier.classify(rgb, depth, face_valid, depth_valid)

    for stream in (rgb, depth):
        kept = stream[0, 7].clone()
        stream[0, 7] = -kept
        assert not torch.allclose(classifier.classify(rgb, depth, face_valid, depth_valid), logits, atol=1e-4)
        stream[0, 7] = kept


def test_one_clip_of_a_batch_never_changes_another(classifier: Classifier) -> None:
    together = inputs(4, batch=3)
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
    rgb, depth, face_valid, depth_valid = inputs(5)
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


def test_with_nothing_valid_the_answer_is_finite_and_the_same_for_all(classifier: Classifier) -> None:
    rgb, depth, face_valid, _ = inputs(6)
    nothing = torch.zeros_like(face_valid)

    logits = classifier.classify(1e4 * rgb, 1e4 * depth, nothing, nothing)

    assert torch.equal(logits, classifier.fusion.head.bias.expand(2, 2))
    assert torch.isfinite(logits).all()


def test_the_order_of_the_frames_counts(classifier: Classifier) -> None:
    rgb, depth, _, _ = inputs(7, batch=1)
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


def test_fusing_keeps_what_encode_gives(student: Student) -> None:
    fused = Student(student.config)
    fused.load_state_dict(student.state_dict())
    fused.eval().fuse()

    for image in (frame(0), torch.full((1, 3, SIDE, SIDE), 255.0), torch.zeros(1, 3, SIDE, SIDE)):
        for found, expected in zip(fused.encode(image), student.encode(image), strict=True):
            assert relative_error(found, expected) < 1e-4
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())


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


@pytest.mark.parametrize("size", [64, 96])
def test_depth_has_a_quarter_of_the_side_and_embeddings_the_trunk_s_width(student: Student, size: int) -> None:
    image = F.interpolate(frame(3, count=2), size=(size, size))

    rgb_embedding, depth_embedding, depth = student.encode(image)

    assert depth.shape == (2, 1, size // 4, size // 4)
    assert rgb_embedding.shape == depth_embedding.shape == (2, student.embed_dim) == (2, 384)
    for row in range(2):
        for found, expected in zip(
            student.encode(image[row : row + 1]), (rgb_embedding, depth_embedding, depth), strict=True
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


@pytest.mark.parametrize("name", ["repvit_m1_0", "repvit_m1_1"])
def test_the_width_of_an_embedding_follows_the_trunk(name: str) -> None:
    trunk = Trunk(name).eval()  # type: ignore[arg-type]  # parametrised names are plain strings
    features = trunk(frame(7))
    assert [x.shape[1] for x in features] == list(trunk.channels)
    assert features[-1].shape == (1, trunk.embed_dim, 2, 2)
