"""A student of a few weights, as an artefact folder with golden vectors: small enough to be lowered in a test."""

import warnings
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from core.decision import WINDOW, Decision
from core.golden import GOLDEN, FaceBox, FaceCase, Golden, StreamCase, StreamFrame, TensorFile, WindowCase
from core.manifest import (
    MANIFEST,
    Artifact,
    Manifest,
    MethodSpec,
    RuntimeVersion,
    Source,
    TensorSpec,
    sha256_of,
    size_of,
)
from core.preprocess import PreprocessSpec
from core.runs import write_json
from core.runtimes import Array

SIZE, WIDTH = 32, 4
PROGRAM = "student_xnnpack_fp32.pte"


class Tiny(nn.Module):
    """Embeds colours; logits weigh every slot by its place, so that a slot in the wrong place shows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.rgb, self.depth = nn.Linear(3, WIDTH), nn.Linear(3, WIDTH)
        self.head = nn.Linear(2 * WIDTH, 2)
        self.register_buffer("place", torch.linspace(0.1, 2.0, WINDOW).reshape(1, 1, WINDOW))

    def encode(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[1, 3, S, S] to [1, D] twice and [1, 1, S/4, S/4]."""
        means = frame.mean(dim=(2, 3)) / 255
        return self.rgb(means), self.depth(means), nn.functional.avg_pool2d(frame, 4).mean(dim=1, keepdim=True)

    def classify(self, rgb: Tensor, depth: Tensor, face_valid: Tensor, depth_valid: Tensor) -> Tensor:
        """[1, T, D] twice and [1, T] twice to [1, 2]."""
        place = self.get_buffer("place")
        pooled = [
            torch.bmm(place * valid[:, None], stream).squeeze(1)
            for stream, valid in ((rgb, face_valid), (depth, depth_valid))
        ]
        logits: Tensor = self.head(torch.cat(pooled, dim=1))
        return logits


class _Method(nn.Module):
    def __init__(self, tiny: Tiny, name: str) -> None:
        super().__init__()
        self.tiny, self.name = tiny, name

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = getattr(self.tiny, self.name)(*inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)


SHAPES = {
    "encode": ((1, 3, SIZE, SIZE),),
    "classify": ((1, WINDOW, WIDTH), (1, WINDOW, WIDTH), (1, WINDOW), (1, WINDOW)),
}


def lowered() -> bytes:
    """Both methods in one program, in XNNPACK."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        tiny = Tiny().eval()
        programs = {
            name: torch.export.export(_Method(tiny, name), tuple(torch.ones(shape) for shape in shapes))
            for name, shapes in SHAPES.items()
        }
        partitioner = {name: [XnnpackPartitioner()] for name in programs}
        return bytes(to_edge_transform_and_lower(programs, partitioner=partitioner).to_executorch().buffer)


def write_artifact(folder: Path, program: bytes, *, verified: str = "runtime") -> Manifest:
    """An artefact folder as `open_artifacts` takes it: one program, three faces, two windows and a stream."""
    (folder / PROGRAM).write_bytes(program)
    _write_golden(folder / "golden")
    methods = (
        MethodSpec(
            name="encode",
            inputs=(_tensor("frame", SHAPES["encode"][0], (0.0, 255.0)),),
            outputs=(_tensor("rgb_embedding", (1, WIDTH)), _tensor("depth_embedding", (1, WIDTH))),
        ),
        MethodSpec(
            name="classify",
            inputs=(
                *(_tensor(name, (1, WINDOW, WIDTH)) for name in ("rgb", "depth")),
                *(_tensor(name, (1, WINDOW), (0.0, 1.0)) for name in ("face_valid", "depth_valid")),
            ),
            outputs=(_tensor("logits", (1, 2)),),
        ),
    )
    artifact = Artifact.model_validate(
        {
            "path": PROGRAM,
            "target": "executorch",
            "backend": "xnnpack",
            "precision": "fp32",
            "methods": ("encode", "classify"),
            "sha256": sha256_of(folder / PROGRAM),
            "size_bytes": size_of(folder / PROGRAM),
            "runtime": RuntimeVersion(name="executorch", version=version("executorch")),
            "parity": None,
            "accuracy": None,
            "delegation": None,
            "verified": verified,
        }
    )
    manifest = Manifest(
        name="tiny",
        created="now",
        trained=False,
        depth_trained=True,
        source=Source(run=None, recipe="none of ours", weights_sha256="0", code_version="0"),
        preprocess=PreprocessSpec(size=SIZE, margin=1.5),
        decision=Decision(hop=3, min_coverage=0.4),
        methods=methods,
        metrics=None,
        preferred=None,
        artifacts=(artifact,),
        golden="golden",
        golden_sha256=sha256_of(folder / "golden"),
    )
    write_json(folder / MANIFEST, manifest)
    return manifest


def _write_golden(folder: Path) -> None:
    generator = np.random.default_rng(5)

    def tensor(name: str, values: Array) -> TensorFile:
        (folder / name).write_bytes(values.astype("<f4").tobytes())
        return TensorFile(file=name, shape=values.shape)

    folder.mkdir()
    nothing = tensor("unused.f32", np.zeros((1, WIDTH), np.float32))
    faces = []
    frames = []
    for number in range(3):
        pixels = generator.uniform(0, 255, (1, *SHAPES["encode"][0][1:])).astype(np.float32)
        faces.append(
            FaceCase(
                name=f"face{number}", shows="noise", frame=f"{number}.png", box=FaceBox(x=2, y=2, w=8, h=8),
                tensor=tensor(f"{number}.f32", pixels),
                rgb_embedding=nothing, depth_embedding=nothing, depth=nothing,
            )
        )  # fmt: skip
    for number in range(WINDOW + 5):
        picture = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        box = None if number % 4 == 1 else FaceBox(x=2, y=2, w=8, h=8)
        frames.append(StreamFrame(frame=f"{number}.png", time_ms=100.0 * number, box=box))
    rgb, depth = (
        tensor(f"{name}.f32", generator.normal(size=(1, WINDOW, WIDTH)).astype(np.float32)) for name in ("rgb", "depth")
    )
    late = tuple(float(place >= 12) for place in range(WINDOW))
    windows = tuple(
        WindowCase(name=name, shows=name, rgb=rgb, depth=depth, face_valid=valid, depth_valid=valid, logits=(0.0, 0.0))
        for name, valid in (("all", (1.0,) * WINDOW), ("late", late))
    )
    stream = StreamCase(
        name="noise", shows="noise", frames=tuple(frames), windows=(), label="real", fake_probability=0.0, coverage=0.75
    )
    write_json(folder / GOLDEN, Golden(faces=tuple(faces), windows=windows, streams=(stream,)))


def _tensor(name: str, shape: tuple[int, ...], span: tuple[float, float] | None = None) -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype="float32", range=span)
