"""Schedules: balanced by class, even by person, full, and the same for a step whenever it is asked for."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clips import ClipWindow, windows_of
from distill.sampling import Schedule
from tests.distill.conftest import record


def windows(*clips: tuple[str, str, bool]) -> list[ClipWindow]:
    """Of (name, identity, is fake)."""
    records = [
        record(name, is_fake=is_fake).model_copy(update={"identity": identity}) for name, identity, is_fake in clips
    ]
    return windows_of(records, min_coverage=0.0)


def schedule(
    clips: Sequence[ClipWindow], *, count: int, covered: Sequence[bool] | None = None, variants: int = 4
) -> Schedule:
    return Schedule(clips, covered=covered or [True] * len(clips), count=count, variants=variants, seed=3)


# Person a has four real videos, b and c one each; each of them has one fake.
UNEVEN = windows(
    *((f"a{place}", "a", False) for place in range(4)),
    ("b0", "b", False),
    ("c0", "c", False),
    *((f"{person}f", person, True) for person in "abc"),
)


def test_half_of_every_step_is_fake() -> None:
    found = schedule(UNEVEN, count=6)

    for step in range(20):
        labels = [UNEVEN[place].is_fake for place in found.at(step).windows]
        assert labels == [False] * 3 + [True] * 3


def test_people_are_seen_equally_often_however_many_videos_they_have() -> None:
    found = schedule(UNEVEN, count=2)

    reals = Counter(UNEVEN[found.at(step).windows[0]].record.identity for step in range(30))

    assert reals == {"a": 10, "b": 10, "c": 10}


def test_a_step_shows_nobody_twice_where_there_are_people_enough() -> None:
    found = schedule(UNEVEN, count=6)

    for step in range(20):
        people = [UNEVEN[place].record.identity for place in found.at(step).windows[:3]]
        assert sorted(people) == ["a", "b", "c"]


def test_a_clip_goes_through_its_variants_in_turn() -> None:
    found = schedule(UNEVEN, count=2, variants=3)
    taken: dict[int, list[int]] = {}
    for step in range(72):
        draw = found.at(step)
        for window, k in zip(draw.windows, draw.variants, strict=True):
            taken.setdefault(window, []).append(k)

    for variants in taken.values():
        assert variants == [turn % 3 for turn in range(len(variants))]


def test_a_persons_videos_come_in_turn() -> None:
    found = schedule(UNEVEN, count=2)
    of_a = [w for step in range(24) if UNEVEN[w := found.at(step).windows[0]].record.identity == "a"]

    assert [sorted(of_a[first : first + 4]) for first in (0, 4)] == [[0, 1, 2, 3]] * 2


@given(step=st.integers(0, 10_000))
def test_a_step_is_the_same_whatever_was_asked_before(step: int) -> None:
    asked = schedule(UNEVEN, count=6)
    for before in range(5):
        asked.at(before)

    assert asked.at(step) == schedule(UNEVEN, count=6).at(step)


def test_a_clip_below_coverage_is_replaced_by_another_of_its_class_and_counted() -> None:
    covered = [name.record.key not in ("b0", "af") for name in UNEVEN]
    found = schedule(UNEVEN, count=6, covered=covered)

    replaced = 0
    for step in range(20):
        draw = found.at(step)
        replaced += draw.replaced
        assert len(draw.windows) == 6
        assert [UNEVEN[place].is_fake for place in draw.windows] == [False] * 3 + [True] * 3
        assert all(covered[place] for place in draw.windows)
    # Once in each step b's turn comes, and once that of a's only fake.
    assert replaced == 40


def test_an_epoch_is_as_long_as_the_larger_class() -> None:
    assert schedule(UNEVEN, count=2).epoch_steps == 6
    assert schedule(UNEVEN, count=6).epoch_steps == 2


def test_a_class_that_shows_no_face_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="both classes need a clip"):
        schedule(UNEVEN, count=2, covered=[not clip.is_fake for clip in UNEVEN])
