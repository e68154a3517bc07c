"""Grey videos and a model that goes by their grey: what tests of an evaluation share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.decision import Decision
from core.evaluation.subject import Subject
from core.models import Student, StudentConfig
from core.models.fusion import FusionConfig
from core.preprocess import PreprocessSpec
from core.records import ForgeryRecord, Sample, VideoRecord
from core.runs import ModelDocument, weights_sha256, write_model
from core.runtimes import Array
from core.store import ClipStore, Picture, encode_png

SIDE = 48
"""Of a stored crop, px."""
FACE = (8.0, 8.0, 32.0, 32.0)
SPEC = PreprocessSpec(size=32, margin=1.0)
"""Cuts the face out of a crop without scaling it."""


class GreyRuntime:
    """A face counts as the more fake the brighter it is: the logits are (0, mean of the valid greys / 16 - 8).

    Both embeddings are the frame's mean grey. As real runtimes may, it gives out the same memory at every call.
    """

    name = "grey"
    version = "1"

    def __init__(self) -> None:
        self.encoded = 0
        self.batches: list[int] = []
        self.depth_heard = 0.0
        self._memory: dict[tuple[int, ...], Array] = {}

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        self.batches.append(len(inputs[0]))
        if method == "encode":
            (frames,) = inputs
            self.encoded += len(frames)
            grey = self._kept((len(frames), 2))
            grey[:] = frames.mean(axis=(1, 2, 3))[:, None]
            return grey, grey, np.zeros((len(frames), 1, 8, 8), np.float32)
        rgb, _, face_valid, depth_valid = inputs
        self.depth_heard += float(depth_valid.sum())
        logits = self._kept((len(rgb), 2))
        logits[:, 0] = 0
        logits[:, 1] = (rgb[..., 0] * face_valid).sum(axis=1) / face_valid.sum(axis=1) / 16 - 8
        return (logits,)

    def _kept(self, shape: tuple[int, ...]) -> Array:
        return self._memory.setdefault(shape, np.zeros(shape, np.float32))


def subject(runtime: Any = None, *, run: Path | None = None, **changes: Any) -> Subject:
    """A model that goes by the grey of a face, or any other `runtime`."""
    parts: dict[str, Any] = {
        "kind": "run",
        "folder": Path("runs/grey"),
        "program": "student.safetensors",
        "precision": "fp32",
        "trained": True,
        "run": run,
        "weights_sha256": "0" * 64,
        "runtime": runtime or GreyRuntime(),
        "batch": 64,
        "spec": SPEC,
        "decision": Decision(),
        "depth_trained": True,
    }
    return Subject(**(parts | changes))


def record(
    name: str, *, is_fake: bool = False, samples: int = 20, missed: Sequence[int] = (), **fields: Any
) -> VideoRecord:
    """A video of one window if `windows` does not say otherwise; `visibility` makes it one that was forged here."""
    visibility = fields.pop("visibility", None)
    return VideoRecord.model_validate(
        {
            "key": name,
            "content_sha256": f"content of {name}",
            "path": f"{'fake' if is_fake else 'real'}/{name}.mp4",
            "label": "fake" if is_fake else "real",
            "identity": name,
            "method": "swap" if is_fake else "original",
            "split": "test",
            "frame_size": (SIDE, SIDE),
            "samples": [
                Sample(
                    index=index,
                    time_ms=100.0 * index,
                    face=None if index in missed else FACE,
                    kept=index not in missed,
                    depth_valid=False,
                )
                for index in range(samples)
            ],
            "windows": [(0, samples)],
            "depth_range": None,
            "forgery": None if visibility is None else ForgeryRecord(visibility=visibility, draws={}),
            **fields,
        }
    )


def filled(folder: Path, greys: Mapping[str, int | Sequence[int]], records: Sequence[VideoRecord]) -> Path:
    """A whole store of `records`, each as grey as `greys` says of its key, of all samples or one by one."""
    with ClipStore.write(folder, {"frame_rate": 10.0, "hop": 10, "max_windows": 4}) as store:
        for row in records:
            grey = greys[row.key]
            pictures: list[Picture] = []
            for index, sample in enumerate(row.samples):
                if sample.kept:
                    level = grey if isinstance(grey, int) else grey[index]
                    pictures.append(("crop", index, encode_png(np.full((SIDE, SIDE, 3), level, np.uint8))))
                    if row.forgery is not None:
                        pictures.append(("mask", index, encode_png(np.zeros((SIDE, SIDE), np.uint8))))
            store.add(row, pictures)
        store.complete("fingerprint of it")
    return folder


def student_run(folder: Path) -> Student:
    """A run with a small student of random weights for faces of 32 px; the student as it was written."""
    torch.manual_seed(0)
    student = Student(StudentConfig(depth_width=8, fusion=FusionConfig(width=16, heads=2, feed_forward=16))).eval()
    folder.mkdir(parents=True)
    document = ModelDocument(
        role="student",
        architecture=student.config,
        preprocess=SPEC,
        decision=Decision(),
        depth_trained=True,
        recipe={"name": "demo"},
        data_fingerprint="f" * 64,
        code_version="0.1.0",
        weights_sha256=weights_sha256(student),
    )
    write_model(folder, student, document)
    return student
