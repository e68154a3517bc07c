"""Pictures on their way from a worker to the store: a file, so that neither process holds them in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something lies on a shelf."""

    offset: int
    size_bytes: int


class Shelf:
    """A file that grows by what is put on it. What is no longer wanted is simply not read again."""

    def __init__(self, path: Path) -> None:
        """A new, empty shelf at `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def put(self, data: bytes) -> Place:
        """Add `data` at the end. Raises OSError on a full disk."""
        offset = self._file.seek(0, 2)
        self._file.write(data)
        return Place(offset=offset, size_bytes=len(data))

    def get(self, place: Place) -> bytes:
        """What was put there."""
        self._file.seek(place.offset)
        return self._file.read(place.size_bytes)


def taken(path: Path, places: Sequence[Place]) -> Iterator[bytes]:
    """What lies at `places`, one after another, and then the shelf is gone."""
    try:
        with path.open("rb") as file:
            for place in places:
                file.seek(place.offset)
                yield file.read(place.size_bytes)
    finally:
        path.unlink(missing_ok=True)
