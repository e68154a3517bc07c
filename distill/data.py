"""Batches of windows and of single frames from a prepared store."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from core.clips import ClipWindow, Slots, read_slots, self_blended_twins
from core.decision import WINDOW
from core.forgery import ForgerySettings
from core.preprocess import PreprocessSpec
from core.store import ClipStore
from core.transforms import Augmentation, Variant, draw_variant

CACHE_BYTES = 4 << 30
"""Preprocessed slots kept in memory; a corpus that needs more is read from the store again."""


@dataclass(kw_only=True)
class Batch:
    """N windows, F slots of each, one variant k for all of them.

    Not frozen, since Lightning moves a batch to its device by setting the fields of a copy.
    """

    windows: Tensor
    """int64 [N]: places in the split's list of windows."""
    k: int
    slots: Tensor
    """int64 [N, F]."""
    frames: Tensor
    """uint8 [N, F, 3, S, S], RGB."""
    depth: Tensor
    """uint8 [N, F, 1, S, S]."""
    face_valid: Tensor
    """float32 [N, F]."""
    depth_valid: Tensor
    """float32 [N, F]."""
    is_fake: Tensor
    """int64 [N]."""


class ClipData:
    """The windows of one side of the split, preprocessed on demand and kept while they fit into memory."""

    def __init__(
        self,
        store: ClipStore,
        windows: Sequence[ClipWindow],
        spec: PreprocessSpec,
        *,
        variants: int,
        augmentation: Augmentation,
        twin_forgery: ForgerySettings,
        seed: int,
        twins: bool = False,
    ) -> None:
        """`variants` 0: every clip as it is, as validation and test want it. `twins` adds self-blended copies."""
        self.windows = [*windows, *(self_blended_twins(windows) if twins else ())]
        reals = [place for place, window in enumerate(windows) if not window.is_fake]
        self.twins = dict(zip(reals, range(len(windows), len(self.windows)), strict=True)) if twins else {}
        """Place of each real window's forged twin."""
        self.own_labels = torch.tensor([window.is_fake for window in windows], dtype=torch.int64)
        """int64: labels of the windows that are no twins."""
        self.variants = variants
        self.is_fake = torch.tensor([window.is_fake for window in self.windows], dtype=torch.int64)
        self._store, self._spec, self._seed = store, spec, seed
        self._augmentation, self._twin_forgery = augmentation, twin_forgery
        self._kept: dict[tuple[str, int, int], Slots] = {}
        self._room = CACHE_BYTES // (5 * spec.size**2)

    def slots(self, window: int, k: int, slots: Sequence[int]) -> Slots:
        """Slots of the `window`-th window in variant k."""
        rows = [self._slot(self.windows[window], k, slot) for slot in slots]
        return Slots(
            frames=torch.cat([row.frames for row in rows]),
            depth=torch.cat([row.depth for row in rows]),
            masks=torch.cat([row.masks for row in rows]),
            face_valid=torch.cat([row.face_valid for row in rows]),
            depth_valid=torch.cat([row.depth_valid for row in rows]),
        )

    def batch(self, windows: Sequence[int], k: int, slots: Sequence[Sequence[int]]) -> Batch:
        """Equally many slots of each of `windows`."""
        rows = [self.slots(window, k, chosen) for window, chosen in zip(windows, slots, strict=True)]
        return Batch(
            windows=torch.tensor(windows),
            k=k,
            slots=torch.tensor(slots),
            frames=torch.stack([row.frames for row in rows]),
            depth=torch.stack([row.depth for row in rows]),
            face_valid=torch.stack([row.face_valid for row in rows]),
            depth_valid=torch.stack([row.depth_valid for row in rows]),
            is_fake=self.is_fake[torch.tensor(windows)],
        )

    def whole_windows(self, k: int, windows: Sequence[int] | None = None, size: int = 8) -> Iterator[Batch]:
        """Each of `windows` (None: every window) once, in order, all its slots."""
        places = range(len(self.windows)) if windows is None else windows
        for first in range(0, len(places), size):
            chosen = list(places[first : first + size])
            yield self.batch(chosen, k, [range(WINDOW)] * len(chosen))

    def digest(self, window: int, k: int) -> str:
        """Names all that the pixels of the `window`-th window in variant k depend on."""
        clip = self.windows[window]
        drawn = [self._seed, k, self._augmentation, self._twin_forgery] if self.variants else []
        parts = [clip.record.key, clip.start, clip.end, clip.forged, self._spec, *drawn]
        return hashlib.sha256("/".join(map(repr, parts)).encode()).hexdigest()

    def _slot(self, window: ClipWindow, k: int, slot: int) -> Slots:
        key = self._key(window, k, slot)
        if key in self._kept:
            return self._kept[key]
        variant = Variant()
        if self.variants:
            variant = draw_variant(window.record.key, k, seed=self._seed, augmentation=self._augmentation)
        # Some draws are carried out on a window's frames together; what is stored is the same in every window.
        alone = variant == Variant() and not window.forged
        places = [slot] if alone else range(WINDOW)
        forging = window.forging(k, seed=self._seed)
        rows = read_slots(self._store, window, places, self._spec, variant, forging, self._twin_forgery)
        single = {place: rows.one(row) for row, place in enumerate(places)}
        if len(self._kept) < self._room:
            self._kept |= {self._key(window, k, place): row for place, row in single.items()}
        return single[slot]

    def _key(self, window: ClipWindow, k: int, slot: int) -> tuple[str, int, int]:
        """Windows of a video that overlap share their samples, as long as those are as they are stored."""
        sample = window.sample(slot)
        shared = not self.variants and not window.forged
        clip = window.record.key if shared else f"{window.record.key}/{window.start}/{window.forged}"
        return clip, k, -1 if sample is None else sample


class FrameBatches(IterableDataset[Batch]):
    """Endless batches of single frames: half the windows real, half fake, a few slots with a face of each.

    Where the data hold forged twins, half of the fakes are twins of the very windows that stand for real, at the same
    slots and in the same variant: all that tells such a pair apart is the forgery.
    """

    def __init__(self, data: ClipData, *, windows: int, slots: int, seed: int) -> None:
        self._data, self._windows, self._slots, self._seed = data, windows, slots, seed

    def __iter__(self) -> Iterator[Batch]:
        generator = np.random.default_rng(self._seed)
        data, half = self._data, self._windows // 2
        for k, chosen in balanced(data.own_labels, self._windows, data.variants, generator):
            reals, fakes = chosen[:half], chosen[half:]
            twins = [data.twins[real] for real in reals[: len(data.twins) and half // 2]]
            windows = [*reals, *twins, *fakes[len(twins) :]]
            slots = [generator.choice(data.windows[window].valid_slots, self._slots).tolist() for window in windows]
            slots[half : half + len(twins)] = slots[: len(twins)]
            yield data.batch(windows, k, slots)


def balanced(
    is_fake: Tensor, count: int, variants: int, generator: np.random.Generator
) -> Iterator[tuple[int, list[int]]]:
    """Endless (k, windows): `count` / 2 real ones, then as many fake; each class is shuffled on its own.

    k = epoch mod variants; an epoch ends when every window of the larger class was seen.
    """
    label = is_fake.numpy()
    classes = [np.flatnonzero(label == value) for value in (0, 1)]
    steps = max(1, round(2 * max(len(members) for members in classes) / count))
    orders = [_endless(members, generator) for members in classes]
    epoch = 0
    while True:
        for _ in range(steps):
            yield epoch % variants, [int(next(order)) for order in orders for _ in range(count // 2)]
        epoch += 1


def _endless(members: np.typing.NDArray[np.int64], generator: np.random.Generator) -> Iterator[np.int64]:
    while True:
        yield from generator.permutation(members)
