"""A store that is made in no time: noise for faces, labels and validity as a test wants them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from core.corpus import Split
from core.records import Sample, VideoRecord
from core.store import ClipStore, Picture, encode_png

SIDE = 48
"""Of a stored crop, px; the face box in it is 32 px wide."""

MadeStore = Callable[[Sequence[VideoRecord]], ClipStore]


def record(
    name: str,
    *,
    is_fake: bool,
    split: Split = "train",
    samples: int = 20,
    no_face: Sequence[int] = (),
    depth: bool = True,
) -> VideoRecord:
    """A video with one window; samples `no_face` show none, the others have `depth`."""
    return VideoRecord(
        key=name,
        path=f"{name}.mp4",
        label="fake" if is_fake else "real",
        identity=name,
        method="none",
        split=split,
        samples=tuple(
            Sample(
                index=index,
                time_ms=100.0 * index,
                face=None if index in no_face else (8.0, 8.0, 32.0, 32.0),
                kept=index not in no_face,
                depth_valid=depth and index not in no_face,
            )
            for index in range(samples)
        ),
        frame_size=(SIDE, SIDE),
        windows=((0, samples),),
        depth_range=(0, 65535),
    )


@pytest.fixture
def made_store(tmp_path: Path) -> Iterator[MadeStore]:
    """Makes a whole store of records, every picture of it seeded noise."""
    with ExitStack() as stack:

        def make(records: Sequence[VideoRecord]) -> ClipStore:
            store = stack.enter_context(ClipStore.write(tmp_path / "store", {"code": 1}))
            generator = np.random.default_rng(0)
            for row in records:
                faces = [index for index, sample in enumerate(row.samples) if sample.kept]
                pictures: list[Picture] = []
                for i in faces:
                    pictures.append(("crop", i, encode_png(generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8))))
                    pictures.append(("depth", i, encode_png(generator.integers(0, 65536, (SIDE, SIDE), np.uint16))))
                store.add(row, pictures)
            store.complete("made")
            return store

        yield make
