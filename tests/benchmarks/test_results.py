"""results.json: figures by hand, the rules of a valid row, and refusals."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.results import RESULTS, Latency, Results, read_results
from core.errors import InputError
from core.runs import write_json
from tests.benchmarks.conftest import MACHINE, row


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

    assert latency == Latency(p50=51.0, p90=91.0, p99=100.0, min=1.0, mean=51.0)


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
