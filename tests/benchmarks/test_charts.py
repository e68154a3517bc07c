"""Geometry of the charts, in per cent of their width, by hand."""

import pytest

from benchmarks.axes import Scale
from benchmarks.charts import accuracy_chart, latency_chart, memory_chart, stage_chart
from tests.benchmarks.conftest import document, row, stage, subject, timed


def test_a_logarithmic_axis_begins_and_ends_at_round_numbers() -> None:
    scale = Scale([0.3, 40.0])

    assert [tick.label for tick in scale.ticks] == ["1", "10"]
    assert scale.at(0.2) == 0
    assert scale.at(50.0) == 100
    assert scale.at(10**0.5) == pytest.approx(50.0)


def test_an_axis_of_one_value_still_has_a_width() -> None:
    scale = Scale([2.0])

    assert 0 <= scale.at(2.0) <= 100
    assert len(scale.ticks) >= 2


def test_stages_lie_end_to_end_on_one_axis() -> None:
    pipelines = {
        "reference": ("all", {"face": stage(30.0), "depth": stage(70.0)}),
        "student": ("one", {"face": stage(5.0)}),
    }

    long, short = stage_chart("", pipelines, stage_names=["face", "depth"]).bars

    assert [(part.at, part.width, part.colour) for part in long.parts] == [(0, 30, 0), (30, 70, 1)]
    assert [(part.at, part.width, part.colour) for part in short.parts] == [(0, 5, 0)]
    assert (long.figure, short.figure) == ("100 ms", "5.00 ms")


def test_a_linear_axis_counts_in_even_steps_from_nothing() -> None:
    chart = stage_chart("", {"reference": ("all", {"face": stage(100.0)})}, stage_names=["face"])

    assert [(tick.at, tick.label) for tick in chart.ticks] == [
        (0, "0"),
        (20, "20"),
        (40, "40"),
        (60, "60"),
        (80, "80"),
        (100, "100"),
    ]


def test_memory_is_split_into_what_loading_and_what_running_added() -> None:
    # 80 MB before, 96 loaded, 114 at the peak.
    chart = memory_chart(document(rows=(timed("a.pte", "encode", 1.0),)))

    assert chart is not None
    (bar,) = chart.bars
    assert [(part.label, part.figure) for part in bar.parts] == [("by loading", "16.0 MB"), ("by running", "18.0 MB")]
    assert sum(part.width for part in bar.parts) == pytest.approx(100)


def test_without_measured_memory_there_is_no_chart_of_it() -> None:
    assert memory_chart(document(rows=(row("a.pte", "encode", 1.0),))) is None


def test_a_strip_keeps_the_order_of_its_percentiles() -> None:
    chart = latency_chart(document())

    assert chart is not None
    for strip in chart.strips:
        places = [strip.low, strip.quarter, strip.half, strip.three_quarters, strip.p90, strip.p99]
        assert places == sorted(places)
        assert 0 <= places[0] <= places[-1] <= 100


def test_rows_that_do_not_count_are_pale_and_rows_without_times_are_not_drawn() -> None:
    invalid = row("other.pte", "encode", 1.0, valid=False)

    chart = latency_chart(document(extra=[invalid]))

    assert chart is not None
    assert [strip.label for strip in chart.strips if strip.doubtful] == ["other.pte encode"]


def test_every_artefact_with_accuracy_and_time_is_a_dot_and_the_teacher_too() -> None:
    chart = accuracy_chart(subject(), document())

    assert chart is not None
    assert [(dot.label, dot.role) for dot in chart.dots] == [
        ("student, executorch fp32", "student"),
        ("student, executorch int8 *", "student"),
        ("teacher, torch float32", "teacher"),
    ]
    # AUC 0.951 on an axis from 0.9 to 1, counted from above.
    assert chart.dots[0].y == pytest.approx(49.0)
    assert accuracy_chart(subject(trained=False), document()) is None
