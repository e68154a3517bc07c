"""Budgets and baselines: made-up rows held to made-up limits."""

import numpy as np
import pytest

from benchmarks.check import Check
from benchmarks.gate import baseline_checks, budget_checks
from benchmarks.judgement import against
from benchmarks.results import Results
from benchmarks.row import Latency, Rounds, Row
from benchmarks.slowdown import TOLERANCE
from benchmarks.targets import Budget, Ships, Target, Targets
from benchmarks.wording import shortfalls
from core.errors import InputError
from tests.benchmarks.conftest import ANCHOR_MS, ROUNDS, document, emulated, row, rows, timed


def targets(**budget: float) -> Targets:
    """This machine and one phone, both shipping the int8 program, with the same budget."""
    both = [
        Target(
            id=name,
            name=name,
            models=("Phone 1",),
            chip="a chip",
            year=2026,
            ships=Ships(target="executorch", precision="int8"),
            reason="made up",
            budget=Budget.model_validate(budget),
        )
        for name in ("host", "phone")
    ]
    return Targets(targets=tuple(both), published=())


def check(results: Results, target: str, **budget: float) -> Check:
    """The one check of that budget and target."""
    return next(one for one in budget_checks(results, targets(**budget)) if one.target == target)


def slowed(found: tuple[Row, ...], artifact: str, factor: float) -> tuple[Row, ...]:
    """The same rows, those of `artifact` slower, from a run of its own."""
    pace = np.exp(np.cumsum(np.random.default_rng(11).normal(0, 0.02, ROUNDS)))

    def again(one: Row) -> Row:
        assert one.rounds is not None
        assert one.ratio_to_anchor is not None
        own = factor if one.artifact == artifact else 1.0
        rounds = Rounds(
            row_ms=tuple(own * pace * np.array(one.rounds.row_ms)),
            anchor_ms=tuple(pace * np.array(one.rounds.anchor_ms)),
        )
        latency = Latency.of([own * ms for ms in one.times.quantiles or ()])
        fields = {"rounds": rounds, "ratio_to_anchor": own * one.ratio_to_anchor, "latency_ms": latency}
        return one.model_copy(update=fields)

    return tuple(again(one) for one in found)


# A frame of the int8 program: (1.6 + 0.12 / 10) ms over an anchor of 4 ms.
INT8_ENCODE = ("student_int8.pte", "encode")
FRAME_ANCHORS = (1.6 + 0.012) / ANCHOR_MS


@pytest.mark.parametrize(
    ("share", "outcome"), [(1.1, "holds"), (1.0, "open"), (0.9, "short")], ids=["above", "at", "below"]
)
def test_a_budget_of_time_falls_short_when_the_whole_interval_does(share: float, outcome: str) -> None:
    found = check(document(), "host", frame_anchors=share * FRAME_ANCHORS)

    assert found.outcome == outcome
    assert found.value == pytest.approx(FRAME_ANCHORS, rel=0.02)
    assert found.interval is not None
    assert found.interval[0] < FRAME_ANCHORS < found.interval[1]


def test_a_budget_has_to_bear_the_medians_and_the_rounds() -> None:
    busy = tuple(
        one.model_copy(update={"ratio_to_anchor": 0.6}) if (one.artifact, one.method) == INT8_ENCODE else one
        for one in rows()
    )

    assert check(document(rows=busy), "host", frame_anchors=0.5).outcome == "open"
    assert check(document(rows=busy), "host", frame_anchors=0.7).outcome == "holds"


def test_a_budget_in_milliseconds_is_held_against_the_medians_themselves() -> None:
    found = check(document(), "host", frame_ms=1.0)

    assert found.value == pytest.approx(1.6 + 0.12 / 10)
    assert found.interval is not None
    assert found.interval[0] < 1.6 + 0.12 / 10 < found.interval[1]
    assert found.outcome == "short"


@pytest.mark.parametrize(("quantity", "value"), [("peak_bytes", 34_000_000), ("cold_load_ms", 12.0)])
def test_figures_taken_once_hold_up_to_their_limit(quantity: str, value: float) -> None:
    assert check(document(), "host", **{quantity: value}).outcome == "holds"
    assert check(document(), "host", **{quantity: value - 1}).outcome == "short"


def test_the_size_is_held_for_a_phone_that_is_not_here_and_its_times_are_not() -> None:
    found = budget_checks(document(), targets(size_bytes=5_000_000, frame_ms=1.0))

    of_phone = {one.quantity: one for one in found if one.target == "phone"}
    assert of_phone["size_bytes"].outcome == "short"
    assert of_phone["frame_ms"].outcome == "elsewhere"
    assert not of_phone["frame_ms"].fails


def test_a_row_of_the_phone_is_held_to_its_budget() -> None:
    there = {"device": "android", "device_model": "Phone 1"}
    alone = there | {"rounds": None, "ratio_to_anchor": None}
    measured = [one.model_copy(update=alone) for one in rows() if one.artifact == "student_int8.pte"]

    found = check(document(extra=measured), "phone", frame_ms=2.0)

    assert found.outcome == "holds"


def test_emulated_rows_are_held_to_no_budget_of_time() -> None:
    there = {"device": "android", "device_model": "Phone 1"}
    measured = [emulated("student_int8.pte", method).model_copy(update=there) for method in ("encode", "classify")]

    found = check(document(extra=measured), "phone", frame_ms=9.0)

    assert (found.outcome, found.value) == ("undecided", None)


def test_a_streaming_sessions_memory_counts_before_that_of_single_calls() -> None:
    stream = timed("student_int8.pte", "stream", 1.7).model_copy(update={"peak_rss_bytes": 39_000_000})

    assert check(document(extra=[stream]), "host", peak_bytes=38_000_000).value == 39_000_000


def test_too_few_rounds_leave_a_budget_undecided() -> None:
    few = Rounds(row_ms=(1.0,) * 3, anchor_ms=(4.0,) * 3)
    short_run = tuple(one.model_copy(update={"rounds": few}) for one in rows())

    found = check(document(rows=short_run), "host", frame_anchors=9.0)

    assert found.outcome == "undecided"
    assert found.fails
    assert "measure longer" in (found.reason or "")


def test_a_slowdown_of_a_tenth_is_found_in_its_rows_alone() -> None:
    before, after = rows(), slowed(rows(), "student_int8.pte", 1.10)

    outcomes = {one.subject: one.outcome for one in baseline_checks(before, after)}

    assert outcomes.pop("student_int8.pte encode, executorch") == "short"
    assert outcomes.pop("student_int8.pte classify, executorch") == "short"
    assert set(outcomes.values()) == {"holds"}
    assert not any(name.startswith("anchor") for name in outcomes)


def test_a_baseline_whose_ratio_was_changed_by_hand_decides_nothing() -> None:
    before = tuple(one.model_copy(update={"ratio_to_anchor": 0.9 * (one.ratio_to_anchor or 0)}) for one in rows())

    found = baseline_checks(before, slowed(rows(), "", 1.0))

    assert {one.outcome for one in found} == {"undecided"}
    assert all("the earlier row: its medians give" in (one.reason or "") for one in found)


def test_noise_that_drives_medians_and_rounds_apart_is_no_slowdown() -> None:
    noisy = tuple(
        one.model_copy(update={"ratio_to_anchor": 0.8 * (one.ratio_to_anchor or 0), "noisy": True}) for one in rows()
    )

    found = baseline_checks(noisy, slowed(rows(), "", 1.0))

    assert {one.outcome for one in found} == {"open"}


def faster_anchor(found: tuple[Row, ...], factor: float) -> tuple[Row, ...]:
    """The same rows beside an anchor that takes `factor` of its time, as on a machine that is less busy."""

    def beside(one: Row) -> Row:
        assert one.rounds is not None
        assert one.ratio_to_anchor is not None
        anchor_ms = tuple(factor * ms for ms in one.rounds.anchor_ms)
        if one.artifact == "anchor":
            latency = Latency.of([factor * ms for ms in one.times.quantiles or ()])
            return one.model_copy(
                update={"rounds": Rounds(row_ms=anchor_ms, anchor_ms=anchor_ms), "latency_ms": latency}
            )
        rounds = Rounds(row_ms=one.rounds.row_ms, anchor_ms=anchor_ms)
        return one.model_copy(update={"rounds": rounds, "ratio_to_anchor": one.ratio_to_anchor / factor})

    return tuple(beside(one) for one in found)


def test_an_anchor_that_became_faster_makes_no_row_slower() -> None:
    found = baseline_checks(rows(), faster_anchor(rows(), 0.8))

    assert {one.outcome for one in found} == {"open"}
    assert all("slower than the anchor alone" in (one.reason or "") for one in found)


def test_runs_whose_anchors_are_worlds_apart_show_nothing() -> None:
    found = baseline_checks(rows(), faster_anchor(rows(), 0.5))

    assert {one.outcome for one in found} == {"open"}
    assert all("the anchor took 4 ms, then 2 ms: a busy machine" in (one.reason or "") for one in found)


def test_a_machine_that_is_slower_for_all_alike_is_no_slowdown() -> None:
    slow = tuple(
        one.model_copy(
            update={
                "latency_ms": Latency.of([1.3 * ms for ms in one.times.quantiles or ()]),
                "rounds": None
                if one.rounds is None
                else Rounds(
                    row_ms=tuple(1.3 * ms for ms in one.rounds.row_ms),
                    anchor_ms=tuple(1.3 * ms for ms in one.rounds.anchor_ms),
                ),
            }
        )
        for one in rows()
    )

    assert not any(one.fails for one in baseline_checks(rows(), slow))


def test_rows_of_other_artefacts_are_no_baseline() -> None:
    with pytest.raises(InputError, match="none of its rows was measured here again"):
        baseline_checks([row("other.pte", "encode", 1.0)], rows())


def test_every_shortfall_is_a_line_of_its_own() -> None:
    results = document(rows=slowed(rows(), "student_int8.pte", 1.10))
    results = against(results, rows(), named="old.json", stored=True)

    lines = shortfalls(results)

    named = [line.split(":")[1].strip() for line in lines]
    assert named == [f"student_int8.pte {method}, executorch" for method in ("encode", "classify")]
    assert all(f"at most {1 + TOLERANCE:.3f} for the baseline (old.json): short" in line for line in lines)
