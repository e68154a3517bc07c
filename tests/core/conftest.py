"""What tests of `core` share: tiny videos of a face, and a whole artefact folder without a program in it."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from core.decision import WINDOW
from core.manifest import MANIFEST, SCHEMA_VERSION, sha256_of, size_of
from core.preprocess import Image
from core.video import encode_video

FPS = 10.0


@pytest.fixture(scope="session")
def portrait() -> Image:
    """uint8 [200, 200, 3]: the head of an astronaut, her face about 100 px wide."""
    return np.ascontiguousarray(astronaut()[10:210, 130:330])  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session")
def depth_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Depth Anything V2 Small as the hub has it, but for its weights."""
    folder = tmp_path_factory.mktemp("depth") / "small"
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation

    torch.manual_seed(0)
    small = DepthAnythingConfig(
        backbone_config={
            "model_type": "dinov2",
            "hidden_size": 384,
            "num_attention_heads": 6,
            "image_size": 518,
            "patch_size": 14,
            "out_indices": [3, 6, 9, 12],
            "apply_layernorm": True,
            "reshape_hidden_states": False,
        },
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
        reassemble_hidden_size=384,
    )
    DepthAnythingForDepthEstimation(small).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def talking_head() -> Callable[..., Path]:
    """Writes a video of 10 frames a second in which one face moves: `talking_head(path, frames=12, seed=0)`.

    `seed` tells videos apart; in the frames numbered in `without` the wall is bare.
    """
    head = np.ascontiguousarray(astronaut()[10:210, 130:330])  # type: ignore[no-untyped-call]

    def write(path: Path, *, frames: int = 12, seed: int = 0, without: range = range(0)) -> Path:
        def scene(index: int) -> Image:
            canvas = np.full((224, 256, 3), 90 + 10 * (seed % 8), np.uint8)
            if index not in without:
                left, top = 20 + (index + 3 * seed) % 16, 10 + index % 4
                canvas[top : top + 200, left : left + 200] = head
            # A mark off the face, so that no two seeds give the same bytes.
            cv2.putText(canvas, str(seed), (228, 215), cv2.FONT_HERSHEY_PLAIN, 1.0, (255, 255, 255))
            return canvas

        path.parent.mkdir(parents=True, exist_ok=True)
        encode_video(path, (scene(index) for index in range(frames)), fps=FPS, preset="ultrafast")
        return path

    return write


def _tensor(name: str, *shape: int) -> dict[str, Any]:
    return {"name": name, "shape": shape, "dtype": "float32", "range": [0, 255] if name == "frame" else None}


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A folder as `python -m export` writes it, but for its two programs, which are arbitrary bytes."""
    folder = tmp_path / "artifacts"
    (folder / "student_int8.mlpackage" / "Data").mkdir(parents=True)
    (folder / "student_fp32.pte").write_bytes(bytes(range(256)) * 4)
    (folder / "student_int8.mlpackage" / "Manifest.json").write_bytes(b"{}")
    (folder / "student_int8.mlpackage" / "Data" / "model.mlmodel").write_bytes(b"weights")
    rows = [
        {
            "path": path,
            "target": target,
            "backend": backend,
            "precision": precision,
            "methods": ["encode", "classify"],
            "sha256": sha256_of(folder / path),
            "size_bytes": size_of(folder / path),
            "runtime": {"name": target, "version": version("coremltools" if target == "coreml" else target)},
            "parity": {"cases": 32, "max_abs": 1e-5, "cosine": 0.9999, "agreement": None, "odd_cosine": 0.998},
            "accuracy": None,
            "delegation": {
                "delegated": 250,
                "undelegated_ops": [{"method": "classify", "op": "aten.view", "count": 3}],
            },
            "float_parts": [],
            "encode_ms": None,
            "verified": "runtime",
        }
        for path, target, backend, precision in (
            ("student_fp32.pte", "executorch", "xnnpack", "fp32"),
            ("student_int8.mlpackage", "coreml", "coreml", "int8"),
        )
    ]
    masks = [_tensor("face_valid", 1, WINDOW), _tensor("depth_valid", 1, WINDOW)]
    document = {
        "schema_version": SCHEMA_VERSION,
        "name": "demo",
        "created": "2025-01-31T12:00:00Z",
        "trained": True,
        "depth_trained": False,
        "source": {"run": "runs/demo", "recipe": "demo", "weights_sha256": "0" * 64, "code_version": "0.1.0"},
        "preprocess": {"size": 64, "margin": 1.5},
        "decision": {"threshold": 0.6, "temperature": 1.7},
        "methods": [
            {
                "name": "encode",
                "inputs": [_tensor("frame", 1, 3, 64, 64)],
                "outputs": [_tensor("rgb_embedding", 1, 384), _tensor("depth_embedding", 1, 384)],
            },
            {
                "name": "classify",
                "inputs": [_tensor("rgb", 1, WINDOW, 384), _tensor("depth", 1, WINDOW, 384), *masks],
                "outputs": [_tensor("logits", 1, 2)],
            },
        ],
        "metrics": {"student": {"val": {"auc": 0.9, "videos_real": 12, "eer": None}}},
        "preferred": "student_fp32.pte",
        "artifacts": rows,
    }
    (folder / MANIFEST).write_text(json.dumps(document))
    return folder
