"""The search for the parts of an int8 `encode` that stay float32."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from core.models import Encode
from core.quantisation import quantised
from core.quantisation.placement import lies_in, paths_of
from export import schemes
from export.schemes import LIGHT, PARTS, Trial, int8_encode
from export.source import Source

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def encode(source: Source) -> nn.Module:
    return Encode(source.student).eval()


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The ranges that programs were told: all in int8 useless, the others exact, so that the simulation decides."""
    told_ranges: list[Any] = []

    def made(module: nn.Module, calibration: Any, *, float_parts: tuple[str, ...], ranges: Any) -> nn.Module:
        told_ranges.append(ranges)
        return module if float_parts else _spoilt(module)

    monkeypatch.setattr(schemes, "quantised", made)
    return told_ranges


def _spoilt(module: nn.Module) -> nn.Module:
    return lambda frame: tuple(-output for output in module(frame))  # type: ignore[return-value]


def test_where_every_embedding_holds_all_is_int8(
    encode: nn.Module, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemes, "SAFE_COSINE", 0.5)

    _, scheme = int8_encode(encode, source)

    assert (scheme.float_parts, scheme.rejected) == ((), ())


@pytest.mark.usefixtures("programs")
def test_parts_become_float_one_by_one_until_the_embeddings_hold(
    encode: nn.Module, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemes, "SAFE_COSINE", 0.9995)

    _, scheme = int8_encode(encode, source)

    assert 0 < len(scheme.float_parts) <= len(PARTS)
    assert [trial.float_parts for trial in scheme.rejected] == [
        scheme.float_parts[:count] for count in range(len(scheme.float_parts))
    ]
    assert all(trial.cosine < 0.9995 for trial in scheme.rejected)
    light = scheme.float_parts[: len(LIGHT)]
    assert set(light) <= set(LIGHT), "what costs little comes first"


def test_the_program_decides_where_the_simulation_is_too_hopeful(
    encode: nn.Module, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemes, "SAFE_COSINE", 0.5)
    built: list[tuple[str, ...]] = []

    def spoilt(module: nn.Module, calibration: Any, *, float_parts: tuple[str, ...], **told: Any) -> nn.Module:
        built.append(float_parts)
        return _spoilt(module) if len(built) < 3 else module

    monkeypatch.setattr(schemes, "quantised", spoilt)

    _, scheme = int8_encode(encode, source)

    assert [len(parts) for parts in built] == [0, 1, 2]
    assert scheme.float_parts == built[-1]
    assert [trial.float_parts for trial in scheme.rejected] == built[:2]


@pytest.mark.usefixtures("programs")
def test_what_cannot_hold_ends_with_everything_in_float(
    encode: nn.Module, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemes, "SAFE_COSINE", 2.0)

    assert set(int8_encode(encode, source)[1].float_parts) == set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_there(part: str, encode: nn.Module, source: Source) -> None:
    graph = torch.export.export(encode, (source.crops[:1],)).module().graph

    assert any(lies_in(paths_of(node), [part]) for node in graph.nodes)


@pytest.mark.parametrize("views", [1, 2])
def test_the_simulation_foretells_the_program(views: int, source: Source, twice: Source) -> None:
    from core.quantisation import QuantisedTraining

    source = twice if views == 2 else source
    encode = Encode(source.student).eval()
    frames = source.crops[:4]
    parts = ("trunk.*.token_mixer", "trunk.stem")
    simulated = QuantisedTraining(encode, torch.split(source.crops, 8)).eval()
    partial = simulated.with_float(parts)
    program = quantised(encode, torch.split(source.crops, 1), float_parts=parts)

    with torch.inference_mode():
        wanted, foretold = encode(frames)[0], partial(frames)[0]
        got = torch.cat([program(frame)[0] for frame in torch.split(frames, 1)])

    error, foretold_error = (got - wanted).square().mean(), (foretold - wanted).square().mean()
    # Sums in another order fall on the other side of a half now and then.
    assert 0.8 < float(foretold_error / error) < 1.25


@pytest.mark.usefixtures("programs")
def test_a_search_goes_on_behind_what_was_refused(
    encode: nn.Module, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemes, "SAFE_COSINE", 0.5)
    written = Trial(float_parts=("trunk.stages.3", "depth_head"), cosine=0.99, reason="the runtime rounds otherwise")

    _, scheme = int8_encode(encode, source, [Trial(float_parts=(), cosine=0.9), written])

    assert scheme.float_parts[:2] == written.float_parts
    assert len(scheme.float_parts) == 3
    assert scheme.rejected[1] == written


def test_ranges_that_were_trained_are_those_that_are_tried(
    encode: nn.Module, source: Source, monkeypatch: pytest.MonkeyPatch, programs: list[Any]
) -> None:
    from core.quantisation import QuantisedTraining

    monkeypatch.setattr(schemes, "SAFE_COSINE", 0.9)
    ranges = QuantisedTraining(encode, torch.split(source.crops, 8)).ranges()
    useless = {name: (low / 50, high / 50) for name, (low, high) in ranges.items()}

    _, good = int8_encode(encode, replace(source, activation_ranges=ranges))
    _, bad = int8_encode(encode, replace(source, activation_ranges=useless))

    assert len(good.float_parts) == 1
    assert len(bad.float_parts) > 1
    assert programs == [ranges, ranges, useless, useless]
