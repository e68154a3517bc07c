"""Parity: the same program passes without any error, and every planted fault is named."""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from core.runtimes import Array, Runtime
from core.runtimes.torch import TorchRuntime
from export.parity import MASK_WINDOWS, Comparison, compare
from export.source import Source
from export.targets import chosen_variants

(FP32,) = chosen_variants("executorch", "fp32")
(INT8,) = chosen_variants("executorch", "int8")

Fault = Callable[[Runtime, str, tuple[Array, ...]], tuple[Array, ...]]


@dataclass(kw_only=True)
class Faulty:
    """A runtime between whose caller and whose program something goes wrong."""

    runtime: Runtime
    fault: Fault
    name: str = "faulty"
    version: str = "0"

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        return self.fault(self.runtime, method, inputs)


@dataclass
class Recording:
    """A runtime that remembers what it was asked."""

    runtime: Runtime
    calls: list[tuple[str, tuple[Array, ...]]]
    name: str = "recording"
    version: str = "0"

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        self.calls.append((method, inputs))
        return self.runtime.run(method, *inputs)


def swapped_colours(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    if method == "encode":
        inputs = (np.ascontiguousarray(inputs[0][:, ::-1]),)
    return runtime.run(method, *inputs)


def pixels_from_0_to_1(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    return runtime.run(method, *((inputs[0] / 255,) if method == "encode" else inputs))


def shifted_mask(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    if method == "classify":
        rgb, depth, face_valid, depth_valid = inputs
        inputs = (rgb, depth, np.roll(face_valid, 1, axis=1), np.roll(depth_valid, 1, axis=1))
    return runtime.run(method, *inputs)


def ignored_mask(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    if method == "classify":
        inputs = (*inputs[:2], np.ones_like(inputs[2]), np.ones_like(inputs[3]))
    return runtime.run(method, *inputs)


def swapped_streams(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    outputs = runtime.run(method, *inputs)
    return (outputs[1], outputs[0], outputs[2]) if method == "encode" else outputs


def nan_in_the_depth_map(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    outputs = tuple(output.copy() for output in runtime.run(method, *inputs))
    if method == "encode":
        outputs[2][0, 0, 3, 3] = np.nan
    return outputs


def nan_logits(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    outputs = runtime.run(method, *inputs)
    return (np.full_like(outputs[0], np.nan),) if method == "classify" else outputs


def nothing(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    outputs = runtime.run(method, *inputs)
    return tuple(np.zeros_like(output) for output in outputs) if method == "encode" else outputs


def noise_for_depth(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    outputs = runtime.run(method, *inputs)
    if method == "encode":
        noise = np.random.default_rng(0).normal(size=outputs[2].shape).astype(np.float32)
        outputs = (*outputs[:2], noise)
    return outputs


def swapped_classes(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    outputs = runtime.run(method, *inputs)
    return (np.ascontiguousarray(outputs[0][:, ::-1]),) if method == "classify" else outputs


def compared(source: Source, fault: Fault) -> Comparison:
    return compare(source, Faulty(runtime=TorchRuntime(source.student), fault=fault))


def test_the_same_program_passes_without_any_error(source: Source) -> None:
    comparison = compare(source, TorchRuntime(source.student))

    assert comparison.broken(FP32) is None
    assert (comparison.parity.max_abs, comparison.worst_relative, comparison.probability_difference) == (0, 0, 0)
    assert comparison.parity.cosine == pytest.approx(1.0, abs=1e-6)
    assert comparison.parity.agreement == 1.0


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (swapped_colours, "cosine .* of an embedding is below 0.9999"),
        (pixels_from_0_to_1, "cosine .* of an embedding is below 0.9999"),
        (swapped_streams, "cosine .* of an embedding is below 0.9999"),
        (shifted_mask, "relative error .* is above 0.001"),
        (ignored_mask, "relative error .* is above 0.001"),
        (swapped_classes, "relative error .* is above 0.001"),
        (nothing, "cosine 0.00000 of an embedding is below 0.9999"),
        (noise_for_depth, "cosine .* of a depth map is below 0.95"),
        (nan_in_the_depth_map, "an output is not finite"),
        (nan_logits, "an output is not finite"),
    ],
)
def test_a_planted_fault_is_named(source: Source, fault: Fault, complaint: str) -> None:
    comparison = compared(source, fault)

    problem = comparison.broken(FP32)
    assert problem is not None
    assert re.match(complaint, problem)
    assert comparison.broken(INT8) is not None, "nor do the wider limits of int8 let it through"


def test_an_answer_on_the_windows_that_is_no_number_is_caught(source: Source) -> None:
    calls: list[str] = []

    def overflow(runtime: Runtime, method: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        outputs = runtime.run(method, *inputs)
        calls.append(method)
        # The last call of all: the second validation window's.
        last = method == "classify" and calls.count("classify") == MASK_WINDOWS + len(source.windows)
        return (np.full_like(outputs[0], np.nan),) if last else outputs

    problem = compared(source, overflow).broken(INT8)

    assert problem is not None
    assert "a probability differs by inf" in problem


@pytest.mark.parametrize("name", ["trunk.stem.conv1.weight", "depth_head.predict.weight", "fusion.head.weight"])
def test_one_changed_weight_is_caught(source: Source, name: str) -> None:
    student = copy.deepcopy(source.student)
    with torch.no_grad():
        student.get_parameter(name).view(-1)[0] += 1.0

    assert compare(source, TorchRuntime(student)).broken(FP32) is not None


def test_at_least_32_cases_are_compared_even_without_validation_windows(source: Source) -> None:
    bare = replace(source, windows=source.windows[:0], face_valid=source.face_valid[:0], is_fake=source.is_fake[:0])

    comparison = compare(bare, TorchRuntime(source.student))

    assert comparison.parity.cases >= 32
    assert (comparison.parity.agreement, comparison.accuracy) == (None, None)


def test_masks_hold_every_kind_that_a_device_can_meet(source: Source) -> None:
    recording = Recording(TorchRuntime(source.student), [])

    compare(source, recording)

    pairs = [(inputs[2][0], inputs[3][0]) for method, inputs in recording.calls if method == "classify"]
    assert any(not face.any() and not depth.any() for face, depth in pairs), "nothing valid"
    assert any(face.all() and depth.all() for face, depth in pairs), "everything valid"
    assert any(face.all() and not depth.any() for face, depth in pairs), "no depth"
    assert any(face.sum() == 1 for face, _ in pairs), "a single frame"
    assert any(0 < depth.sum() < face.sum() < len(face) for face, depth in pairs), "depth patchier than faces"
    assert any(not face[:10].any() and face[10:].all() for face, _ in pairs), "a video shorter than a window"


def test_a_probability_that_differs_is_named(source: Source) -> None:
    comparison = compare(source, TorchRuntime(source.student))

    differing = replace(comparison, probability_difference=0.06)

    assert differing.broken(INT8) == "a probability differs by 0.060, more than 0.05"


def test_agreement_below_the_limit_is_named(source: Source) -> None:
    comparison = compare(source, TorchRuntime(source.student))
    flipped = replace(comparison, parity=comparison.parity.model_copy(update={"agreement": 0.9}))

    assert flipped.broken(FP32) == "90.0% of the verdicts agree, fewer than 99%"
