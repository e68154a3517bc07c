"""From a store to tensors: the slots of a window as a model sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.decision import WINDOW
from core.forgery import self_blended_crops
from core.preprocess import Box, Image, PreprocessSpec, cut, preprocess, resample, square_around
from core.store import ClipStore, VideoRecord
from core.transforms import Variant


@dataclass(frozen=True, kw_only=True)
class ClipWindow:
    """One window of a prepared video: its samples fill the last slots, the first ones are empty if it is short."""

    record: VideoRecord
    start: int
    end: int
    forged: bool = False
    """A self-blended copy of a real window, made anew in every variant."""

    def sample(self, slot: int) -> int | None:
        """Index of the sample in `slot`, None where the slot is empty or shows no face."""
        index = slot - WINDOW + self.end
        if index < self.start or self.record.samples[index].box is None:
            return None
        return index

    @property
    def valid_slots(self) -> list[int]:
        """Slots with a face."""
        return [slot for slot in range(WINDOW) if self.sample(slot) is not None]

    @property
    def is_fake(self) -> bool:
        """The positive class."""
        return self.forged or self.record.label == "fake"


@dataclass(frozen=True, kw_only=True)
class Slots:
    """Some slots of a window. An invalid slot is all zero."""

    frames: Tensor
    """uint8 [N, 3, S, S], RGB."""
    depth: Tensor
    """uint8 [N, 1, S, S], relative inverse depth, one scale and shift over the whole clip."""
    face_valid: Tensor
    """float32 [N], 0 or 1."""
    depth_valid: Tensor
    """float32 [N], 0 or 1."""

    def one(self, row: int) -> "Slots":
        """The slot in that row alone."""
        rows = slice(row, row + 1)
        return Slots(
            frames=self.frames[rows],
            depth=self.depth[rows],
            face_valid=self.face_valid[rows],
            depth_valid=self.depth_valid[rows],
        )


def windows_of(records: Sequence[VideoRecord], *, min_coverage: float) -> list[ClipWindow]:
    """Every window in which the share of samples with a face reaches `min_coverage`."""
    windows = (ClipWindow(record=record, start=start, end=end) for record in records for start, end in record.windows)
    return [window for window in windows if len(window.valid_slots) >= min_coverage * (window.end - window.start)]


def self_blended_twins(windows: Sequence[ClipWindow]) -> list[ClipWindow]:
    """A forged copy of every real window."""
    return [replace(window, forged=True) for window in windows if not window.is_fake]


def read_slots(
    store: ClipStore,
    window: ClipWindow,
    slots: Sequence[int],
    spec: PreprocessSpec,
    variant: Variant,
    forging: np.random.Generator | None = None,
) -> Slots:
    """Preprocess `slots` of `window` with `variant`'s geometry and light (rounded to bytes).

    A forged window is blended with itself as `forging` draws it. The draw covers the slots that are asked for, so ask
    for all of a window's to have it held over the clip. Depth stays what it was: a blend shows the same face.
    """
    assert window.forged == (forging is not None)
    size = spec.size
    crops = _crops(store, window, slots, forging)
    frames = np.zeros((len(slots), 3, size, size), np.uint8)
    depth = np.zeros((len(slots), 1, size, size), np.uint8)
    face_valid, depth_valid = torch.zeros(len(slots)), torch.zeros(len(slots))
    for row, slot in enumerate(slots):
        index = window.sample(slot)
        if index is None:
            continue
        crop, box = crops[index]
        box = variant.moved(box)
        frames[row] = np.rint(preprocess(crop, box, spec))
        face_valid[row] = 1.0
        if window.record.samples[index].depth_valid and window.record.depth_range is not None:
            low, high = window.record.depth_range
            pixels = cut(store.depth(window.record, index), square_around(box, spec.margin), low)
            scaled = (resample(pixels, size, low) - low) * (255.0 / max(1, high - low))
            depth[row, 0] = np.rint(scaled.clip(0, 255))
            depth_valid[row] = 1.0
    return Slots(
        frames=variant.mirrored(variant.coloured(torch.from_numpy(frames))),
        depth=variant.mirrored(torch.from_numpy(depth)),
        face_valid=face_valid,
        depth_valid=depth_valid,
    )


def _crops(
    store: ClipStore, window: ClipWindow, slots: Sequence[int], forging: np.random.Generator | None
) -> dict[int, tuple[Image, Box]]:
    """Stored crop and box of every valid sample in `slots`."""
    indices = [index for slot in slots if (index := window.sample(slot)) is not None]
    crops = {index: store.crop(window.record, index) for index in indices}
    if forging is None or not crops:
        return crops
    pictures, boxes = zip(*crops.values(), strict=True)
    forgery = self_blended_crops(pictures, boxes, forging)
    return dict(zip(crops, zip(forgery.frames, boxes, strict=True), strict=True))
