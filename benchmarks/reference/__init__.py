"""The reference pipeline and the student's on one video in one run: what `--reference` measures."""

from benchmarks.reference.measure import measure_reference
from benchmarks.reference.video import reference_video

__all__ = ["measure_reference", "reference_video"]
