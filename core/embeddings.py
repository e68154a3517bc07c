"""The embedding cache: what a trunk made of a clip, kept so that it is computed once.

The reference keeps 128 clips of 20 frames x 384 in about 5 MB. Here a clip is one LMDB value, float16
[2, 20, D] little-endian: the RGB stream, then the depth stream.
"""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import lmdb
import numpy as np
import numpy.typing as npt

from core.decision import WINDOW
from core.errors import InputError, WorkError

MAP_BYTES = 1 << 38
CHUNK_CLIPS = 512
"""Clips a transaction: its pages stay in memory until it ends."""

Streams = npt.NDArray[np.float16]
"""float16 [2, 20, D]: RGB, depth."""


class EmbeddingCache:
    """A folder of embeddings by key. The key must name everything that changes them: weights, clip, variant."""

    def __init__(self, folder: Path) -> None:
        """Open `folder`, or begin it. InputError where something else is there."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._environment = lmdb.open(str(folder), map_size=MAP_BYTES, readahead=False)
        except lmdb.Error as error:
            raise InputError(f"{folder}: not an embedding cache ({error}); remove it, or name another") from error
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._environment.close()

    def __len__(self) -> int:
        """How many clips are kept."""
        return int(self._environment.stat()["entries"])

    def put(self, clips: Iterable[tuple[str, Streams]]) -> None:
        """Keep each clip (key of at most 511 bytes, float16 [2, 20, D]); a key that is there is written anew."""
        waiting: list[tuple[str, Streams]] = []
        for key, streams in clips:
            assert streams.dtype == np.float16, streams.dtype
            assert streams.ndim == 3, streams.shape
            assert streams.shape[:2] == (2, WINDOW), streams.shape
            waiting.append((key, streams))
            if len(waiting) == CHUNK_CLIPS:
                self._write(waiting)
                waiting = []
        self._write(waiting)

    def get(self, keys: Iterable[str]) -> list[Streams | None]:
        """The clip of each key, a copy; None where it is not kept."""
        with self._environment.begin(buffers=True) as transaction:
            return [_streams(transaction.get(key.encode())) for key in keys]

    def _write(self, clips: list[tuple[str, Streams]]) -> None:
        try:
            with self._environment.begin(write=True) as transaction:
                for key, streams in clips:
                    transaction.put(key.encode(), np.ascontiguousarray(streams, "<f2").tobytes())
        except lmdb.Error as error:
            raise WorkError(
                f"{self.folder}: could not be written ({error}); what was written before stays readable: "
                "make room and type the same command again"
            ) from error


def _streams(value: memoryview | None) -> Streams | None:
    if value is None:
        return None
    # Copied: the pages are only the reader's for as long as its transaction lives.
    return np.frombuffer(value, "<f2").reshape(2, WINDOW, -1).copy()
