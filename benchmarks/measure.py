"""Interleaved timing: every candidate takes its turn in every round, so that a slow minute slows them all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

TURN_S = 0.25
WARM_UP_CALLS = 2
"""At the start of each turn, not counted: the candidate before has used the caches."""


@dataclass(kw_only=True)
class Timing:
    """One candidate's calls."""

    call: Callable[[], object]
    calls_ms: list[float] = field(default_factory=list)
    warm_up: int = 0
    turn_ends: list[int] = field(default_factory=list)
    """Calls that had been made by the end of each turn."""

    @property
    def turns(self) -> list[list[float]]:
        """`calls_ms` turn by turn."""
        return [self.calls_ms[start:end] for start, end in pairwise((0, *self.turn_ends))]

    @property
    def seconds(self) -> float:
        """Time spent in counted calls."""
        return sum(self.calls_ms) / 1000.0


def interleave(
    calls: Sequence[Callable[[], object]],
    *,
    least_calls: int,
    least_seconds: float,
    on_progress: Callable[[int, int], None],
    turn_s: float = TURN_S,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Time `calls` in turns of about `turn_s` until each has `least_calls` calls and `least_seconds` of them.

    `on_progress(done, total)` is in hundredths of the way of the candidate that is furthest behind. `clock` is in
    seconds.
    """
    timings = [Timing(call=call) for call in calls]
    while True:
        open_ones = [t for t in timings if len(t.calls_ms) < least_calls or t.seconds < least_seconds]
        done = min(min(t.seconds / least_seconds, len(t.calls_ms) / least_calls, 1.0) for t in timings)
        on_progress(round(done * 100), 100)
        if not open_ones:
            return timings
        for timing in timings:
            _take_turn(timing, turn_s, clock)


def _take_turn(timing: Timing, turn_s: float, clock: Callable[[], float]) -> None:
    for _ in range(WARM_UP_CALLS):
        timing.call()
    timing.warm_up += WARM_UP_CALLS
    end = clock() + turn_s
    while True:
        started = clock()
        timing.call()
        stopped = clock()
        timing.calls_ms.append((stopped - started) * 1000.0)
        if stopped >= end:
            timing.turn_ends.append(len(timing.calls_ms))
            return
