"""Interleaved timing on a clock that only the measured calls move, and the row that comes of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from benchmarks.host import Candidate, row_of
from benchmarks.measure import WARM_UP_CALLS, Timing, interleave
from benchmarks.row import Memory, Rounds

CANDIDATE = Candidate(
    artifact="student.pte",
    method="encode",
    sha256="0",
    runtime="executorch",
    runtime_version="1",
    delegate="xnnpack",
    precision="int8",
    call=lambda: None,
    cold_load_ms=5.0,
    memory=Memory(before_load=100, after_load=150, peak=180, arena_bytes=20, weights_bytes=40),
)


@dataclass
class Bench:
    """A clock, and calls that take known times on it."""

    now_s: float = 0.0
    order: list[str] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def call(self, name: str, *durations_s: float) -> Callable[[], object]:
        """Takes the given times in turn, the last one from then on."""
        left = list(durations_s)

        def take() -> None:
            self.now_s += left.pop(0) if len(left) > 1 else left[0]
            self.order.append(name)

        return take

    def turns(self) -> list[str]:
        """Names in the order of their turns."""
        return [name for place, name in enumerate(self.order) if place == 0 or self.order[place - 1] != name]

    def timed(
        self, *calls: Callable[[], object], least_calls: int, least_seconds: float, turn_s: float = 1.0
    ) -> list[Timing]:
        return interleave(
            calls,
            least_calls=least_calls,
            least_seconds=least_seconds,
            on_progress=lambda done, total: None,
            turn_s=turn_s,
            clock=self.clock,
        )


def test_every_candidate_gets_its_least_calls_and_its_least_seconds() -> None:
    bench = Bench()

    # The slow one reaches its seconds first, the fast one its calls.
    slow, fast = bench.timed(bench.call("slow", 0.5), bench.call("fast", 0.125), least_calls=10, least_seconds=4.0)

    assert len(slow.calls_ms) >= 10
    assert slow.seconds >= 4.0
    assert len(fast.calls_ms) >= 10
    assert fast.seconds >= 4.0


def test_candidates_take_turns_until_the_last_is_done() -> None:
    bench = Bench()

    bench.timed(*(bench.call(name, 0.25) for name in "abc"), least_calls=1, least_seconds=3.0)

    assert bench.turns() == list("abc") * 3


def test_a_turn_ends_with_the_call_that_passes_its_time() -> None:
    bench = Bench()

    (timing,) = bench.timed(bench.call("a", 0.5), least_calls=1, least_seconds=0.5, turn_s=1.25)

    assert timing.calls_ms == [500.0] * 3


def test_calls_are_told_apart_by_their_turns() -> None:
    bench = Bench()

    (timing,) = bench.timed(bench.call("a", 0.5), least_calls=1, least_seconds=3.0, turn_s=1.25)

    assert timing.turns == [[500.0] * 3] * 2
    assert Timing(call=lambda: None).turns == []


def test_a_call_longer_than_its_turn_is_counted_all_the_same() -> None:
    bench = Bench()

    (timing,) = bench.timed(bench.call("a", 8.0), least_calls=2, least_seconds=1.0)

    assert timing.calls_ms == [8000.0] * 2


def test_calls_at_the_start_of_a_turn_warm_up_and_are_not_counted() -> None:
    bench = Bench()
    cold = [4.0] * WARM_UP_CALLS

    (timing,) = bench.timed(bench.call("a", *cold, 0.5), least_calls=1, least_seconds=1.0)

    assert timing.calls_ms == [500.0] * 2
    assert timing.warm_up == WARM_UP_CALLS


def test_progress_is_that_of_the_candidate_furthest_behind_and_ends_whole() -> None:
    bench = Bench()
    seen: list[tuple[int, int]] = []

    interleave(
        [bench.call("a", 1.0), bench.call("b", 0.5)],
        least_calls=4,
        least_seconds=1.0,
        on_progress=lambda done, total: seen.append((done, total)),
        turn_s=1.0,
        clock=bench.clock,
    )

    # One call of the slower one a round: a quarter of its calls each.
    assert seen == [(0, 100), (25, 100), (50, 100), (75, 100), (100, 100)]


def timing(calls: int, ms: float) -> Timing:
    return Timing(call=lambda: None, calls_ms=[ms] * calls, warm_up=2, turn_ends=[calls])


@pytest.mark.parametrize(
    ("calls", "ms", "valid"),
    [(1024, 10.0, True), (1023, 100.0, False), (2000, 4.0, False), (2500, 4.0, True)],
)
def test_a_row_is_valid_from_1024_calls_and_10_seconds_on(calls: int, ms: float, valid: bool) -> None:
    assert row_of(CANDIDATE, timing(calls, ms), anchor=timing(1, 1.0)).valid is valid


def test_a_row_is_noisy_when_p90_is_more_than_half_above_the_median() -> None:
    steady = Timing(call=lambda: None, calls_ms=[10.0] * 8 + [15.0] * 3)
    busy = Timing(call=lambda: None, calls_ms=[10.0] * 8 + [15.1] * 3)

    assert not row_of(CANDIDATE, steady, anchor=Timing(call=lambda: None, calls_ms=[1.0])).noisy
    assert row_of(CANDIDATE, busy, anchor=Timing(call=lambda: None, calls_ms=[1.0])).noisy


def test_a_row_holds_its_ratio_to_the_anchor_and_the_memory_that_loading_added() -> None:
    row = row_of(CANDIDATE, timing(4, 6.0), anchor=timing(2, 24.0))

    assert row.ratio_to_anchor == 0.25
    assert row.rounds == Rounds(row_ms=(6.0,), anchor_ms=(24.0,))
    assert row.peak_rss_bytes == 80
    assert (row.iterations, row.warm_up, row.seconds) == (4, 2, 0.024)


def test_a_row_without_measured_memory_says_so() -> None:
    assert row_of(replace(CANDIDATE, memory=None), timing(4, 6.0), anchor=timing(2, 24.0)).peak_rss_bytes is None
