"""Time by stage, a stage within a stage taken off the outer one."""

import itertools
import time

import pytest

from core.stopwatch import Stopwatch


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """A watch on a clock that moves on by one second each time it is read."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    return Stopwatch()


def test_an_inner_stage_is_not_counted_twice(watch: Stopwatch) -> None:
    with watch.stage("outer"):
        with watch.stage("inner"):
            pass
        with watch.stage("inner"):
            pass
    # The clock was read at 0, 1, 2, 3, 4 and 5.
    assert watch.seconds == {"inner": 2.0, "outer": 3.0}


def test_items_are_timed_as_they_come_and_not_as_they_are_used(watch: Stopwatch) -> None:
    for _ in watch.each("items", [10, 20]):
        time.perf_counter()
    # Two items and the end, a second each.
    assert watch.seconds == {"items": 3.0}


def test_a_stage_that_fails_is_counted(watch: Stopwatch) -> None:
    with pytest.raises(ValueError, match="no"), watch.stage("failing"):
        raise ValueError("no")
    assert watch.seconds == {"failing": 1.0}
