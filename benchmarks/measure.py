"""Interleaved timing: every candidate takes its turn in every round, so that a slow minute slows them all."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

TURN_S = 0.25
"""A candidate's time in a round, at least; slower ones take as long as their share of calls does."""

WARM_UP_S = 0.04
WARM_UP_CALLS = 2
"""Both at least, at the start of each turn, and not counted: the candidate before has used the caches, and its threads
go on spinning for up to 30 ms before they sleep."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one candidate did in one round."""

    calls_ms: list[float]
    warm_up: int


class Timed(Protocol):
    """Something that can be called again and again, here or in a process of its own."""

    def turn(self, least_calls: int, least_seconds: float) -> Turn:
        """Warm up, then time at least so many calls that take at least so long together."""
        ...


@dataclass(frozen=True)
class PythonCalls:
    """A function of this process."""

    call: Callable[[], object]
    clock: Callable[[], float] = time.perf_counter
    """In seconds."""

    def turn(self, least_calls: int, least_seconds: float) -> Turn:
        """See `Timed`."""
        warm_up, end = 0, self.clock() + WARM_UP_S
        while warm_up < WARM_UP_CALLS or self.clock() < end:
            self.call()
            warm_up += 1
        calls_ms: list[float] = []
        spent_s = 0.0
        while len(calls_ms) < least_calls or spent_s < least_seconds:
            started = self.clock()
            self.call()
            took_s = self.clock() - started
            spent_s += took_s
            calls_ms.append(took_s * 1000.0)
        return Turn(calls_ms=calls_ms, warm_up=warm_up)


@dataclass(kw_only=True)
class Timing:
    """One candidate's calls, turn by turn."""

    turns: list[list[float]] = field(default_factory=list)
    """Milliseconds of each call."""
    warm_up: int = 0

    @property
    def calls_ms(self) -> list[float]:
        """Of all turns, in order."""
        return [ms for turn in self.turns for ms in turn]

    @property
    def seconds(self) -> float:
        """Time spent in counted calls."""
        return math.fsum(self.calls_ms) / 1000.0


def interleave(
    candidates: Sequence[Timed],
    *,
    least_calls: int,
    least_seconds: float,
    on_progress: Callable[[int, int], None],
    turn_s: float = TURN_S,
) -> list[Timing]:
    """Time `candidates` in rounds of turns until each has `least_calls` calls and `least_seconds` of them.

    All have done so after the same number of rounds, about `least_seconds` / `turn_s`: a turn holds that share of the
    seconds and of the calls. `on_progress(done, total)` counts rounds.
    """
    rounds = max(1, math.ceil(least_seconds / turn_s))
    timings = [Timing() for _ in candidates]
    done = 0
    # The last bit of a sum of shares may be missing: then there is another round.
    while done < rounds or any(_short(timing, least_calls, least_seconds) for timing in timings):
        on_progress(done, max(rounds, done + 1))
        for candidate, timing in zip(candidates, timings, strict=True):
            turn = candidate.turn(math.ceil(least_calls / rounds), least_seconds / rounds)
            timing.turns.append(turn.calls_ms)
            timing.warm_up += turn.warm_up
        done += 1
    on_progress(done, done)
    return timings


def _short(timing: Timing, least_calls: int, least_seconds: float) -> bool:
    return sum(map(len, timing.turns)) < least_calls or timing.seconds < least_seconds
