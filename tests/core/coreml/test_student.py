"""The demo's student, exported to Core ML, against the same student in torch."""

import numpy as np
import pytest

from core.decision import WINDOW
from core.runtimes import Array
from core.runtimes.coreml import CoreMLReference
from core.runtimes.torch import TorchRuntime
from export.build import write
from export.source import Origin, Source
from export.targets import VARIANTS
from tests.shallow import shallow_trunks

FRAMES = 8
FP16, INT8 = "student_fp16.mlpackage", "student_int8_ios17"
"""One package with both methods, and a folder with one each: both kinds, and each precision, once."""


@pytest.fixture(scope="module")
def source() -> Source:
    """The demo's product as `--untrained` builds it, with fewer blocks."""
    with shallow_trunks():
        return Origin(untrained="demo").read()


@pytest.fixture(scope="module")
def exported(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, CoreMLReference]:
    """The variants of those paths, written and loaded back."""
    folder = tmp_path_factory.mktemp("exported")
    variants = {variant.path: variant for variant in VARIANTS}
    for name in (FP16, INT8):
        write(source, variants[name], folder / name)
    return {name: CoreMLReference(folder / name, ("encode", "classify")) for name in (FP16, INT8)}


def least_cosine(wanted: Array, got: Array) -> float:
    norms = np.linalg.norm(wanted, axis=-1) * np.linalg.norm(got, axis=-1)
    return float(((wanted * got).sum(-1) / norms).min())


def encoded(runtime: CoreMLReference | TorchRuntime, source: Source) -> tuple[Array, ...]:
    """Both embeddings [FRAMES, D] and the depth maps of the first frames."""
    rows = [runtime.run("encode", source.crops[place : place + 1].numpy()) for place in range(FRAMES)]
    return tuple(np.concatenate(outputs) for outputs in zip(*rows, strict=True))


@pytest.mark.parametrize(("name", "least", "depth_error"), [(FP16, 0.9999, 0.005), (INT8, 0.999, 0.02)])
def test_a_package_gives_the_embeddings_of_the_student(
    source: Source, exported: dict[str, CoreMLReference], name: str, least: float, depth_error: float
) -> None:
    rgb, depth_embedding, depth = encoded(TorchRuntime(source.student), source)
    got = encoded(exported[name], source)
    assert least_cosine(rgb, got[0]) >= least
    assert least_cosine(depth_embedding, got[1]) >= least
    np.testing.assert_allclose(got[2], depth, rtol=0, atol=depth_error)


@pytest.mark.parametrize("name", [FP16, INT8])
def test_a_package_gives_the_logits_of_the_student(
    source: Source, exported: dict[str, CoreMLReference], name: str
) -> None:
    torch_runtime, generator = TorchRuntime(source.student), np.random.default_rng(0)
    rgb, depth, _ = encoded(torch_runtime, source)
    slots = np.arange(WINDOW) % FRAMES
    for share in (0.0, 0.3, 1.0):
        valid = [(generator.random((1, WINDOW)) < share).astype(np.float32) for _ in range(2)]
        inputs = (rgb[slots][np.newaxis], depth[slots][np.newaxis], *valid)
        (wanted,), (got,) = torch_runtime.run("classify", *inputs), exported[name].run("classify", *inputs)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-3)


def test_a_run_leaves_the_next_one_as_it_is(source: Source, exported: dict[str, CoreMLReference]) -> None:
    fp16 = exported[FP16]
    first, second = source.crops[:1].numpy(), source.crops[1:2].numpy()
    before = [output.copy() for output in fp16.run("encode", first)]
    fp16.run("encode", second)
    for was, now in zip(before, fp16.run("encode", first), strict=True):
        np.testing.assert_array_equal(now, was)
