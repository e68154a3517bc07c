"""Inputs to measure and to compare on: an artefact's golden vectors, or random ones where it has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.golden import Golden, StreamCase, read_frame, read_golden, read_tensor
from core.manifest import Manifest
from core.preprocess import preprocess
from core.runtimes import Array


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call: float32 inputs as the method takes them; none is a frame of a stream without a face."""

    name: str
    inputs: tuple[Array, ...]


def golden_of(folder: Path, manifest: Manifest) -> tuple[Path, Golden] | None:
    """The golden vectors of an artefact folder that `open_artifacts` has checked, and where they are."""
    if manifest.golden is None:
        return None
    place = folder / manifest.golden
    return place, read_golden(place)


def cases_of(folder: Path, manifest: Manifest, method: str) -> list[Case]:
    """Inputs of `method`: the golden faces for `encode`, the golden windows for `classify`, random without those."""
    golden = golden_of(folder, manifest)
    if golden is not None and method == "encode":
        place, document = golden
        return [Case(name=face.name, inputs=(read_tensor(place, face.tensor),)) for face in document.faces]
    if golden is not None and method == "classify":
        place, document = golden
        return [
            Case(
                name=window.name,
                inputs=(
                    read_tensor(place, window.rgb),
                    read_tensor(place, window.depth),
                    np.asarray([window.face_valid], np.float32),
                    np.asarray([window.depth_valid], np.float32),
                ),
            )
            for window in document.windows
        ]
    return [random_case(manifest, method)]


def random_case(manifest: Manifest, method: str) -> Case:
    """Seeded: pixels and embeddings are random, masks (0 to 1) all valid."""
    inputs = tuple(
        np.ones(tensor.shape, np.float32) if tensor.range == (0.0, 1.0) else random_values(tensor.shape, place)
        for place, tensor in enumerate(manifest.method(method).inputs)
    )
    return Case(name="random", inputs=inputs)


def random_values(shape: tuple[int, ...], seed: int) -> Array:
    """Float32: pixels (four axes) 0 to 255, else 0 to 1."""
    return np.random.default_rng(seed).uniform(0, 255 if len(shape) == 4 else 1, shape).astype(np.float32)


def frames_of(place: Path, stream: StreamCase, manifest: Manifest) -> list[Case]:
    """The frames of a golden stream as `encode` takes them."""
    frames = []
    for number, frame in enumerate(stream.frames):
        inputs: tuple[Array, ...] = ()
        if frame.box is not None:
            pixels = read_frame(place, frame.frame)
            inputs = (preprocess(pixels, frame.box.box(), manifest.preprocess)[np.newaxis],)
        frames.append(Case(name=f"{number}", inputs=inputs))
    return frames


def write_cases(cases: Sequence[Case], folder: Path) -> Path:
    """The list that the native runner reads, and its tensors beside it: little-endian float32, row-major."""
    lines = []
    for number, case in enumerate(cases):
        files = [f"{number}.{place}.f32" for place in range(len(case.inputs))]
        for file, values in zip(files, case.inputs, strict=True):
            (folder / file).write_bytes(np.ascontiguousarray(values, dtype="<f4").tobytes())
        lines.append("\t".join((case.name, *files)) + "\n")
    listed = folder / "cases.tsv"
    listed.write_text("".join(lines))
    return listed
