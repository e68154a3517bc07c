"""Interleaved timing on a clock that only the measured calls move, and the row that comes of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from benchmarks.candidates import Candidate
from benchmarks.host import row_of
from benchmarks.measure import WARM_UP_CALLS, WARM_UP_S, PythonCalls, Timing, Turn, interleave
from benchmarks.row import Memory, Rounds

CANDIDATE = Candidate(
    artifact="student.pte",
    method="encode",
    sha256="0",
    runtime="executorch",
    runtime_version="1",
    delegate="xnnpack",
    precision="int8",
    timed=PythonCalls(lambda: None),
    cold_load_ms=5.0,
    first_call_ms=7.0,
    memory=lambda: Memory(before_load=100, after_load=150, peak=180, arena_bytes=20, weights_bytes=40),
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
            [PythonCalls(call, self.clock) for call in calls],
            least_calls=least_calls,
            least_seconds=least_seconds,
            on_progress=lambda done, total: None,
            turn_s=turn_s,
        )


def test_every_candidate_gets_its_least_calls_and_its_least_seconds() -> None:
    bench = Bench()

    # The slow one reaches its seconds first, the fast one its calls.
    slow, fast = bench.timed(bench.call("slow", 0.5), bench.call("fast", 0.125), least_calls=10, least_seconds=4.0)

    assert len(slow.calls_ms) >= 10
    assert slow.seconds >= 4.0
    assert len(fast.calls_ms) >= 10
    assert fast.seconds >= 4.0


def test_the_slow_and_the_fast_are_done_after_the_same_rounds() -> None:
    bench = Bench()

    # Neither waits for the other: a turn holds its share of the calls, or of the seconds.
    slow, fast = bench.timed(bench.call("slow", 2.0), bench.call("fast", 0.0625), least_calls=12, least_seconds=4.0)

    assert [len(turn) for turn in slow.turns] == [3] * 4
    assert [len(turn) for turn in fast.turns] == [16] * 4


def test_candidates_take_turns_until_all_are_done() -> None:
    bench = Bench()

    bench.timed(*(bench.call(name, 0.25) for name in "abc"), least_calls=1, least_seconds=3.0)

    assert bench.turns() == list("abc") * 3


def test_where_the_shares_sum_to_too_little_there_is_another_round() -> None:
    class Short:
        """Gives less than it is asked for."""

        def turn(self, least_calls: int, least_seconds: float) -> Turn:
            return Turn(calls_ms=[900.0 * least_seconds], warm_up=1)

    (timing,) = interleave(
        [Short()], least_calls=1, least_seconds=2.0, turn_s=1.0, on_progress=lambda done, total: None
    )

    assert timing.calls_ms == [900.0] * 3
    assert timing.warm_up == 3


def test_a_turn_ends_with_the_call_that_passes_its_time() -> None:
    bench = Bench()

    (timing,) = bench.timed(bench.call("a", 0.5), least_calls=1, least_seconds=1.25, turn_s=1.25)

    assert timing.turns == [[500.0] * 3]


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


def test_fast_calls_warm_up_until_the_threads_of_the_one_before_are_asleep() -> None:
    bench = Bench()

    (timing,) = bench.timed(bench.call("a", WARM_UP_S / 8), least_calls=1, least_seconds=WARM_UP_S)

    assert timing.warm_up == pytest.approx(8, abs=1)


def test_progress_counts_rounds_and_ends_whole() -> None:
    bench = Bench()
    seen: list[tuple[int, int]] = []

    interleave(
        [PythonCalls(bench.call("a", 1.0), bench.clock), PythonCalls(bench.call("b", 0.5), bench.clock)],
        least_calls=4,
        least_seconds=3.0,
        on_progress=lambda done, total: seen.append((done, total)),
        turn_s=1.0,
    )

    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def timing(calls: int, ms: float) -> Timing:
    return Timing(turns=[[ms] * calls], warm_up=2)


@pytest.mark.parametrize(
    ("calls", "ms", "valid"),
    [(1024, 10.0, True), (1023, 100.0, False), (2000, 4.0, False), (2500, 4.0, True)],
)
def test_a_row_is_valid_from_1024_calls_and_10_seconds_on(calls: int, ms: float, valid: bool) -> None:
    assert row_of(CANDIDATE, timing(calls, ms), anchor=timing(1, 1.0)).valid is valid


def test_a_row_is_noisy_when_p90_is_more_than_half_above_the_median() -> None:
    steady = Timing(turns=[[10.0] * 8, [15.0] * 3])
    busy = Timing(turns=[[10.0] * 8, [15.1] * 3])

    assert not row_of(CANDIDATE, steady, anchor=Timing(turns=[[1.0], [1.0]])).noisy
    assert row_of(CANDIDATE, busy, anchor=Timing(turns=[[1.0], [1.0]])).noisy


def test_a_row_holds_its_ratio_to_the_anchor_and_the_memory_that_loading_added() -> None:
    row = row_of(CANDIDATE, timing(4, 6.0), anchor=timing(2, 24.0))

    assert row.ratio_to_anchor == 0.25
    assert row.rounds == Rounds(row_ms=(6.0,), anchor_ms=(24.0,))
    assert row.peak_rss_bytes == 80
    assert (row.iterations, row.warm_up, row.seconds) == (4, 2, 0.024)


def test_a_row_without_measured_memory_says_so() -> None:
    silent = replace(CANDIDATE, memory=lambda: None, missing={"memory": "nobody asked"})

    row = row_of(silent, timing(4, 6.0), anchor=timing(2, 24.0))

    assert row.peak_rss_bytes is None
    assert row.missing == {"memory": "nobody asked"}


def test_a_row_that_grew_slower_shows_it() -> None:
    tired = Timing(turns=[[10.0] * 10, [11.0] * 80, [15.0] * 10])

    row = row_of(CANDIDATE, tired, anchor=Timing(turns=[[1.0]] * 3))

    assert row.sustained is not None
    assert (row.sustained.first_decile_ms, row.sustained.last_decile_ms, row.sustained.ratio) == (10.0, 15.0, 1.5)


def test_a_row_tells_its_cold_load_and_its_first_call() -> None:
    row = row_of(CANDIDATE, timing(4, 6.0), anchor=timing(2, 24.0))

    assert (row.cold_load_ms, row.first_call_ms) == (5.0, 7.0)
