"""One variant: build it, load what was written, compare it; one of int8 again, with more in float32, until it holds.

Variants are built side by side in worker processes.
"""

import contextlib
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import nn

from core.errors import InputError
from core.manifest import Accuracy, Delegation, Parity
from core.models import METHODS, Classify, Encode
from core.runtimes import Runtime
from core.runtimes.coreml import CoreMLReference
from export import coreml, executorch, onnx
from export.parity import compare
from export.schemes import Scheme, Trial, int8_encode
from export.source import Origin, Source
from export.targets import Variant

CORE_ML_IS_HERE = sys.platform == "darwin"

SLOW_WINDOWS = 8
"""Validation windows that a reference interpreter is asked: each is 20 frames, at many times a phone's pace."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a variant. With a `problem` nothing of it was kept."""

    variant: Variant
    problem: str | None
    by_reference: bool = False
    """Whether an interpreter of ours executed it, and not the runtime that it is for."""
    parity: Parity | None = None
    accuracy: Accuracy | None = None
    auc_lost: float | None = None
    """See `export.parity.Comparison`."""
    delegation: Delegation | None = None
    scheme: Scheme = Scheme()
    """What of an int8 `encode` is int8."""
    rounds_too_much: bool = False
    """Whether the problem may be mended by more of an int8 `encode` in float32."""
    encode_ms: float | None = None
    """Median on one thread of this machine, where it was measured."""


def build_all(
    origin: Origin, variants: Sequence[Variant], folder: Path, *, on_done: Callable[[Outcome, int], None]
) -> list[Outcome]:
    """Build `variants` into `folder`, two at a time; `on_done(outcome, how many are done)` after each."""
    workers = min(len(variants), os.cpu_count() or 1, 2)
    outcomes = []
    # Spawned: exporters and runtimes keep global state, and a crash of one must not end the others unsaid.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        futures = {pool.submit(_built, origin, variant, folder): variant for variant in variants}
        for future in as_completed(futures):
            outcomes.append(_outcome(future, futures[future]))
            on_done(outcomes[-1], len(outcomes))
    # In the order they were asked for, not in that in which they were ready: so the manifest repeats.
    return sorted(outcomes, key=lambda outcome: variants.index(outcome.variant))


def _outcome(future: "Future[Outcome]", variant: Variant) -> Outcome:
    """What a worker found. One that breaks off, or is ended by the system, ends its own variant alone."""
    try:
        return future.result()
    except InputError:
        raise
    except Exception as error:
        first_line = next(iter(str(error).splitlines()), "")
        return Outcome(variant=variant, problem=f"could not be built: {type(error).__name__}: {first_line}")


def _one_thread() -> None:
    torch.set_num_threads(1)


def _built(origin: Origin, variant: Variant, folder: Path) -> Outcome:
    with _quiet():
        return built(origin.read(), variant, folder)


def built(source: Source, variant: Variant, folder: Path) -> Outcome:
    """Write the artefact into `folder` and compare it; one of int8 with more in float32 until it holds."""
    path = folder / variant.path
    refused: tuple[Trial, ...] = ()
    while True:
        outcome = _checked(source, variant, path, *write(source, variant, path, refused))
        if outcome.problem is None:
            return outcome
        remove(path)
        parity, scheme = outcome.parity, outcome.scheme
        if parity is None or not outcome.rounds_too_much:
            return outcome
        # A runtime rounds a little otherwise than torch does: what was written decides.
        rough = Trial(float_parts=scheme.float_parts, cosine=parity.cosine, reason=outcome.problem)
        refused = (*scheme.rejected, rough)


def remove(path: Path) -> None:
    """A file, a folder, or nothing."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def write(
    source: Source, variant: Variant, path: Path, refused: Sequence[Trial] = ()
) -> tuple[Delegation | None, Scheme]:
    """Write the artefact, unchecked; what a delegate took of it, and what of `encode` is int8.

    `refused` are the schemes that were tried before, as in `int8_encode`.
    """
    encode: nn.Module = Encode(source.student).eval()
    scheme = Scheme()
    if variant.rounds_activations:
        encode, scheme = int8_encode(encode, source, refused)
    modules = {"encode": encode, "classify": Classify(source.student).eval()}
    if variant.target == "executorch":
        return executorch.build(modules, source, variant, path), scheme
    if variant.target == "coreml":
        coreml.build(modules, source, variant, path)
    else:
        onnx.build(modules, source, path)
    return None, scheme


def _checked(source: Source, variant: Variant, path: Path, delegation: Delegation | None, scheme: Scheme) -> Outcome:
    runtimes = runtimes_of(variant, path)
    if not runtimes:
        return Outcome(variant=variant, problem=None, delegation=delegation, scheme=scheme)
    shown = source if variant.timed_here else source.with_fewer_windows(SLOW_WINDOWS)
    comparisons = [compare(shown, runtime) for runtime in runtimes]
    # The one that counts: what fails on one kind of compute unit fails.
    comparison = min(comparisons, key=lambda found: (found.broken(variant) is None, found.parity.cosine))
    return Outcome(
        variant=variant,
        problem=comparison.broken(variant) or undelegated(variant, delegation) or _only_in_name(scheme),
        parity=comparison.parity,
        accuracy=comparison.accuracy,
        auc_lost=comparison.auc_lost,
        delegation=delegation,
        scheme=scheme,
        rounds_too_much=(
            variant.rounds_activations and comparison.broken_by_rounding(variant) and not scheme.is_all_float
        ),
        by_reference=any(isinstance(runtime, CoreMLReference) for runtime in runtimes),
    )


def _only_in_name(scheme: Scheme) -> str | None:
    """In words, that an int8 program has nothing in int8."""
    return "every part of encode has to stay float32" if scheme.is_all_float else None


def undelegated(variant: Variant, delegation: Delegation | None) -> str | None:
    """The first method that leaves too many operators outside the delegate, in words; None where none does."""
    if delegation is None or variant.undelegated is None:
        return None
    for method in METHODS:
        left = [op for op in delegation.undelegated_ops if op.method == method]
        if sum(op.count for op in left) > variant.undelegated:
            names = ", ".join(op.op for op in left)
            return f"{method} leaves more than {variant.undelegated} operators outside the delegate: {names}"
    return None


def runtimes_of(variant: Variant, path: Path) -> list[Runtime]:
    """Everything that executes the artefact here: nothing, one runtime, or one a kind of compute unit."""
    if variant.built_only:
        return []
    if variant.target == "coreml" and CORE_ML_IS_HERE:
        from core.runtimes.coreml_native import COMPUTE_UNITS, CoreMLRuntime

        return [CoreMLRuntime(path, METHODS, unit) for unit in COMPUTE_UNITS]
    return [runtime_of(variant, path)]


def runtime_of(variant: Variant, path: Path) -> Runtime:
    """What executes the artefact on any machine."""
    if variant.target == "executorch":
        from core.runtimes.executorch import ExecuTorchRuntime

        return ExecuTorchRuntime(path, METHODS, threads=1)
    if variant.target == "onnx":
        from core.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(path, METHODS, threads=1)
    return CoreMLReference(path, METHODS)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters talk about themselves on every channel; what matters comes back as an outcome or an exception."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(nowhere):
            yield
