"""Prepared clips in LMDB: lossless face crops, boxes, validity and depth, and what each belongs to.

A video's keys are written in one transaction that ends with its record, so a record that exists is whole. Values are
PNG pictures and JSON; nothing is unpickled.
"""

import json
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import lmdb
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from core.corpus import Split, VideoLabel
from core.errors import InputError, WorkError
from core.preprocess import Box, DepthImage, Image

DATA = "data.mdb"
SETTINGS_KEY = b"settings"
COMPLETE_KEY = b"complete"
RECORD_PREFIX = b"record/"
FORMAT = 1
"""Changes with the layout of keys and values."""

FAST_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)
"""Half the time of OpenCV's default on face crops, and no larger."""

MAP_BYTES = 1 << 40
"""Address space reserved, not disk: LMDB's file grows as it is written."""


class Sample(BaseModel):
    """One sampled frame of a video."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_ms: float
    box: tuple[float, float, float, float] | None
    """x, y, w, h in pixels of the stored crop; None where no face was found."""
    depth_valid: bool


class VideoRecord(BaseModel):
    """All that is known of a prepared video but its pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    """Content hash of the video and of the preparation."""
    path: str
    label: VideoLabel
    identity: str
    method: str
    split: Split
    samples: tuple[Sample, ...]
    windows: tuple[tuple[int, int], ...]
    """[start, end) over samples; those below the minimum coverage are among them."""
    depth_range: tuple[int, int] | None
    """Smallest and largest depth over the whole clip; None where it has none."""


class ClipStore:
    """A folder with one LMDB environment. Open it with `read` or `write`."""

    def __init__(self, folder: Path, environment: lmdb.Environment) -> None:
        self.folder = folder
        self._environment = environment

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open for reading; any number of processes may."""
        if not (folder / DATA).is_file():
            raise InputError(f"{folder}: no store here; type `python -m core prepare CORPUS --store {folder}` first")
        try:
            environment = lmdb.open(str(folder), readonly=True, lock=False, max_readers=64, readahead=False)
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
        """Open for writing, new or to go on; `settings` must be those it was begun with."""
        folder.mkdir(parents=True, exist_ok=True)
        environment = lmdb.open(str(folder), map_size=MAP_BYTES, writemap=False)
        store = cls(folder, environment)
        wanted = json.loads(json.dumps({**settings, "format": FORMAT}))
        found = store.settings()
        if found and found != wanted:
            changed = ", ".join(sorted(name for name in wanted | found if wanted.get(name) != found.get(name)))
            environment.close()
            raise InputError(
                f"{folder}: begun with other settings ({changed}); give another --store, or remove this folder"
            )
        if not found:
            with environment.begin(write=True) as transaction:
                transaction.put(SETTINGS_KEY, json.dumps(wanted, sort_keys=True).encode())
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._environment.close()

    def settings(self) -> dict[str, Any]:
        """What the store was prepared with; empty in a new one."""
        with self._environment.begin() as transaction:
            value = transaction.get(SETTINGS_KEY)
        return dict(json.loads(value)) if value else {}

    def records(self) -> list[VideoRecord]:
        """Every complete video, sorted by path."""
        with self._environment.begin() as transaction, transaction.cursor() as cursor:
            values = list(_values(cursor, RECORD_PREFIX))
        try:
            return sorted(
                (VideoRecord.model_validate_json(value) for value in values), key=lambda r: (r.path, r.method)
            )
        except ValidationError as error:
            raise InputError(f"{self.folder}: a record in it is damaged; prepare it again in another folder") from error

    def __contains__(self, key: str) -> bool:
        with self._environment.begin() as transaction:
            return transaction.get(_record_key(key)) is not None

    def add(self, record: VideoRecord, crops: Mapping[int, bytes], depths: Mapping[int, bytes]) -> None:
        """Write a video whole: PNG-encoded crops and depth crops by sample index, then the record."""
        try:
            with self._environment.begin(write=True) as transaction:
                for index, png in crops.items():
                    transaction.put(_picture_key("crop", record.key, index), png)
                for index, png in depths.items():
                    transaction.put(_picture_key("depth", record.key, index), png)
                transaction.put(_record_key(record.key), record.model_dump_json().encode())
        except lmdb.Error as error:
            raise WorkError(
                f"{self.folder}: could not write {record.path} ({error}); what was written stays readable"
            ) from error

    def keep_only(self, keys: Container[str]) -> None:
        """Drop every video whose key is not among `keys`, and the mark of completeness."""
        stale = [record for record in self.records() if record.key not in keys]
        with self._environment.begin(write=True) as transaction:
            transaction.delete(COMPLETE_KEY)
            for record in stale:
                for index in range(len(record.samples)):
                    transaction.delete(_picture_key("crop", record.key, index))
                    transaction.delete(_picture_key("depth", record.key, index))
                transaction.delete(_record_key(record.key))

    def complete(self, fingerprint: str) -> None:
        """Mark the store as whole; `fingerprint` names what it holds."""
        with self._environment.begin(write=True) as transaction:
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
        """The stored crop of a sample that has a face, uint8 [H, W, 3] RGB, and the face box in it."""
        box = record.samples[index].box
        assert box is not None
        picture = self._picture("crop", record, index)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8), Box(
            x=box[0], y=box[1], w=box[2], h=box[3]
        )

    def depth(self, record: VideoRecord, index: int) -> DepthImage:
        """The depth of the same crop, uint16 [H, W]."""
        return self._picture("depth", record, index)

    def _picture(self, kind: str, record: VideoRecord, index: int) -> npt.NDArray[Any]:
        with self._environment.begin(buffers=True) as transaction:
            value = transaction.get(_picture_key(kind, record.key, index))
            picture = None if value is None else cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_UNCHANGED)
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


def _values(cursor: lmdb.Cursor, prefix: bytes) -> Iterator[bytes]:
    if not cursor.set_range(prefix):
        return
    for key, value in cursor:
        if not bytes(key).startswith(prefix):
            return
        yield bytes(value)


def _record_key(key: str) -> bytes:
    return RECORD_PREFIX + key.encode()


def _picture_key(kind: str, key: str, index: int) -> bytes:
    return f"{kind}/{key}/{index:06d}".encode()
