"""Clips as their variants show them, rendered ahead in worker processes; the last of them are kept."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import torch

from core.clips import ClipWindow, Slots, read_slots
from core.forgery import ForgerySettings
from core.preprocess import PreprocessSpec
from core.store import ClipStore
from core.transforms import Variant

KEPT_BYTES = 3 << 29
"""Rendered pictures kept in memory: the last ones asked for. Others are rendered again when their turn comes."""


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """Everything that some slots of a window look like depends on, but the store."""

    window: ClipWindow
    slots: tuple[int, ...]
    spec: PreprocessSpec
    variant: Variant
    k: int
    seed: int
    """Of the forging, with `k`."""
    twin_forgery: ForgerySettings
    donor: ClipWindow | None = None
    """Whose face a forged window shows; None where it is blended with itself."""

    def carried_out(self, store: ClipStore) -> Slots:
        """The slots as they are."""
        forging = self.window.forging(self.k, seed=self.seed)
        return read_slots(
            store, self.window, self.slots, self.spec, self.variant, forging, self.twin_forgery, self.donor
        )


class Renderer:
    """Renders on request, ahead of time where it has worker processes, and keeps what was asked for last.

    Single frames have so many variants that the first of them are hardly seen again; what the teacher was just asked
    about, or two trunks encode one after the other, is.
    """

    def __init__(self, store: ClipStore, *, workers: int = 0) -> None:
        self._store = store
        self._pool: ProcessPoolExecutor | None = None
        if workers:
            # Spawned: a forked LMDB environment may not be used, and threads of this process would be missing.
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, context, initializer=_open, initargs=(store.folder,))
        self._waiting: dict[str, Future[dict[str, object]]] = {}
        self._kept: OrderedDict[str, Slots] = OrderedDict()
        self._room = KEPT_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def ask(self, key: str, rendering: Rendering) -> None:
        """Have it rendered in the meantime; `key` names all that it depends on."""
        if self._pool is not None and key not in self._kept and key not in self._waiting:
            self._waiting[key] = self._pool.submit(_carried_out, rendering)

    def get(self, key: str, rendering: Rendering) -> Slots:
        """The slots, rendered now unless they are there or on their way."""
        future = self._waiting.pop(key, None)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        slots = rendering.carried_out(self._store) if future is None else _received(future.result())
        self._kept[key] = slots
        self._room -= _size(slots)
        while self._room < 0:
            self._room += _size(self._kept.popitem(last=False)[1])
        return slots


def rendering_workers() -> int:
    """As many processes as keep up with training: one, two where there are cores to spare."""
    return 1 if (os.cpu_count() or 1) <= 4 else 2


_opened: ClipStore | None = None
"""The store of a worker process."""


def _open(folder: Path) -> None:
    global _opened  # noqa: PLW0603 (a worker process has one store for as long as it lives)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    # Training comes first: what is rendered ahead is not waited for.
    os.nice(5)
    _opened = ClipStore.read(folder)


def _carried_out(rendering: Rendering) -> dict[str, object]:
    """As numpy arrays: pickled tensors would travel as open files."""
    assert _opened is not None
    slots = rendering.carried_out(_opened)
    return {name: getattr(slots, name).numpy() for name in Slots.__dataclass_fields__}


def _size(slots: Slots) -> int:
    """Bytes of its pictures."""
    return sum(part.nbytes for part in (slots.frames, slots.depth, slots.masks))


def _received(arrays: dict[str, object]) -> Slots:
    return Slots(**{name: torch.from_numpy(array) for name, array in arrays.items()})


def joined(rows: Sequence[Slots]) -> Slots:
    """The slots of all `rows`, one after another."""
    return Slots(**{name: torch.cat([getattr(row, name) for row in rows]) for name in Slots.__dataclass_fields__})
