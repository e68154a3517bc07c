"""results.json: figures by hand, the rules of a valid row, and refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.results import RESULTS, Results, read_results
from benchmarks.row import QUANTILES, Agreement, Latency, Memory, Rounds, Row, Sustained
from core.errors import InputError
from core.runs import write_json
from tests.benchmarks.conftest import MACHINE, row

PROJECT = Path(__file__).parents[2]


@given(st.lists(st.floats(0.001, 1e4), min_size=1, max_size=200))
def test_latency_percentiles_are_those_of_numpy(calls_ms: list[float]) -> None:
    latency = Latency.of(calls_ms)

    wanted = np.percentile(calls_ms, (50, 90, 99), method="linear")
    assert [latency.p50, latency.p90, latency.p99] == pytest.approx(wanted.tolist())
    assert latency.min == min(calls_ms)
    assert latency.mean == pytest.approx(sum(calls_ms) / len(calls_ms))


def test_latency_by_hand() -> None:
    # 1 to 101 ms: the percentile p stands at place p, counted from 0.
    latency = Latency.of([float(ms) for ms in range(101, 0, -1)])

    wanted = tuple(1.0 + place for place in QUANTILES)
    assert latency == Latency(p50=51.0, p90=91.0, p99=100.0, min=1.0, mean=51.0, quantiles=wanted)


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    results = Results(
        name="demo", created="2026-01-01T00:00:00+00:00", machine=MACHINE, rows=(row("a", "encode", 2.0),)
    )

    write_json(tmp_path / RESULTS, results)

    assert read_results(tmp_path / RESULTS) == results


def test_a_row_is_found_by_artefact_and_method() -> None:
    first, second = row("a", "encode", 1.0), row("a", "classify", 2.0)
    results = Results(name="demo", created="now", machine=MACHINE, rows=(first, second))

    assert results.row("a", "classify") is second
    assert results.row("b", "encode") is None


def test_a_run_on_a_phone_alone_speaks_of_the_phone() -> None:
    there = row("a", "encode", 1.0).model_copy(update={"device": "android"})
    results = Results(name="demo", created="now", machine=MACHINE, rows=(there,))

    assert results.row("a", "encode") is there
    assert results.model_copy(update={"rows": (there, row("b", "encode", 1.0))}).row("a", "encode") is None


def test_missing_results_name_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"results\.json: no results here; type `python -m benchmarks` first"):
        read_results(tmp_path / RESULTS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not json", r"results\.json: .*Invalid JSON.*; type `python -m benchmarks` again"),
        ("{}", r"results\.json: name: Field required; type `python -m benchmarks` again"),
        ('{"schema_version": 2}', r"results\.json: schema_version: Input should be 1; type"),
    ],
)
def test_damaged_results_are_refused_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / RESULTS).write_text(text)

    with pytest.raises(InputError, match=complaint) as refused:
        read_results(tmp_path / RESULTS)

    assert "\n" not in str(refused.value)


def test_slowing_down_is_the_last_tenth_over_the_first() -> None:
    calls = [1.0, 3.0, *[100.0] * 16, 4.0, 6.0]

    assert Sustained.of(calls) == Sustained(first_decile_ms=2.0, last_decile_ms=5.0, ratio=2.5)
    assert Sustained.of(calls[:9]) is None


def test_rounds_keep_both_sides_of_a_round_together() -> None:
    rounds = Rounds.of([[1.0, 2.0, 9.0], [4.0]], [[3.0], [5.0, 7.0]])

    assert rounds == Rounds(row_ms=(2.0, 4.0), anchor_ms=(3.0, 6.0))


def test_many_rounds_are_kept_as_few_blocks_in_order() -> None:
    calls = [[float(place)] for place in range(640)]

    rounds = Rounds.of(calls, calls)

    assert rounds.row_ms == rounds.anchor_ms == tuple(4.5 + 10 * block for block in range(64))


def test_rounds_of_unequal_sides_are_refused() -> None:
    with pytest.raises(ValidationError, match="2 blocks of the row and 1 of the anchor"):
        Rounds(row_ms=(1.0, 2.0), anchor_ms=(1.0,))


def test_a_part_of_memory_that_is_missing_needs_its_reason() -> None:
    with pytest.raises(ValidationError, match="weights_bytes: null without a reason"):
        Memory(before_load=1, after_load=2, peak=3, arena_bytes=4)

    assert Memory(before_load=1, after_load=2, peak=3, arena_bytes=4, missing={"weights_bytes": "packed"}).added == 2


def emulated(**changes: object) -> Row:
    agreement = Agreement(vectors=8, cosine=1.0, holds=True, rule="cosine at least 0.9999")
    fields = {"kind": "emulated", "latency_ms": None, "ratio_to_anchor": None, "valid": False, "agreement": agreement}
    return Row.model_validate(row("a", "encode", 2.0).model_dump() | fields | changes)


def test_an_emulated_row_has_agreement_and_no_times() -> None:
    assert emulated().doubts == ("emulated",)

    with pytest.raises(ValidationError, match="an emulated one has none"):
        emulated(latency_ms=Latency.of([1.0]))
    with pytest.raises(ValidationError, match="a measured row has times"):
        emulated(kind="measured")


def test_the_schema_in_the_documents_is_that_of_the_results() -> None:
    schema = json.loads((PROJECT / "docs" / "results.schema.json").read_text())

    assert schema == Results.model_json_schema(), "write it again: see the first lines of benchmarks/results.py"
