"""Both pipelines in turns over the same sampled frames of one video, so that a slow minute slows both."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.reference.models import METHODS, ReferenceModels
from benchmarks.reference.onnx import reference_onnx
from benchmarks.reference.pipeline import ReferencePipeline, StagesMs
from benchmarks.reference.result import EAGER, ONNX, STUDENT, THREADS, Setting, Turns, result_of
from benchmarks.reference.student import StudentPass, student_pass
from benchmarks.reference_result import Reference
from core.errors import InputError, WorkError
from core.manifest import Manifest
from core.runtimes import Runtime, cosine, open_runtime, preferred_artifact
from core.runtimes.onnx import OnnxRuntime
from core.runtimes.torch import TorchRuntime
from core.video import Frame, sampled_frames

TURNS, FRAMES_A_TURN = 8, 4
QUICK_TURNS, QUICK_FRAMES_A_TURN = 2, 2
SAME_COSINE = 0.999
WARM_UP_CALLS = 2
"""Of each method of the student at the start of its turn: the reference has used the caches."""


def measure_reference(
    video: Path, folder: Path, manifest: Manifest, *, quick: bool, on_progress: Callable[[int, int], None]
) -> Reference:
    """Time the reference pipeline and the preferred artefact's on the beginning of `video`, in this process.

    Raises InputError where `video` cannot be read or shows no face.
    """
    artifact = preferred_artifact(manifest)
    with _two_threads():
        onnx = OnnxRuntime(reference_onnx(), METHODS, threads=THREADS)
        runtimes: dict[str, Runtime] = {EAGER: TorchRuntime(ReferenceModels()), ONNX: onnx}
        return measure_pipelines(
            video,
            runtimes,
            open_runtime(folder, artifact, threads=THREADS),
            manifest,
            turns=QUICK_TURNS if quick else TURNS,
            frames_a_turn=QUICK_FRAMES_A_TURN if quick else FRAMES_A_TURN,
            setting=Setting(
                video=video,
                student=artifact.path,
                student_title=f"student: {artifact.target} {artifact.precision}, {manifest.preprocess.size} px",
                trained=manifest.trained,
                onnx_version=onnx.version,
            ),
            on_progress=on_progress,
        )


def measure_pipelines(
    video: Path,
    runtimes: dict[str, Runtime],
    student: Runtime,
    manifest: Manifest,
    *,
    turns: int,
    frames_a_turn: int,
    setting: Setting,
    on_progress: Callable[[int, int], None],
) -> Reference:
    """Time the reference in `runtimes` (eager and ONNX) and the student: `frames_a_turn` frames of the reference, then
    a pass of the student over all `turns` x `frames_a_turn` frames, in every turn.
    """
    frames = turns * frames_a_turn
    reference = _ReferenceTurns(video, runtimes, manifest.decision.frame_rate, frames=frames)
    cosine = reference.warm_up()
    counted = Turns()
    try:
        for turn in range(turns):
            reference.take(counted, frames_a_turn)
            passed = _student_turn(video, student, manifest, frames=frames)
            counted.frames_ms[STUDENT].append(list(passed.frames_ms))
            counted.student_faces += passed.faces
            on_progress(turn + 1, turns)
    finally:
        reference.close()
    if not counted.reference_faces or not counted.student_faces:
        raise InputError(f"{video}: no face in its first {frames} sampled frames; give a video of a face")
    return result_of(counted, setting, manifest.decision, frame_size=reference.frame_size, cosine=cosine)


class _ReferenceTurns:
    """The reference on the first sampled frames of a video, again from the start where they end."""

    def __init__(self, video: Path, runtimes: dict[str, Runtime], frame_rate: float, *, frames: int) -> None:
        self.frame_size = (0, 0)
        self._video, self._frame_rate, self._frames = video, frame_rate, frames
        self._pipeline = ReferencePipeline(runtimes)
        self._decoded = self._read()

    def warm_up(self) -> float:
        """Run frames, uncounted, until one shows a face; the least cosine between what both pipelines make of it."""
        source = sampled_frames(self._video, self._frame_rate)
        try:
            for frame in islice(source, self._frames):
                self.frame_size = (frame.image.shape[1], frame.image.shape[0])
                if self._pipeline.frame(frame.image)[EAGER]["depth"]:
                    return self._agreement()
        finally:
            source.close()
        raise InputError(f"{self._video}: dlib finds no face at its beginning; give a video of a face")

    def take(self, turns: Turns, count: int) -> None:
        """The next `count` frames, as one turn of both of the reference's pipelines."""
        taken: dict[str, list[StagesMs]] = {EAGER: [], ONNX: []}
        for decode_ms, frame in islice(self._decoded, count):
            stages = self._pipeline.frame(frame.image)
            turns.reference_faces += stages[EAGER]["depth"] > 0
            for title, frames_ms in taken.items():
                frames_ms.append({"decode": decode_ms, **stages[title]})
        for title, frames_ms in taken.items():
            turns.frames_ms[title].append(frames_ms)

    def close(self) -> None:
        """Let go of the video."""
        self._decoded.close()

    def _agreement(self) -> float:
        cosines = [cosine(a, b) for a, b in zip(*map(self._pipeline.answers, (EAGER, ONNX)), strict=True)]
        if min(cosines) < SAME_COSINE:
            raise WorkError(f"the reference's answers under ONNX Runtime have cosine {min(cosines):.4f} with torch's")
        return min(cosines)

    def _read(self) -> Generator[tuple[float, Frame], None, None]:
        """Frames, and the ms that each took to come; opening the file counts for the first."""
        while True:
            self._pipeline.restart()
            mark = time.perf_counter()
            source = sampled_frames(self._video, self._frame_rate)
            try:
                for frame in islice(source, self._frames):
                    yield (time.perf_counter() - mark) * 1000, frame
                    mark = time.perf_counter()
            finally:
                source.close()


def _student_turn(video: Path, runtime: Runtime, manifest: Manifest, *, frames: int) -> StudentPass:
    for spec in manifest.methods:
        inputs = [np.ones(tensor.shape, np.float32) for tensor in spec.inputs]
        for _ in range(WARM_UP_CALLS):
            runtime.run(spec.name, *inputs)
    return student_pass(
        video,
        runtime,
        frames=frames,
        spec=manifest.preprocess,
        decision=manifest.decision,
        depth_trained=manifest.depth_trained,
    )


@contextmanager
def _two_threads() -> Iterator[None]:
    """Everything that has threads takes as many as the rows are measured with."""
    of_torch, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(THREADS)
    cv2.setNumThreads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(of_torch)
        cv2.setNumThreads(of_opencv)
