"""Which windows of a video are kept when nobody knows yet how long it is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.decision import WINDOW, window_spans
from core.prepare.keeping import WindowKeeper


def kept(samples: int, *, hop: int, most: int) -> tuple[WindowKeeper, int, set[int]]:
    """The keeper after a video, the most samples that were ever held, and those held at the end."""
    keeper, held, fullest = WindowKeeper(hop=hop, most=most), set[int](), 0
    for sample in range(samples):
        if keeper.wants(sample):
            held.add(sample)
        fullest = max(fullest, len(held))
        if keeper.advance():
            held = {other for other in held if keeper.wants(other)}
    return keeper, fullest, held


def test_a_short_video_keeps_what_it_always_did() -> None:
    for samples in (0, 1, 19, 20, 21, 45, 90):
        keeper, _, _ = kept(samples, hop=10, most=4)
        spans = window_spans(samples, 10)
        chosen = np.linspace(0, len(spans) - 1, 4).round().astype(int) if len(spans) > 4 else range(len(spans))
        assert keeper.windows() == [spans[place] for place in chosen]


@given(st.integers(0, 3000), st.integers(1, WINDOW), st.integers(1, 6))
def test_the_windows_at_the_end_were_held_all_along(samples: int, hop: int, most: int) -> None:
    keeper, _, held = kept(samples, hop=hop, most=most)
    windows = keeper.windows()
    assert len(windows) == min(most, len(window_spans(samples, hop)))
    assert {sample for window in windows for sample in range(window.start, window.end)} <= held
    assert windows == sorted(windows, key=lambda window: window.start)


@given(st.integers(1, 20_000), st.integers(5, WINDOW), st.integers(1, 6))
def test_a_long_video_needs_no_more_room_than_a_short_one(samples: int, hop: int, most: int) -> None:
    _, fullest, _ = kept(samples, hop=hop, most=most)
    assert fullest <= (8 * most + 2) * WINDOW


@given(st.integers(1000, 20_000), st.integers(5, WINDOW), st.integers(3, 6))
def test_windows_of_a_long_video_are_evenly_spaced(samples: int, hop: int, most: int) -> None:
    keeper, _, _ = kept(samples, hop=hop, most=most)
    starts = [window.start for window in keeper.windows()]
    gaps = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] >= 0.85 * samples
    assert gaps.max() <= 4 / 3 * gaps.min()
