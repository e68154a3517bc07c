"""--precision auto: the fastest that is accurate enough, and a word on every other."""

from pathlib import Path

import numpy as np
import pytest

from core.manifest import Accuracy, Parity
from core.runtimes import Array, Runtime
from export import choice
from export.build import Outcome
from export.choice import encode_ms, keep_the_fastest
from export.source import Source
from export.targets import VARIANTS, Variant

PARITY = Parity(cases=40, max_abs=0.1, cosine=0.999, agreement=1.0)
BY_PATH = {variant.path: variant for variant in VARIANTS}
INT8, FP32 = BY_PATH["student_xnnpack_int8.pte"], BY_PATH["student_xnnpack_fp32.pte"]


def outcome(variant: Variant, *, lost: float = 0.0, agreement: float = 1.0, problem: str | None = None) -> Outcome:
    accuracy = Accuracy(auc=0.98 - lost, agreement=agreement)
    return Outcome(variant=variant, problem=problem, parity=PARITY, accuracy=accuracy, auc_lost=lost)


def settled(
    folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch, speeds: dict[str, float], *outcomes: Outcome
) -> dict[str, str | None]:
    """What is said of each variant."""
    for one in outcomes:
        (folder / one.variant.path).write_bytes(b"x" * (10 if one.variant.precision == "int8" else 20))
    monkeypatch.setattr(choice, "runtime_of", lambda variant, path: object())
    monkeypatch.setattr(choice, "encode_ms", lambda frame, runtimes: {path: speeds[path] for path in runtimes})
    return {one.variant.path: one.problem for one in keep_the_fastest(source, outcomes, folder)}


def test_the_fastest_stays_and_the_other_goes_with_its_figures(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = {INT8.path: 1.0, FP32.path: 2.5}

    said = settled(tmp_path, source, monkeypatch, speeds, outcome(INT8), outcome(FP32))

    assert said[INT8.path] is None
    assert said[FP32.path] == f"slower than {INT8.path}: 2.50 ms an encode against 1.00, on one thread here"
    assert [path.name for path in tmp_path.iterdir()] == [INT8.path]


@pytest.mark.parametrize(
    ("lossy", "reason"),
    [
        (outcome(INT8, lost=0.02), "AUC on validation is 0.020 below that of float32, more than 0.01"),
        (outcome(INT8, agreement=0.9), "90.0% of the verdicts agree, fewer than 99%"),
        (outcome(INT8, problem="cosine 0.9 of an embedding is below 0.995"), "cosine 0.9 .*"),
    ],
)
def test_what_loses_too_much_never_wins_however_fast(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch, lossy: Outcome, reason: str
) -> None:
    import re

    said = settled(tmp_path, source, monkeypatch, {INT8.path: 0.1, FP32.path: 9.0}, lossy, outcome(FP32))

    problem = said[INT8.path]
    assert problem is not None
    assert re.fullmatch(reason, problem)
    assert said[FP32.path] is None


def test_a_small_loss_is_within_the_budget(tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = {INT8.path: 1.0, FP32.path: 2.0}

    said = settled(tmp_path, source, monkeypatch, speeds, outcome(INT8, lost=0.005), outcome(FP32))

    assert said[INT8.path] is None


def test_each_target_keeps_one_and_the_smallest_where_nothing_is_timed(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    fp16, small = BY_PATH["student_fp16.mlpackage"], BY_PATH["student_int8.mlpackage"]

    said = settled(tmp_path, source, monkeypatch, {FP32.path: 2.0}, outcome(FP32), outcome(fp16), outcome(small))

    assert said[FP32.path] is None
    assert said[small.path] is None
    assert said[fp16.path] == f"larger than {small.path}: 0.00 MB against 0.00; not timed here"


def test_packages_for_older_phones_have_no_rival_in_those_for_newer_ones(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer, older = BY_PATH["student_int8.mlpackage"], BY_PATH["student_int8_ios17"]

    said = settled(tmp_path, source, monkeypatch, {}, outcome(newer), outcome(older))

    assert said == {newer.path: None, older.path: None}


def test_programs_are_timed_in_turns() -> None:
    calls: list[str] = []

    class Counting:
        def __init__(self, name: str) -> None:
            self.name, self.version = name, "0"

        def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
            calls.append(self.name)
            return inputs

    runtimes: dict[str, Runtime] = {name: Counting(name) for name in ("a", "b")}

    taken = encode_ms(np.zeros((1, 3, 4, 4), np.float32), runtimes)

    assert calls[:4] == ["a", "b", "a", "b"]
    assert all(time >= 0 for time in taken.values())
