"""Rows of a made-up run."""

from benchmarks.results import Machine
from benchmarks.row import Latency, Row

MACHINE = Machine(cpu="a processor", cores=4, os="an os", python="3.11", governor=None, load_average=(0.5, 0.5, 0.5))


def row(artifact: str, method: str, p50: float, *, valid: bool = True, noisy: bool = False) -> Row:
    """A measured row with that median, in ms; the anchor's is 4 ms."""
    return Row(
        artifact=artifact,
        method=method,
        sha256=None,
        device="host",
        os="an os",
        runtime="executorch",
        runtime_version="1",
        delegate="xnnpack",
        precision="fp32",
        threads=2,
        iterations=1024,
        warm_up=2,
        seconds=10.0,
        latency_ms=Latency(p50=p50, p90=p50 * 1.5, p99=p50 * 2, min=p50 / 2, mean=p50),
        ratio_to_anchor=p50 / 4.0,
        cold_load_ms=12.0,
        peak_rss_bytes=34_000_000,
        memory=None,
        valid=valid,
        noisy=noisy,
    )
