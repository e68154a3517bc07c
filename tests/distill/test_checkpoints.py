"""Checkpoints: whole or refused by name, never unpickled, the same after a round trip."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from distill.checkpoints import SafetensorsCheckpointIO, newest_checkpoint, refuse_misfit

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=12,
)


def saved(folder: Path, checkpoint: dict[str, Any]) -> Path:
    SafetensorsCheckpointIO().save_checkpoint(checkpoint, folder / "7")
    return folder / "7"


@given(value=VALUES)
def test_plain_values_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = saved(tmp_path_factory.mktemp("checkpoint"), {"value": value})

    assert SafetensorsCheckpointIO().load_checkpoint(path) == {"value": value}


def test_an_optimisers_state_comes_back_with_its_numbers_as_keys(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()

    path = saved(tmp_path, {"optimizer_states": [optimizer.state_dict()]})
    found = SafetensorsCheckpointIO().load_checkpoint(path)["optimizer_states"][0]

    wanted = optimizer.state_dict()
    assert found["param_groups"] == wanted["param_groups"]
    assert set(found["state"]) == {0, 1}
    for number, state in wanted["state"].items():
        assert all(torch.equal(found["state"][number][name], value) for name, value in state.items())


def test_a_value_that_only_pickle_could_hold_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"/thing: a checkpoint cannot hold a .*Path"):
        saved(tmp_path, {"thing": tmp_path})

    assert not list(tmp_path.iterdir())


def test_the_newest_whole_checkpoint_is_found(tmp_path: Path) -> None:
    saver = SafetensorsCheckpointIO()
    for step in (90, 200, 1000):
        saver.save_checkpoint({"step": step}, tmp_path / str(step))
    # What a kill between the two files leaves: tensors without a document.
    (tmp_path / "1000.json").unlink()

    newest = newest_checkpoint(tmp_path)

    assert newest == tmp_path / "200"
    assert newest is not None
    assert saver.load_checkpoint(newest) == {"step": 200}
    assert newest_checkpoint(tmp_path / "none") is None


def damage_tensors(path: Path) -> None:
    file = path.with_name("7.safetensors")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def truncate_tensors(path: Path) -> None:
    file = path.with_name("7.safetensors")
    file.write_bytes(file.read_bytes()[:-4])


def truncate_document(path: Path) -> None:
    file = path.with_name("7.json")
    file.write_text(file.read_text()[:-40])


def change_format(path: Path) -> None:
    file = path.with_name("7.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))


def change_kind(path: Path) -> None:
    file = path.with_name("7.json")
    file.write_text(file.read_text().replace('"pairs"', '"object"'))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_tensors, r"7\.safetensors: not the tensors that 7\.json was written for"),
        (truncate_tensors, r"7\.safetensors: damaged or not safetensors"),
        (truncate_document, r"7\.json: not a readable checkpoint"),
        (change_format, r"7\.json: checkpoint format 99, this version reads 1"),
        (change_kind, r"7\.json: not a checkpoint of this version"),
    ],
)
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path, damage: Any, said: str) -> None:
    path = saved(tmp_path, {"weights": torch.arange(4.0)})
    damage(path)

    with pytest.raises(InputError, match=said):
        SafetensorsCheckpointIO().load_checkpoint(path)


def test_weights_of_another_architecture_are_refused_by_name(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 3)

    with pytest.raises(InputError, match=r"x\.safetensors: weights of another architecture \(weight\)"):
        refuse_misfit(module, torch.nn.Linear(3, 3).state_dict(), tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=r"another architecture \(extra\)"):
        refuse_misfit(module, {**module.state_dict(), "extra": torch.ones(1)}, tmp_path / "x.safetensors")
