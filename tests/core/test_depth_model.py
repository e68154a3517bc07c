"""The real Depth Anything architecture with random weights, saved and loaded locally; and one scale a clip."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import DepthAnythingForDepthEstimation

from core.depth_model import CONFIG, WEIGHTS, DepthModel, aligned, model_folder, quantised, weights_id
from core.errors import InputError
from core.preprocess import Image


def pictures(count: int, seed: int = 0) -> list[Image]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (60 + 10 * index, 60 + 10 * index, 3), dtype=np.uint8) for index in range(count)]


def test_a_map_is_what_the_loaded_network_says_of_the_normalised_crop(depth_weights: Path) -> None:
    crop = np.random.default_rng(1).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    network: Any = DepthAnythingForDepthEstimation.from_pretrained(depth_weights)
    network.eval()
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = torch.tensor(((crop / 255 - mean) / std).transpose(2, 0, 1)[None], dtype=torch.float32)
    with torch.no_grad():
        expected = network(pixel_values=pixels).predicted_depth[0].numpy()

    (found,) = DepthModel(depth_weights, input_px=56).maps([crop])

    assert found.shape == (56, 56)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_crops_of_any_size_and_number_have_a_map_each_and_threads_change_nothing(depth_weights: Path) -> None:
    model, before = DepthModel(depth_weights, input_px=56), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = list(model.maps(pictures(10)))
        torch.set_num_threads(2)
        two = list(model.maps(pictures(10)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert len(one) == 10
    assert {depth.shape for depth in one} == {(56, 56)}
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_folder_without_a_model_is_refused_by_name(depth_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"--depth {tmp_path}: no config.json in it; give the folder of"):
        model_folder(str(tmp_path))
    (tmp_path / CONFIG).write_bytes((depth_weights / CONFIG).read_bytes())
    with pytest.raises(InputError, match=r"no model.safetensors in it"):
        model_folder(str(tmp_path))


@pytest.mark.parametrize("fault", ["truncated", "other architecture", "no weights in it"])
def test_weights_that_do_not_fit_are_refused(depth_weights: Path, tmp_path: Path, fault: str) -> None:
    data, config = (depth_weights / WEIGHTS).read_bytes(), json.loads((depth_weights / CONFIG).read_text())
    if fault == "truncated":
        data = data[: len(data) // 2]
    elif fault == "other architecture":
        config["fusion_hidden_size"] = 32
    else:
        data = b"\x02\x00\x00\x00\x00\x00\x00\x00{}"
    (tmp_path / WEIGHTS).write_bytes(data)
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"not a Depth Anything model|not those of its architecture"):
        DepthModel(model_folder(str(tmp_path)), input_px=56)


def test_other_weights_have_another_id(depth_weights: Path, tmp_path: Path) -> None:
    for name in (CONFIG, WEIGHTS):
        (tmp_path / name).write_bytes((depth_weights / name).read_bytes())
    assert weights_id(tmp_path) == weights_id(depth_weights)
    (tmp_path / WEIGHTS).write_bytes((depth_weights / WEIGHTS).read_bytes() + b"\0")
    assert weights_id(tmp_path) != weights_id(depth_weights)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(-50, 50)), min_size=2, max_size=6))
def test_maps_that_differ_by_scale_and_shift_alone_become_one(draws: list[tuple[float, float]]) -> None:
    scene = np.random.default_rng(0).random((12, 12)).astype(np.float32)
    maps = aligned([np.asarray(scale * scene + shift, np.float32) for scale, shift in draws])
    for depth in maps[1:]:
        np.testing.assert_allclose(depth, maps[0], atol=1e-2)
    assert np.corrcoef(maps[0].ravel(), scene.ravel())[0, 1] > 0.999


def test_alignment_takes_the_flicker_and_leaves_the_movement() -> None:
    y, x = np.mgrid[0:24, 0:24]
    rng = np.random.default_rng(0)
    still = [np.exp(-(((x - 8 - t / 2) ** 2 + (y - 12) ** 2) / 40)) for t in range(10)]
    seen = [np.asarray(rng.uniform(0.5, 2) * depth + rng.uniform(-1, 1), np.float32) for depth in still]
    out = np.stack(aligned(seen))
    corner = out[:, 22:, 22:].mean(axis=(1, 2))
    assert np.ptp([depth[22:, 22:].mean() for depth in seen]) > 0.5
    assert np.ptp(corner) < 0.15 * np.ptp(out)
    assert out[0].argmax() != out[-1].argmax()


def test_a_map_without_relief_becomes_the_clips_middle() -> None:
    scene = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    flat = np.full((8, 8), 3, np.float32)
    out = aligned([scene, flat, 2 * scene])
    np.testing.assert_allclose(out[1], out[0], atol=1e-2)
    assert aligned([]) == []


def test_levels_keep_the_order_and_leave_nought_to_nothing() -> None:
    depth = np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8)
    levels = quantised(depth, -3, 5, 8)
    assert (int(levels.min()), int(levels.max())) == (1, 65535)
    assert levels.dtype == np.uint16
    assert (np.diff(levels.ravel().astype(int)) > 0).all()
    assert quantised(depth, 0, 0, 16).shape == (16, 16)
