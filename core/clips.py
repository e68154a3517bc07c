"""From a store to tensors: the slots of a window as a model sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.decision import WINDOW
from core.forgery import FOOTAGE, ForgerySettings
from core.preprocess import PreprocessSpec
from core.records import VideoRecord
from core.seeding import seeded_generator
from core.store import ClipStore
from core.transforms import Variant
from core.transforms.variation import (
    Face,
    delivered,
    forged,
    photographed,
    read_face,
    reduced_face,
    seen,
    working_factor,
)


@dataclass(frozen=True, kw_only=True)
class ClipWindow:
    """One window of a prepared video: its samples fill the last slots, the first ones are empty if it is short."""

    record: VideoRecord
    start: int
    end: int
    forged: bool = False
    """A forged copy of a real window, made anew in every variant."""

    def sample(self, slot: int) -> int | None:
        """Index of the sample in `slot`, None where the slot is empty or shows no face."""
        index = slot - WINDOW + self.end
        if index < self.start or not self.record.samples[index].kept:
            return None
        return index

    @property
    def valid_slots(self) -> list[int]:
        """Slots with a face."""
        return [slot for slot in range(WINDOW) if self.sample(slot) is not None]

    @property
    def depth_slots(self) -> list[int]:
        """Slots with a face whose depth is known."""
        if self.record.depth_range is None:
            return []
        samples = self.record.samples
        return [slot for slot in self.valid_slots if samples[slot - WINDOW + self.end].depth_valid]

    def nearest(self, slot: int) -> int:
        """Index of the sample with a face whose slot is nearest to `slot`; a window without a face is a bug."""
        sample = self.sample(min(self.valid_slots, key=lambda valid: abs(valid - slot)))
        assert sample is not None
        return sample

    def forging(self, k: int, *, seed: int) -> np.random.Generator | None:
        """What the k-th variant's forgery is drawn from; None for a window that is not forged."""
        return seeded_generator("forging", seed, self.record.key, self.start, k) if self.forged else None

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
    masks: Tensor
    """uint8 [N, 1, S, S], 0-255: the share of what is forged, where that is known; 0 in a real clip."""
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
            masks=self.masks[rows],
            face_valid=self.face_valid[rows],
            depth_valid=self.depth_valid[rows],
        )


def windows_of(records: Sequence[VideoRecord], *, min_coverage: float) -> list[ClipWindow]:
    """Every window in which the share of samples with a face reaches `min_coverage`."""
    windows = (ClipWindow(record=record, start=start, end=end) for record in records for start, end in record.windows)
    return [window for window in windows if len(window.valid_slots) >= min_coverage * (window.end - window.start)]


def forged_twins(windows: Sequence[ClipWindow]) -> list[ClipWindow]:
    """A forged copy of every real window."""
    return [replace(window, forged=True) for window in windows if not window.is_fake]


def read_slots(
    store: ClipStore,
    window: ClipWindow,
    slots: Sequence[int],
    spec: PreprocessSpec,
    variant: Variant,
    forging: np.random.Generator | None = None,
    forgery_settings: ForgerySettings = FOOTAGE,
    donor: ClipWindow | None = None,
) -> Slots:
    """`slots` of `window` as `variant` shows them, rounded to bytes; `Variant()` is the spec's preprocessing alone.

    A forged window is blended with itself as `forging` draws it from `forgery_settings`, or shows the face of a
    `donor`, whose pictures the same camera takes. Forging, scaling and H.264 cover the slots that are asked for, so ask
    for all of a window's to have them held over the clip. A window and its twin differ by the forgery alone: what is
    drawn for the variant is the same for both.
    """
    assert window.forged == (forging is not None)
    record = window.record
    rows = {row: index for row, slot in enumerate(slots) if (index := window.sample(slot)) is not None}
    faces = _photographed(store, record, list(rows.values()), spec, variant)
    if forging is not None:
        donors: list[Face] = []
        if donor is not None:
            lent = [donor.nearest(slots[row]) for row in rows]
            donors = _photographed(store, donor.record, lent, spec, variant)
        faces = forged(faces, forging, forgery_settings, spec, donors)
    depth_range = record.depth_range or (0, 0)
    inputs = delivered(seen(faces, variant, spec, depth_range), faces, variant)
    size, places = spec.size, list(rows)
    frames = torch.zeros((len(slots), 3, size, size), dtype=torch.uint8)
    depth, masks = (torch.zeros((len(slots), 1, size, size), dtype=torch.uint8) for _ in range(2))
    frames[places] = torch.from_numpy(inputs.frames).permute(0, 3, 1, 2)
    depth[places] = torch.from_numpy(inputs.depth)[:, None]
    masks[places] = torch.from_numpy(inputs.masks)[:, None]
    face_valid, depth_valid = torch.zeros(len(slots)), torch.zeros(len(slots))
    face_valid[places] = 1.0
    depth_valid[places] = torch.tensor([float(face.depth is not None) for face in faces])
    return Slots(frames=frames, depth=depth, masks=masks, face_valid=face_valid, depth_valid=depth_valid)


def _photographed(
    store: ClipStore, record: VideoRecord, samples: Sequence[int], spec: PreprocessSpec, variant: Variant
) -> list[Face]:
    """The faces of `samples` as the variant's camera takes them; as they are stored for `Variant()`.

    As it is stored, a clip is forged at its full size, and so differs from its twin in nothing else.
    """
    faces = [read_face(store, record, index) for index in samples]
    if variant == Variant():
        return faces
    factor, scale = working_factor(record, spec)
    farthest = 0 if record.depth_range is None else record.depth_range[0]
    return photographed([reduced_face(face, factor, spec, farthest) for face in faces], variant, spec, scale)
