"""The fusion: what the masks promise, and the written-out layers against torch's own."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from core.decision import WINDOW
from core.models import StudentConfig
from core.models.fusion import Attention, FusionConfig, RMSNorm, masked_mean, masked_softmax
from tests.core.models.conftest import Classifier


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
