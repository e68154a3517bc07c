"""Small corpora and raw stores: what tests of preparation share."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import lmdb

from core.corpus import INDEX, Corpus, Entry, VideoLabel
from core.records import VideoRecord
from core.store import ClipStore


def touch(folder: Path, paths: Iterable[str]) -> Path:
    """Empty files: a corpus is read without opening a video."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


def indexed(folder: Path, *rows: str, header: str = "path,label,identity,method,split") -> Path:
    """A corpus of `rows` of corpus.csv; files are made for the paths that do not begin with `absent`."""
    folder.mkdir(exist_ok=True)
    touch(folder, (path for row in rows if not (path := row.split(",")[0]).startswith("absent")))
    (folder / INDEX).write_text("\n".join([header, *rows]) + "\n")
    return folder


def corpus_of(folder: Path) -> Corpus:
    """Every video of `folder`, in train; what stands before the first _ tells the person."""
    entries = tuple(
        Entry(
            path=path.relative_to(folder).as_posix(),
            label=label_of(path),
            identity=path.stem.split("_")[0],
            method="original" if label_of(path) == "real" else "unknown",
            split="train",
        )
        for path in sorted(folder.glob("*/*.mp4"))
    )
    return Corpus(folder=folder, entries=entries, identities_from="the file names")


def only(folder: Path, *paths: str) -> Corpus:
    """The corpus of `folder`, but only those of its videos."""
    corpus = corpus_of(folder)
    entries = tuple(entry for entry in corpus.entries if entry.path in paths)
    return Corpus(folder=folder, entries=entries, identities_from=corpus.identities_from)


def label_of(path: Path) -> VideoLabel:
    """By the folder."""
    return "fake" if path.parent.name == "fake" else "real"


def sides(corpus: Corpus) -> dict[str, set[str]]:
    """On which sides each person is seen."""
    out: dict[str, set[str]] = defaultdict(set)
    for entry in corpus.entries:
        for person in entry.people:
            out[person].add(entry.split)
    return out


def raw(store: Path) -> dict[bytes, bytes]:
    """Every key and value of a store, read by LMDB alone."""
    with lmdb.open(str(store), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {bytes(key): bytes(value) for key, value in transaction.cursor()}


def records(store: Path) -> dict[str, VideoRecord]:
    """By path."""
    with ClipStore.read(store) as opened:
        return {record.path: record for record in opened.records()}
