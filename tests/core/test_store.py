"""The store: what is put in comes out, whole videos or nothing, and folders that are no store are refused."""

import os
from pathlib import Path

import lmdb
import numpy as np
import pytest

from core.errors import InputError, WorkError
from core.preprocess import Box
from core.records import Sample, VideoRecord
from core.store import BASE_PREFIX, DATA, ClipStore, PictureKind, encode_png

SETTINGS = {"hop": 10, "faces": {"score": 0.0}, "forgeries": ()}


def record(key: str, path: str = "real/a.mp4", samples: int = 2) -> VideoRecord:
    return VideoRecord(
        key=key,
        path=path,
        label="real",
        identity="a",
        method="original",
        split="val",
        samples=tuple(
            Sample(
                index=3 * index,
                time_ms=100.0 * index,
                face=(101.5, 52.25, 30.0, 40.0),
                kept=True,
                origin=(100.0, 50.0),
                depth_valid=True,
            )
            for index in range(samples)
        ),
        frame_size=(640, 480),
        windows=((0, samples),),
        depth_range=(3, 60_000),
    )


def put(store: ClipStore, found: VideoRecord) -> None:
    crop, depth = encode_png(np.zeros((4, 4, 3), np.uint8)), encode_png(np.zeros((4, 4), np.uint16))
    kinds: tuple[tuple[PictureKind, bytes], ...] = (("crop", crop), ("depth", depth))
    store.add(found, [(kind, index, png) for kind, png in kinds for index in range(len(found.samples))])


def keys(folder: Path) -> set[bytes]:
    with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {bytes(key) for key, _ in transaction.cursor()}


def keys_of(store: ClipStore) -> set[bytes]:
    """Of a store that is open."""
    with store._environment.begin() as transaction:
        return {bytes(key) for key, _ in transaction.cursor()}


def test_pictures_come_out_as_they_were_put_in(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    crop = generator.integers(0, 256, (33, 35, 3), np.uint8)
    depth = generator.integers(0, 65536, (33, 35), np.uint16)

    with ClipStore.write(tmp_path, SETTINGS) as store:
        store.add(record("k"), [("crop", 1, encode_png(crop)), ("depth", 1, encode_png(depth))])
    with ClipStore.read(tmp_path) as store:
        found, box = store.crop(record("k"), 1)
        found_depth = store.depth(record("k"), 1)

    np.testing.assert_array_equal(found, crop)
    np.testing.assert_array_equal(found_depth, depth)
    assert box == Box(x=1.5, y=2.25, w=30.0, h=40.0)
    assert found.dtype == np.uint8
    assert found_depth.dtype == np.uint16


def test_records_come_out_sorted_by_path(tmp_path: Path) -> None:
    put_in = [record("1", "z.mp4"), record("2", "a.mp4"), record("3", "m.mp4")]
    with ClipStore.write(tmp_path, SETTINGS) as store:
        for each in put_in:
            put(store, each)
        assert store.keys() == ["1", "2", "3"]
    with ClipStore.read(tmp_path) as store:
        assert store.records() == [put_in[1], put_in[2], put_in[0]]


def test_only_a_completed_store_has_a_fingerprint(tmp_path: Path) -> None:
    with ClipStore.write(tmp_path, SETTINGS) as store:
        with pytest.raises(InputError, match=r"its preparation was not finished; type `python -m core prepare` again"):
            _ = store.fingerprint
        store.complete("abc")
        assert store.fingerprint == "abc"
        store.keep_only(set())
        with pytest.raises(InputError, match="was not finished"):
            _ = store.fingerprint


def test_dropping_a_video_drops_its_pictures_and_leaves_the_others_alone(tmp_path: Path) -> None:
    with ClipStore.write(tmp_path, SETTINGS) as store:
        put(store, record("keep", "a.mp4"))
        put(store, record("drop", "b.mp4"))
        store.keep_only({"keep"})
        store.drop_orphans()
    assert keys(tmp_path) == {
        b"settings",
        b"record/keep",
        *(f"{kind}/keep/{index:06d}".encode() for kind in ("crop", "depth") for index in (0, 1)),
    }


def test_a_video_that_cannot_be_written_whole_has_no_record_and_its_pictures_are_dropped(tmp_path: Path) -> None:
    # LMDB takes no key above 511 bytes: of the second video a picture is refused after one was taken.
    with ClipStore.write(tmp_path, SETTINGS) as store:
        put(store, record("first", samples=1))
        with pytest.raises(
            WorkError, match=r"could not write real/b.mp4 \(.*\); what was written before stays readable"
        ):
            store.add(record("x" * 512, "real/b.mp4"), [])
        with pytest.raises(WorkError, match=r"could not write real/c\.mp4"):
            store.add(record("second", "real/c.mp4"), [("crop", 0, bytes(20 << 20)), ("crop", 10**600, b"png")])
        assert [found.key for found in store.records()] == ["first"]
    assert b"crop/second/000000" in keys(tmp_path)

    with ClipStore.write(tmp_path, SETTINGS) as store:
        store.drop_orphans()

    assert keys(tmp_path) == {b"settings", b"record/first", b"crop/first/000000", b"depth/first/000000"}


def test_bases_are_no_clips(tmp_path: Path) -> None:
    with ClipStore.write(tmp_path, SETTINGS) as store:
        store.add(record("base"), [("crop", 0, b"png")], BASE_PREFIX)
        put(store, record("clip"))
        assert [found.key for found in store.records()] == ["clip"]
        assert store.base("base") == record("base")
        store.keep_only({"clip"})
        store.drop_orphans()
        assert store.keys(BASE_PREFIX) == ["base"]
        assert b"crop/base/000000" in keys_of(store)


def test_a_second_writer_is_told_who_the_first_one_is(tmp_path: Path) -> None:
    with ClipStore.write(tmp_path, SETTINGS):
        message = rf"process {os.getpid()} is writing to it; wait until it has finished, or give another --store"
        with pytest.raises(InputError, match=message):
            ClipStore.write(tmp_path, SETTINGS)
    with ClipStore.write(tmp_path, SETTINGS):
        pass


def test_a_refused_writer_leaves_the_store_to_the_next(tmp_path: Path) -> None:
    with ClipStore.write(tmp_path, SETTINGS):
        pass
    with pytest.raises(InputError, match="begun with other settings"):
        ClipStore.write(tmp_path, {**SETTINGS, "seed": 1})
    with ClipStore.write(tmp_path, SETTINGS):
        pass


def test_the_same_settings_go_on_and_others_are_refused_by_name(tmp_path: Path) -> None:
    with ClipStore.write(tmp_path, SETTINGS) as store:
        put(store, record("k"))
    with ClipStore.write(tmp_path, dict(SETTINGS)) as store:
        assert store.keys() == ["k"]
    message = r"begun with other settings \(faces, seed\); give another --store, or remove this folder"
    with pytest.raises(InputError, match=message):
        ClipStore.write(tmp_path, {**SETTINGS, "faces": {"score": 0.5}, "seed": 1})
    with ClipStore.read(tmp_path) as store:
        assert store.settings()["faces"] == {"score": 0.0}


def test_a_folder_without_a_store_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"no store here; type `python -m core prepare CORPUS --store {tmp_path}`"):
        ClipStore.read(tmp_path)


@pytest.mark.parametrize("data", [b"not a database", bytes(8192)])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / DATA).write_bytes(data)
    with pytest.raises(InputError, match=r"not a readable store \(.*\); prepare it again in another folder"):
        ClipStore.read(tmp_path)


def test_a_database_of_another_format_is_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"settings", b'{"format": 99}')
    with pytest.raises(InputError, match=r"store format 99, this version reads 2; prepare it again"):
        ClipStore.read(tmp_path)


def test_a_damaged_record_is_refused_and_a_damaged_picture_named(tmp_path: Path) -> None:
    with ClipStore.write(tmp_path, SETTINGS) as store:
        store.add(record("k"), [("crop", 0, b"no picture")])
    with ClipStore.read(tmp_path) as store:
        for index in (0, 1):
            with pytest.raises(WorkError, match=rf"the crop of real/a.mp4, sample {index}, is damaged; prepare"):
                store.crop(record("k"), index)
    with lmdb.open(str(tmp_path)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"record/k", b'{"key": "k"}')
    with ClipStore.read(tmp_path) as store, pytest.raises(InputError, match="a record in it is damaged"):
        store.records()
