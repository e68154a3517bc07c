"""Windows over samples, and the rule from logits to a verdict."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.decision import WINDOW, Decision, WindowSpan, closes_window, window_spans

HOPS = st.integers(1, WINDOW)


def test_the_probability_is_the_softmax_of_the_mean_logits() -> None:
    # The mean logits are (0, ln 3): e^ln3 / (1 + e^ln3) = 3/4.
    assert Decision().probability([(1.0, math.log(3) + 2), (-1.0, math.log(3) - 2)]) == pytest.approx(0.75)


def test_the_temperature_divides_the_mean_logits() -> None:
    # A margin of 2 ln 3 over 2 is ln 3; over 0.5 it is 4 ln 3, so 81 / 82.
    margin = 2 * math.log(3)
    assert Decision(temperature=2.0).probability([(0.0, margin)]) == pytest.approx(3 / 4)
    assert Decision(temperature=0.5).probability([(0.0, margin)]) == pytest.approx(81 / 82)
    assert Decision(temperature=0.5).probability([(margin, 0.0)]) == pytest.approx(1 / 82)


def test_equal_logits_are_even_odds() -> None:
    assert Decision().probability([(7.0, 7.0)]) == 0.5


@pytest.mark.parametrize("size", [1e3, 1e8, 1e300])
def test_extreme_logits_are_certain_and_finite(size: float) -> None:
    decision = Decision(temperature=0.05)
    assert decision.probability([(-size, size)]) == 1.0
    assert decision.probability([(size, -size)]) == 0.0
    assert decision.probability([(size, size)]) == 0.5


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=8))
def test_real_and_fake_share_one(windows: list[tuple[float, float]]) -> None:
    decision = Decision(temperature=3.0)
    fake = decision.probability(windows)
    assert 0.0 <= fake <= 1.0
    assert decision.probability([(b, a) for a, b in windows]) == pytest.approx(1 - fake, abs=1e-12)


def test_the_threshold_itself_is_fake() -> None:
    decision = Decision(threshold=0.6)
    assert decision.label(0.6) == "fake"
    assert decision.label(math.nextafter(0.6, 0)) == "real"


def test_without_a_probability_a_video_is_undecided() -> None:
    assert Decision(threshold=0.0).label(None) == "undecided"


@pytest.mark.parametrize(
    ("samples", "spans"),
    [
        (0, []),
        (1, [(0, 1)]),
        (19, [(0, 19)]),
        (20, [(0, 20)]),
        (21, [(0, 20), (1, 21)]),
        (30, [(0, 20), (10, 30)]),
        (45, [(0, 20), (10, 30), (20, 40), (25, 45)]),
    ],
)
def test_windows_of_a_video_at_a_hop_of_ten(samples: int, spans: list[tuple[int, int]]) -> None:
    assert window_spans(samples, 10) == [WindowSpan(start=start, end=end) for start, end in spans]


@given(samples=st.integers(1, 200), hop=HOPS)
def test_every_sample_is_in_a_window_and_no_window_is_too_long(samples: int, hop: int) -> None:
    spans = window_spans(samples, hop)

    assert {index for span in spans for index in range(span.start, span.end)} == set(range(samples))
    lengths = {span.end - span.start for span in spans}
    assert lengths == {WINDOW} if samples >= WINDOW else lengths == {samples}
    assert len({span.end for span in spans}) == len(spans)


@given(samples=st.integers(0, 200), hop=HOPS)
def test_a_stream_closes_the_same_windows_as_they_come(samples: int, hop: int) -> None:
    closed = [count for count in range(1, samples + 1) if closes_window(count, hop)]
    ends = [span.end for span in window_spans(samples, hop)]
    # The end of the video may add one, never move one.
    assert ends[: len(closed)] == closed
    assert ends[len(closed) :] in ([], [samples])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frame_rate", 0),
        ("hop", 0),
        ("hop", WINDOW + 1),
        ("min_coverage", 0),
        ("temperature", 0),
        ("threshold", 1.1),
        ("aggregation", "maximum"),
        ("positive_index", 0),
        ("windows", 3),
    ],
)
def test_a_decision_that_cannot_be_meant_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        Decision.model_validate({field: value})
