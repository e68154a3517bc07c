"""Values that were computed once, by key: a folder with one LMDB environment, written in chunks."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import lmdb

from core.errors import InputError, WorkError

MAP_BYTES = 1 << 38
CHUNK_VALUES = 512
"""Values a transaction: its pages stay in memory until it ends."""


class KeptValues:
    """A folder of bytes by key. A key (at most 511 bytes) must name everything that changes its value."""

    def __init__(self, folder: Path, what: str) -> None:
        """Open `folder`, or begin it. InputError where something else is there; `what` it should be, in words."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._environment = lmdb.open(str(folder), map_size=MAP_BYTES, readahead=False)
        except lmdb.Error as error:
            raise InputError(f"{folder}: not {what} ({error}); remove it, or name another") from error
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._environment.close()

    def __len__(self) -> int:
        """How many values are kept."""
        return int(self._environment.stat()["entries"])

    @contextmanager
    def reading(self) -> Iterator[lmdb.Transaction]:
        """A transaction whose values are memory that lives as long as it does."""
        with self._environment.begin(buffers=True) as transaction:
            yield transaction

    def write(self, values: Iterable[tuple[str, bytes]]) -> None:
        """Keep each value; a key that is there is written anew. WorkError where nothing can be written."""
        remaining = iter(values)
        while chunk := list(islice(remaining, CHUNK_VALUES)):
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in chunk:
                        transaction.put(key.encode(), value)
            except lmdb.Error as error:
                raise WorkError(
                    f"{self.folder}: could not be written ({error}); what was written before stays readable: "
                    "make room and type the same command again"
                ) from error
