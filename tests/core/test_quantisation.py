"""Quantisation-aware training: what is trained is what export's int8 program computes, to the last step of its grid."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import InputError
from core.models import PALER, STANDARD, Encode, Looks, Student, StudentConfig
from core.models.fusion import FusionConfig
from core.models.views import Views
from core.quantisation import QuantisedTraining, quantised
from core.quantisation.placement import Place, is_rounding, lies_in, paths_of, places_of, prepared
from core.quantisation.rounding import LEAST_WEIGHT_SCALE
from core.runs import write_tensors
from tests.shallow import shallow_trunks

# ExecuTorch and torchao use what the standard library and torch deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


class Tiny(nn.Module):
    """Every kind of operator of a student's `encode`: a residual, a gate, maps that share a scale, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.gate = nn.Conv2d(8, 8, 1)
        self.mix = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.embed = nn.Linear(16, 4)

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        x = F.gelu(self.stem(frame))
        x = x * torch.sigmoid(self.gate(x.mean(dim=(2, 3), keepdim=True)))
        y = F.relu(x + self.mix(x))
        pooled = torch.cat([part.mean(dim=(2, 3), keepdim=True).flatten(1) for part in (F.relu(x), y)], dim=1)
        return self.embed(pooled), y


SMALL = StudentConfig(depth_width=16, fusion=FusionConfig(width=32, heads=2, feed_forward=32))


def pictures(count: int, size: int, seed: int = 0) -> Tensor:
    """float32 [count, 3, size, size], 0-255, with large structure."""
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(coarse, size=(size, size), mode="bilinear") * 255).round()


class TinyWithViews(Tiny):
    """The same, of two views."""

    def __init__(self) -> None:
        super().__init__()
        self.views = Views(Looks(views=2, saturations=PALER, standard=STANDARD))

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(self.views(frame))


@pytest.fixture
def tiny() -> Tiny:
    torch.manual_seed(0)
    module = Tiny().eval()
    with torch.no_grad():
        module.stem.weight.div_(60.0)
    return module


@pytest.fixture(scope="module")
def encode() -> Encode:
    """A fused RepViT student of few blocks at 32 px, every branch of which counts."""
    torch.manual_seed(0)
    with shallow_trunks():
        student = Student(SMALL)
    for module in student.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.constant_(module.weight, float(module.weight[0]) or 0.3)
            nn.init.normal_(module.bias, std=0.3)
    with torch.no_grad():
        student.encode(pictures(16, 32))
    student.eval().fuse()
    return Encode(student).eval()


@pytest.fixture(scope="module")
def training(encode: Encode) -> QuantisedTraining:
    """Of that student; tests that change it copy it."""
    return QuantisedTraining(encode, torch.split(pictures(16, 32), 8))


def cosines(wanted: tuple[Tensor, ...], got: tuple[Tensor, ...]) -> Iterator[float]:
    for a, b in zip(wanted, got, strict=True):
        yield float(torch.cosine_similarity(a.flatten(1), b.flatten(1)).min())


# Placement


def made_in(place: Place) -> set[str]:
    """The submodules that make what a place observes."""
    (value,) = place.calls[0].args
    assert isinstance(value, torch.fx.Node)
    return set(paths_of(value))


def observed(graph: torch.fx.GraphModule) -> set[tuple[str, str]]:
    """(value, user) of every value that a user is given observed, or rounded as a simulation does."""
    modules = dict(graph.named_modules(remove_duplicate=False))
    return {
        (str(node.args[0]), user.name)
        for node in graph.graph.nodes
        if is_rounding(node) or (node.op == "call_module" and hasattr(modules[node.target], "calculate_qparams"))
        for user in node.users
    }


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize(
    "parts",
    [
        (),
        ("depth_head",),
        ("trunk.stages.3",),
        ("trunk.stages.0", "trunk.stages.2"),
        ("trunk.stem", "trunk.stages.1", "depth_head"),
        ("trunk.*.token_mixer",),
        ("trunk.*.token_mixer", "trunk.*_downsample", "depth_head"),
        ("trunk.stages", "depth_head.lateral"),
        ("trunk.stem", "trunk.stages.0", "trunk.stages.1", "trunk.stages.2", "trunk.stages.3"),
        ("trunk", "depth_head"),
    ],
)
def test_a_simulation_with_float_parts_rounds_where_the_program_does(
    encode: Encode, twice: Encode, training: QuantisedTraining, views: int, parts: tuple[str, ...]
) -> None:
    frames = pictures(2, 32)
    module = twice if views == 2 else encode
    simulated = QuantisedTraining(module, [frames]) if views == 2 else training
    whole = observed(simulated.graph)

    partial = simulated.with_float(parts)

    assert isinstance(partial, torch.fx.GraphModule)
    assert observed(partial) == observed(prepared(module, frames, float_parts=parts, batches=True))
    assert observed(simulated.graph) == whole, "the whole is as it was"
    assert not parts or observed(partial) < whole
    assert observed(copy.deepcopy(simulated).with_float(parts)) == observed(partial)  # type: ignore[arg-type]


def test_views_are_never_rounded_and_what_sees_them_is() -> None:
    torch.manual_seed(0)
    module = TinyWithViews().eval()

    places = places_of(prepared(module, pictures(1, 32)))

    assert any("stem" in made_in(place) for place in places)
    # Both together alone, as the stem is given them.
    assert len([place for place in places if "views" in made_in(place)]) == 1
    # Of two kinds of pictures, which share a range.
    int8 = quantised(module, torch.split(pictures(8, 32), 1))
    assert min(cosines(module(pictures(1, 32)), int8(pictures(1, 32)))) > 0.998


@pytest.fixture(scope="module")
def twice() -> Encode:
    """A fused student that looks twice at a frame."""
    torch.manual_seed(0)
    with shallow_trunks():
        student = Student(SMALL.model_copy(update={"views": 2}))
    student.eval().fuse()
    return Encode(student).eval()


def test_a_student_that_looks_twice_is_float_where_its_parts_are(twice: Encode) -> None:
    assert places_of(prepared(twice, pictures(1, 32), float_parts=("trunk", "depth_head"))) == []
    float_in_the_end = {"mean_of_views", "first_view"}
    assert not [place for place in places_of(prepared(twice, pictures(1, 32))) if float_in_the_end & made_in(place)]


@pytest.mark.parametrize(
    "parts", [(), ("depth_head",), ("trunk.stages.1", "trunk.stages.2"), ("trunk.*.token_mixer",), ("trunk",)]
)
def test_trained_ranges_of_two_views_fit_whatever_stays_float(twice: Encode, parts: tuple[str, ...]) -> None:
    training = QuantisedTraining(twice, torch.split(pictures(16, 32), 8)).eval()
    frame = pictures(1, 32)

    program = quantised(twice, [frame], float_parts=parts, ranges=training.ranges())

    with torch.no_grad():
        assert min(cosines(training.with_float(parts)(frame), program(frame))) > 0.9999


def test_sums_and_products_of_what_is_float_are_float(encode: Encode) -> None:
    stream = ("trunk.*.token_mixer", "trunk.*_downsample")
    whole = prepared(encode, pictures(2, 32), batches=True)
    streams = {
        node.name
        for node in whole.graph.nodes
        if str(node.target).startswith(("aten.add", "aten.mul")) and lies_in(paths_of(node), ["trunk"])
    }

    rounded = observed(prepared(encode, pictures(2, 32), float_parts=stream, batches=True))

    assert streams
    assert not [edge for edge in rounded if set(edge) <= streams]
    # What a convolution beside the stream is given, and what it adds.
    assert [edge for edge in rounded if edge[0] in streams]
    assert [edge for edge in rounded if edge[1] in streams]


def test_a_channel_of_small_weights_keeps_its_levels(tiny: Tiny) -> None:
    # The quantiser's own least scale, 2^-12, would leave this channel 2 levels a side.
    with torch.no_grad():
        tiny.stem.weight[0] *= 2**-12 * 2 / tiny.stem.weight[0].abs().max()

    program = quantised(tiny, torch.split(pictures(8, 16), 1))

    weight = next(value for value in program.state_dict().values() if value.shape == tiny.stem.weight.shape)
    assert weight[0].abs().max() == 127
    assert tiny.stem.weight[0].abs().max() / 127 > LEAST_WEIGHT_SCALE


# Training


def test_training_starts_where_calibration_ends(tiny: Tiny) -> None:
    frames = pictures(16, 16)

    training = QuantisedTraining(tiny, [frames]).eval()

    calibrated = quantised(tiny, [frames])
    for wanted, got in zip(calibrated(frames), training(frames), strict=True):
        # A sum that another order of adding leaves on the other side of a half is rounded to the next step.
        step = float(wanted.max() - wanted.min()) / 200
        torch.testing.assert_close(got, wanted, atol=step, rtol=0.0)
        assert float((got - wanted).abs().gt(1e-5).float().mean()) < 0.1


def test_training_lowers_the_loss_and_changes_the_weights(tiny: Tiny) -> None:
    frames = pictures(32, 16)
    wanted = tiny(frames)[0].detach() + torch.tensor([0.1, -0.1, 0.2, 0.0])
    training = QuantisedTraining(tiny, [frames])
    before = copy.deepcopy(training.weights())
    optimizer = torch.optim.Adam(training.parameters(), lr=3e-4)
    losses = []

    for _ in range(200):
        loss = F.mse_loss(training(frames)[0], wanted)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.2 * losses[0]
    assert set(before) == set(tiny.state_dict())
    assert all(not torch.equal(before[name], weight) for name, weight in training.weights().items())
    assert all(torch.equal(before[name], weight) for name, weight in tiny.state_dict().items()), "a copy is trained"


def test_ranges_follow_in_training_until_they_are_frozen(tiny: Tiny) -> None:
    training = QuantisedTraining(tiny, [pictures(8, 16)])
    start = training.ranges()

    training.eval()(4 * pictures(8, 16))
    assert training.ranges() == start, "nothing is observed in eval mode"

    training.train()(4 * pictures(8, 16))
    followed = training.ranges()
    assert followed["frame"][1] > start["frame"][1] + 1

    training.freeze_ranges()
    training(8 * pictures(8, 16))
    assert training.ranges() == followed


def test_lightnings_ways_with_a_module_leave_it_whole(tiny: Tiny, tmp_path: Path) -> None:
    frames = pictures(8, 16)
    training = QuantisedTraining(tiny, [frames])
    holder = nn.ModuleList([training])
    training(2 * frames)

    holder.train().eval()
    holder.to(torch.float32)
    write_tensors(tmp_path / "state.safetensors", holder.state_dict())
    restored = QuantisedTraining(tiny, [pictures(8, 16, seed=1)])
    again = nn.ModuleList([restored]).eval()
    again.load_state_dict(load_file(tmp_path / "state.safetensors"))

    assert not any(module.training for module in holder.modules())
    assert restored.ranges() == training.ranges()
    for wanted, got in zip(training(frames), restored(frames), strict=True):
        assert torch.equal(wanted, got)


def test_rounding_is_in_float32_whatever_the_trainers_precision(tiny: Tiny) -> None:
    frames = pictures(4, 16)
    training = QuantisedTraining(tiny, [frames]).eval()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = training(frames)

    for wanted, got in zip(training(frames), mixed, strict=True):
        assert torch.equal(wanted, got)


# Export


def test_the_int8_program_gives_what_training_gave(tiny: Tiny) -> None:
    frames = pictures(16, 16)
    training = QuantisedTraining(tiny, [frames])
    optimizer = torch.optim.Adam(training.parameters(), lr=1e-3)
    for seed in range(10):
        embedding, _ = training(1.5 * pictures(16, 16, seed))
        optimizer.zero_grad()
        embedding.pow(2).sum().backward()
        optimizer.step()
    trained = copy.deepcopy(tiny)
    trained.load_state_dict(training.weights())

    program = quantised(trained, [frames[:1]], ranges=training.ranges())

    training.eval()
    for frame in torch.split(frames, 1):
        for wanted, got in zip(training(frame), program(frame), strict=True):
            torch.testing.assert_close(got, wanted)


def test_a_student_is_exported_as_it_was_trained(encode: Encode, training: QuantisedTraining) -> None:
    frames = pictures(6, 32, seed=3)
    training = copy.deepcopy(training).eval()

    # The names of ranges of a batch of any size must be those of a batch of one, or they would be refused.
    program = quantised(encode, [frames[:1]], ranges=training.ranges())

    with torch.no_grad():
        for frame in torch.split(frames, 1):
            assert min(cosines(training(frame), program(frame))) > 0.9999


def test_trained_weights_load_into_the_fused_student(encode: Encode, training: QuantisedTraining) -> None:
    frames = pictures(3, 32)
    other = copy.deepcopy(encode)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()

    other.load_state_dict(training.weights())

    with torch.no_grad():
        for wanted, got in zip(encode(frames), other(frames), strict=True):
            assert torch.equal(wanted, got)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gelu": None}, "activation gelu lacks a range"),
        ({"gelu_7": (0.0, 1.0)}, "the model has no activation gelu_7"),
        ({"gelu": (1.0, -1.0)}, "activation gelu has 1 to -1"),
        ({"gelu": (0.0, float("inf"))}, "activation gelu has 0 to inf"),
    ],
)
def test_ranges_of_another_model_are_refused_by_name(
    tiny: Tiny, change: dict[str, tuple[float, float] | None], message: str
) -> None:
    frames = pictures(4, 16)
    changed = {**QuantisedTraining(tiny, [frames]).ranges(), **change}
    ranges = {name: bounds for name, bounds in changed.items() if bounds is not None}

    with pytest.raises(InputError, match=rf"{message}; .*train it again"):
        quantised(tiny, [frames[:1]], ranges=ranges)
