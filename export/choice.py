"""`--precision auto`: of what passed its parity check, the fastest on this machine within the accuracy budget."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from core.manifest import size_of
from core.runtimes import Array, Runtime, as_float32
from export.build import Outcome, remove, runtime_of
from export.source import Source
from export.targets import AGREEMENT, MOST_AUC_LOST

CALLS = 200
"""Of each program, in turns, so that whatever else the machine does slows all of them alike."""

WARM_UP = 20


def keep_the_fastest(source: Source, outcomes: Sequence[Outcome], folder: Path) -> list[Outcome]:
    """One outcome without a problem for each backend; the others get one, and their files in `folder` go.

    By backend and not by target: a package for iOS 17 serves phones that one for iOS 18 does not. A backend whose
    programs are not timed here keeps the smallest.
    """
    outcomes = [replace(outcome, problem=outcome.problem or _over_budget(outcome)) for outcome in outcomes]
    passed = [outcome for outcome in outcomes if outcome.problem is None]
    runtimes = {o.variant.path: runtime_of(o.variant, folder / o.variant.path) for o in passed if o.variant.timed_here}
    speeds = encode_ms(as_float32(source.crops[:1].numpy()), runtimes)
    settled = []
    for outcome in outcomes:
        path = outcome.variant.path
        settled.append(
            replace(
                outcome, encode_ms=speeds.get(path), problem=outcome.problem or _beaten(outcome, passed, speeds, folder)
            )
        )
    for outcome in settled:
        if outcome.problem is not None:
            remove(folder / outcome.variant.path)
    return settled


def encode_ms(frame: Array, runtimes: Mapping[str, Runtime]) -> dict[str, float]:
    """Median time of one `encode` of `frame`, float32 [1, 3, S, S], on one thread, by name; calls are interleaved."""
    taken: dict[str, list[float]] = {name: [] for name in runtimes}
    for call in range(WARM_UP + CALLS):
        for name, runtime in runtimes.items():
            begun = time.perf_counter()
            runtime.run("encode", frame)
            if call >= WARM_UP:
                taken[name].append(1000 * (time.perf_counter() - begun))
    return {name: median(times) for name, times in taken.items()}


def _over_budget(outcome: Outcome) -> str | None:
    """In words, what accuracy the variant loses that it may not; None where it keeps enough, or nothing is known."""
    accuracy = outcome.accuracy
    if accuracy is None:
        return None
    if accuracy.agreement < AGREEMENT:
        return f"{accuracy.agreement:.1%} of the verdicts agree, fewer than {AGREEMENT:.0%}"
    if outcome.auc_lost is not None and outcome.auc_lost > MOST_AUC_LOST:
        return f"AUC on validation is {outcome.auc_lost:.3f} below that of float32, more than {MOST_AUC_LOST}"
    return None


def _beaten(outcome: Outcome, passed: Sequence[Outcome], speeds: Mapping[str, float], folder: Path) -> str | None:
    """In words, what the variant is slower (or, not timed, larger) than; None for the best of its backend."""
    rivals = [rival.variant.path for rival in passed if rival.variant.backend == outcome.variant.backend]
    path = outcome.variant.path
    if path in speeds:
        best = min((rival for rival in rivals if rival in speeds), key=lambda rival: speeds[rival])
        words = f"slower than {best}: {speeds[path]:.2f} ms an encode against {speeds[best]:.2f}, on one thread here"
    else:
        sizes = {rival: size_of(folder / rival) for rival in rivals}
        best = min(rivals, key=lambda rival: sizes[rival])
        words = f"larger than {best}: {sizes[path] / 1e6:.2f} MB against {sizes[best] / 1e6:.2f}; not timed here"
    return None if best == path else words
