"""Prepared clips in LMDB: their records, and lossless face crops, masks and depth.

A video's pictures are written before its record, so a record that exists is whole; pictures without one are what a
kill left behind, and the next writer drops them. Values are PNG pictures and JSON; nothing is unpickled.
"""

import fcntl
import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

import cv2
import lmdb
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from core.errors import InputError, WorkError
from core.preprocess import Box, DepthImage, Image
from core.records import VideoRecord

DATA = "data.mdb"
SETTINGS_KEY = b"settings"
COMPLETE_KEY = b"complete"
RECORD_PREFIX = b"record/"
BASE_PREFIX = b"base/"
"""Of what forgeries are made from, where preparation makes any: a record that is no clip to train on."""
LOCK = "writer.lock"
FORMAT = 2
"""Changes with the layout of keys and values."""

PictureKind = Literal["crop", "depth", "mask", "poster"]
PICTURE_KINDS: tuple[PictureKind, ...] = ("crop", "depth", "mask", "poster")

FAST_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)
"""Half the time of OpenCV's default on face crops, and no larger."""

MAP_BYTES = 1 << 40
"""Address space reserved, not disk: LMDB's file grows as it is written."""

CHUNK_BYTES = 16 << 20
"""A transaction's pages stay in memory until it ends."""
CHUNK_KEYS = 4096


Picture = tuple[PictureKind, int, bytes]
"""(kind, index of the sample, PNG)."""


class ClipStore:
    """A folder with one LMDB environment. Open it with `read` or `write`."""

    def __init__(self, folder: Path, environment: lmdb.Environment, lock: IO[str] | None = None) -> None:
        self.folder = folder
        self._environment = environment
        self._lock = lock

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open for reading; any number of processes may, also while one writes.

        LMDB then keeps what they see. Of a folder that cannot be written to that is impossible, and unnecessary.
        """
        if not (folder / DATA).is_file():
            raise InputError(f"{folder}: no store here; type `python -m core prepare CORPUS --store {folder}` first")
        try:
            environment = lmdb.open(
                str(folder),
                map_size=MAP_BYTES,
                readonly=True,
                lock=os.access(folder, os.W_OK),
                max_readers=64,
                readahead=False,
            )
        except lmdb.Error as error:
            raise InputError(f"{folder}: not a readable store ({error}); prepare it again in another folder") from error
        store = cls(folder, environment)
        found = store.settings().get("format")
        if found != FORMAT:
            environment.close()
            raise InputError(f"{folder}: store format {found!r}, this version reads {FORMAT}; prepare it again")
        return store

    @classmethod
    def write(cls, folder: Path, settings: Mapping[str, Any]) -> Self:
        """Open for writing, new or to go on; `settings` must be those it was begun with.

        Raises InputError for other settings, and while another process writes; WorkError where nothing can be written.
        """
        with ExitStack() as undo:
            lock = undo.enter_context(_locked(folder))
            store = cls(folder, undo.enter_context(_writable(folder)), lock)
            wanted = json.loads(json.dumps({**settings, "format": FORMAT}))
            found = store.settings()
            if found and found != wanted:
                changed = ", ".join(sorted(name for name in wanted | found if wanted.get(name) != found.get(name)))
                raise InputError(
                    f"{folder}: begun with other settings ({changed}); give another --store, or remove this folder"
                )
            if not found:
                with store._writing("its settings") as transaction:
                    transaction.put(SETTINGS_KEY, json.dumps(wanted, sort_keys=True).encode())
            undo.pop_all()
            return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files, and of the right to write."""
        self._environment.close()
        if self._lock is not None:
            self._lock.close()

    def settings(self) -> dict[str, Any]:
        """What the store was prepared with; empty in a new one."""
        with self._environment.begin() as transaction:
            value = transaction.get(SETTINGS_KEY)
        return dict(json.loads(value)) if value else {}

    def records(self) -> list[VideoRecord]:
        """Every complete clip, sorted by path, originals before forgeries."""
        return sorted(self.each_record(), key=lambda record: (record.path, record.label != "real", record.method))

    def each_record(self, prefix: bytes = RECORD_PREFIX) -> Iterator[VideoRecord]:
        """Every complete clip (or, with `BASE_PREFIX`, base), one at a time, sorted by key."""
        try:
            with self._environment.begin() as transaction, transaction.cursor() as cursor:
                for value in _values(cursor, prefix):
                    yield VideoRecord.model_validate_json(value)
        except ValidationError as error:
            raise InputError(f"{self.folder}: a record in it is damaged; prepare it again in another folder") from error

    def base(self, key: str) -> VideoRecord:
        """The base of that key."""
        with self._environment.begin() as transaction:
            value = transaction.get(BASE_PREFIX + key.encode())
        assert value is not None, key
        return VideoRecord.model_validate_json(value)

    def keys(self, prefix: bytes = RECORD_PREFIX) -> list[str]:
        """The key of every complete clip (or base), sorted."""
        with self._environment.begin() as transaction, transaction.cursor() as cursor:
            return [key.removeprefix(prefix).decode() for key in _keys(cursor, prefix)]

    def add(self, record: VideoRecord, pictures: Iterable[Picture], prefix: bytes = RECORD_PREFIX) -> None:
        """Write a clip (or a base): its pictures in chunks, then the record that makes it whole."""
        for chunk in _chunks(pictures):
            with self._writing(record.path) as transaction:
                for kind, index, png in chunk:
                    transaction.put(_picture_key(kind, record.key, index), png)
        with self._writing(record.path) as transaction:
            transaction.put(prefix + record.key.encode(), record.model_dump_json().encode())

    def keep_only(self, keys: Container[str], prefix: bytes = RECORD_PREFIX) -> None:
        """Drop every clip (or base) whose key is not among `keys`, and the mark of completeness."""
        self._delete([prefix + key.encode() for key in self.keys(prefix) if key not in keys])

    def drop_orphans(self) -> None:
        """Drop pictures that belong to nothing: a kill or `keep_only` left them."""
        owners = {*self.keys(), *self.keys(BASE_PREFIX)}
        with self._environment.begin() as transaction, transaction.cursor() as cursor:
            orphans = [
                key
                for kind in PICTURE_KINDS
                for key in _keys(cursor, f"{kind}/".encode())
                if key.split(b"/")[1].decode() not in owners
            ]
        self._delete(orphans)

    def _delete(self, keys: Sequence[bytes]) -> None:
        with self._writing("that it is unfinished") as transaction:
            transaction.delete(COMPLETE_KEY)
        for first in range(0, len(keys), CHUNK_KEYS):
            with self._writing("what is no longer needed") as transaction:
                for key in keys[first : first + CHUNK_KEYS]:
                    transaction.delete(key)

    def complete(self, fingerprint: str) -> None:
        """Mark the store as whole; `fingerprint` names what it holds."""
        with self._writing("its fingerprint") as transaction:
            transaction.put(COMPLETE_KEY, fingerprint.encode())

    @property
    def fingerprint(self) -> str:
        """What the whole store holds; InputError where its preparation was not finished."""
        with self._environment.begin() as transaction:
            value = transaction.get(COMPLETE_KEY)
        if value is None:
            raise InputError(f"{self.folder}: its preparation was not finished; type `python -m core prepare` again")
        return bytes(value).decode()

    def crop(self, record: VideoRecord, index: int) -> tuple[Image, Box]:
        """The stored crop of a kept sample, uint8 [H, W, 3] RGB, and the face box in it."""
        x, y = record.samples[index].origin
        return self._picture("crop", record, index), record.box(index).shifted(-x, -y)

    def depth(self, record: VideoRecord, index: int) -> DepthImage:
        """The depth of the same crop, uint16 [H, W]."""
        return self._picture("depth", record, index)

    def mask(self, record: VideoRecord, index: int) -> npt.NDArray[np.uint8]:
        """Where a forgery made here changed the same crop: uint8 [H, W], 0-255 is a share of 0-1."""
        return self._picture("mask", record, index)

    def poster(self, record: VideoRecord, index: int) -> Image | None:
        """The whole frame of a sample, reduced: uint8 [H, W, 3], RGB; None where the store holds none of it."""
        with self._environment.begin() as transaction:
            if transaction.get(_picture_key("poster", record.key, index)) is None:
                return None
        return self._picture("poster", record, index)

    @contextmanager
    def _writing(self, what: str) -> Iterator[lmdb.Transaction]:
        """A transaction that takes effect whole or, on a full disk, not at all."""
        try:
            with self._environment.begin(write=True) as transaction:
                yield transaction
        except (lmdb.Error, OSError) as error:
            raise WorkError(
                f"{self.folder}: could not write {what} ({error}); what was written before stays readable: "
                "make room and type the same command again"
            ) from error

    def _picture(self, kind: str, record: VideoRecord, index: int) -> npt.NDArray[Any]:
        with self._environment.begin(buffers=True) as transaction:
            value = transaction.get(_picture_key(kind, record.key, index))
            picture = None if value is None else decode_png(value)
        if picture is None:
            raise WorkError(f"{self.folder}: the {kind} of {record.path}, sample {index}, is damaged; prepare it again")
        return picture


def encode_png(picture: npt.NDArray[Any]) -> bytes:
    """Lossless PNG of uint8 [H, W, 3] RGB or uint16 [H, W]."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", picture, FAST_PNG)
    assert done
    return data.tobytes()


def decode_png(data: bytes | memoryview) -> npt.NDArray[Any] | None:
    """What `encode_png` was given; None where `data` is no picture."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if picture is not None and picture.ndim == 3 else picture


def _locked(folder: Path) -> IO[str]:
    """The right to write to `folder`, held while the file is open: unlike a pid file it ends with its process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+", encoding="ascii")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror}); give another --store") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise InputError(
            f"{folder}: process {holder} is writing to it; wait until it has finished, or give another --store"
        ) from None
    try:
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
    except OSError as error:
        lock.close()
        raise WorkError(f"{folder}: cannot be written to ({error.strerror}); make room and try again") from error
    return lock


def _writable(folder: Path) -> lmdb.Environment:
    try:
        environment = lmdb.open(str(folder), map_size=MAP_BYTES, writemap=False)
        # Processes that were killed while they read would hold their pages for ever.
        environment.reader_check()
        return environment
    except lmdb.Error as error:
        raise WorkError(f"{folder}: the store cannot be opened ({error}); give another --store") from error


def _values(cursor: lmdb.Cursor, prefix: bytes) -> Iterator[bytes]:
    if not cursor.set_range(prefix):
        return
    for key, value in cursor:
        if not bytes(key).startswith(prefix):
            return
        yield bytes(value)


def _keys(cursor: lmdb.Cursor, prefix: bytes) -> Iterator[bytes]:
    """The keys alone: the values stay on disk."""
    if not cursor.set_range(prefix):
        return
    for key in cursor.iternext(keys=True, values=False):
        if not bytes(key).startswith(prefix):
            return
        yield bytes(key)


def _chunks(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    chunk: list[Picture] = []
    size = 0
    for picture in pictures:
        chunk.append(picture)
        size += len(picture[2])
        if size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _picture_key(kind: str, key: str, index: int) -> bytes:
    return f"{kind}/{key}/{index:06d}".encode()
