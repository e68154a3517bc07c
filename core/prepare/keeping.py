"""Which windows of a video are kept, decided while its length is still unknown."""

import math

from core.decision import WINDOW, WindowSpan, closes_window, window_spans
from core.spacing import evenly_spaced

CANDIDATES = 8
"""Windows held for each that is kept: with at least half as many to choose from, gaps differ by a third at most."""


class WindowKeeper:
    """At most `most` evenly spaced windows of a video, in one pass and in bounded room.

    Of the windows that have closed, every stride-th stays a candidate, and the stride doubles whenever more than
    8 · `most` would: so at most that many are held at any time. At the end `most` are chosen, evenly spaced, among the
    candidates, the first always among them; up to 8 · `most` windows that is every window of the video.
    """

    def __init__(self, *, hop: int, most: int) -> None:
        self._hop, self._most = hop, most
        self._samples = 0
        self.stride = 1

    def advance(self) -> bool:
        """Count one more sample; True where fewer windows are candidates now, so that some samples are free."""
        self._samples += 1
        before = self.stride
        while math.ceil(self._closed / self.stride) > CANDIDATES * self._most:
            self.stride *= 2
        return self.stride != before

    def wants(self, sample: int) -> bool:
        """Whether a candidate holds `sample`, or will when it closes."""
        first = max(0, math.ceil((sample - WINDOW + 1) / self._hop))
        last = sample // self._hop
        return math.ceil(first / self.stride) * self.stride <= last

    def windows(self) -> list[WindowSpan]:
        """The windows to keep of the samples counted so far, in order."""
        if self.stride == 1:
            candidates = window_spans(self._samples, self._hop)
        else:
            starts = range(0, self._closed * self._hop, self.stride * self._hop)
            candidates = [WindowSpan(start=start, end=start + WINDOW) for start in starts]
        return evenly_spaced(candidates, self._most)

    @property
    def _closed(self) -> int:
        """Windows that have all their samples."""
        if self._samples < WINDOW:
            return 0
        closed = (self._samples - WINDOW) // self._hop + 1
        assert closes_window(WINDOW + (closed - 1) * self._hop, self._hop)
        return closed
