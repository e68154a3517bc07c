"""The embedding cache: what a trunk made of a clip, kept so that it is computed once.

The reference keeps 128 clips of 20 frames x 384 in about 5 MB. Here a clip is one LMDB value, float16
[2, 20, D] little-endian: the RGB stream, then the depth stream.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.decision import WINDOW
from core.kept_values import KeptValues

Streams = npt.NDArray[np.float16]
"""float16 [2, 20, D]: RGB, depth."""


class EmbeddingCache(KeptValues):
    """A folder of embeddings by key: weights, clip, variant."""

    def __init__(self, folder: Path) -> None:
        """See `KeptValues`."""
        super().__init__(folder, "an embedding cache")

    def put(self, clips: Iterable[tuple[str, Streams]]) -> None:
        """Keep each clip (key of at most 511 bytes, float16 [2, 20, D]); a key that is there is written anew."""
        self.write((key, _bytes(streams)) for key, streams in clips)

    def get(self, keys: Iterable[str]) -> list[Streams | None]:
        """The clip of each key, a copy; None where it is not kept."""
        with self.reading() as transaction:
            return [_streams(transaction.get(key.encode())) for key in keys]


def _bytes(streams: Streams) -> bytes:
    assert streams.dtype == np.float16, streams.dtype
    assert streams.ndim == 3, streams.shape
    assert streams.shape[:2] == (2, WINDOW), streams.shape
    return np.ascontiguousarray(streams, "<f2").tobytes()


def _streams(value: bytes | memoryview | None) -> Streams | None:
    if value is None:
        return None
    # Copied: the pages are only the reader's for as long as its transaction lives.
    return np.frombuffer(value, "<f2").reshape(2, WINDOW, -1).copy()
