"""Peak memory of an artefact, seen from a process that does nothing else.

Run as `python -m benchmarks.memory FOLDER PATH`, it prints one JSON document.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.footprint import status_bytes
from benchmarks.row import Memory
from core.errors import WorkError
from core.manifest import MANIFEST, Manifest, read_manifest
from core.runtimes import open_runtime

CALLS = 5


def memory_of(folder: Path, path: str) -> Memory:
    """Measure the artefact `path` of `folder` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(folder), path],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        raise WorkError(f"{folder / path}: measuring its memory failed: {lines[-1]}")
    return Memory.model_validate_json(done.stdout)


def _measure(folder: Path, manifest: Manifest, path: str) -> Memory:
    artifact = manifest.artifact(path)
    # The runtime's own libraries belong to every app that has one; only what the artefact adds is of interest.
    if artifact.target == "executorch":
        from core.runtimes.executorch import bindings

        bindings()
    else:
        import onnxruntime  # noqa: F401
    _forget_peak()
    before = _resident()
    runtime = open_runtime(folder, artifact, threads=2)
    after = _resident()
    for method in manifest.methods:
        inputs = [np.ones(tensor.shape, np.float32) for tensor in method.inputs]
        for _ in range(CALLS):
            runtime.run(method.name, *inputs)
    reason = f"{artifact.target}'s Python runtime does not tell"
    return Memory(
        before_load=before,
        after_load=after,
        peak=_peak(),
        missing={"arena_bytes": reason, "weights_bytes": reason},
    )


def _resident() -> int:
    """Bytes resident now; where the system does not tell, the peak so far."""
    resident = status_bytes("VmRSS")
    return _peak() if resident is None else resident


def _peak() -> int:
    told = status_bytes("VmHWM")
    if told is not None:
        return told
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _forget_peak() -> None:
    """Begin a new peak where Linux allows it; elsewhere importing may hide a smaller one."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    print(json.dumps(_measure(place, read_manifest(place / MANIFEST), sys.argv[2]).model_dump()))
