"""Which videos a folder holds: their labels, identities, methods and sides of the split."""

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

from core.errors import InputError

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".mpg", ".mpeg", ".avi", ".webm", ".m4v"})
INDEX = "corpus.csv"
COLUMNS = ("path", "label", "identity", "method", "split")

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
VideoLabel = Literal["real", "fake"]

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
"""How a corpus without a split is divided, by identity."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One video of a corpus. `path` is relative to the corpus folder."""

    path: str
    label: VideoLabel
    identity: str
    method: str
    split: Split


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A folder of videos; `entries` are sorted by path."""

    folder: Path
    entries: tuple[Entry, ...]
    identities_from: str
    """How identities were found, for the log."""


def read_corpus(folder: Path, *, real_only: bool = False, seed: int = 0) -> Corpus:
    """Read `folder`: a `corpus.csv`, or `real/` and `fake/`, or (`real_only`) any folders of real videos.

    Without a split one is drawn by identity, seeded and stratified by label; no identity is on two sides.
    `real_only` is for recipes that make their own forgeries: then one class is enough. Raises InputError (one line)
    for a missing or empty corpus, one class where two are needed, and a corpus too small to split.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such corpus folder; give one with real/ and fake/, or type `make demo`")
    if (folder / INDEX).is_file():
        entries, identities_from = _from_index(folder), f"the column `identity` of {INDEX}"
    else:
        entries, identities_from = _from_folders(folder, real_only=real_only)
    if not entries:
        raise InputError(
            f"{folder}: no video in it; put videos ({', '.join(sorted(VIDEO_SUFFIXES))}) into real/ and fake/"
        )
    labels = Counter(entry.label for entry in entries)
    if not real_only and len(labels) < 2:
        (only,) = labels
        raise InputError(
            f"{folder}: all {labels[only]} videos are {only}; add the other class in real/ or fake/, "
            "or choose a recipe that makes forgeries, such as --recipe clips"
        )
    if not all(entry.split for entry in entries):
        entries = _with_split(folder, entries, seed=seed)
    _refuse_shared_identities(folder, entries)
    return Corpus(
        folder=folder,
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        identities_from=identities_from,
    )


def _from_index(folder: Path) -> list[Entry]:
    file = folder / INDEX
    columns, rows = _table(file, delimiter=",")
    if not {"path", "label"} <= set(columns):
        raise InputError(f"{file}: its first line must name the columns {','.join(COLUMNS)} (path and label at least)")
    entries = []
    for number, row in enumerate(rows, start=2):
        label, split = row["label"], row.get("split") or ""
        if label not in get_args(VideoLabel):
            raise InputError(f"{file}, line {number}: label {label!r}; allowed are real and fake")
        if split and split not in SPLITS:
            raise InputError(f"{file}, line {number}: split {split!r}; allowed are {', '.join(SPLITS)} or nothing")
        # A line may be shorter than the first one: what is missing is None.
        if not row["path"] or not (folder / row["path"]).is_file():
            raise InputError(f"{file}, line {number}: no file {row['path']}; correct the path or drop the line")
        entries.append(
            Entry(
                path=row["path"],
                label=cast(VideoLabel, label),
                identity=row.get("identity") or _stem_prefix(Path(row["path"])),
                method=row.get("method") or ("original" if label == "real" else "unknown"),
                split=cast(Split, split),
            )
        )
    return entries


def _from_folders(folder: Path, *, real_only: bool) -> tuple[list[Entry], str]:
    classes = [name for name in get_args(VideoLabel) if (folder / name).is_dir()]
    if classes:
        entries = [
            _entry(folder, path, label=cast(VideoLabel, name), identity=_stem_prefix(path))
            for name in classes
            for path in _videos(folder / name)
        ]
        return entries, "the file names up to the first _ or -"
    if not real_only:
        if next(_videos(folder), None) is None:
            return [], "nothing"
        raise InputError(
            f"{folder}: neither real/ and fake/ nor {INDEX} in it; sort the videos into real/ and fake/, "
            "or choose a recipe that makes forgeries, such as --recipe clips"
        )
    table = next(iter(sorted(folder.glob("*.tsv"))), None)
    known = _identities(table) if table else {}
    entries = [
        _entry(folder, path, label="real", identity=known.get(_relative(folder, path)) or path.stem)
        for path in _videos(folder)
    ]
    return entries, f"the column `identity` of {table.name}" if table else "the file names"


def _identities(table: Path) -> dict[str, str]:
    _, rows = _table(table, delimiter="\t")
    return {row["path"]: row["identity"] for row in rows if row.get("path") and row.get("identity")}


def _table(file: Path, *, delimiter: str) -> tuple[Sequence[str], list[dict[str, str]]]:
    """Column names and rows of a text table in UTF-8, with or without a byte-order mark."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter=delimiter)
            return reader.fieldnames or (), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a table of text in UTF-8; save it as UTF-8, or remove it") from error


def _entry(folder: Path, path: Path, *, label: VideoLabel, identity: str) -> Entry:
    method = "original" if label == "real" else "unknown"
    return Entry(path=_relative(folder, path), label=label, identity=identity, method=method, split=cast(Split, ""))


def _videos(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())


def _relative(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _stem_prefix(path: Path) -> str:
    """Files that share what stands before the first _ or - are taken for one person: `id07_2` -> `id07`."""
    return path.stem.replace("-", "_").split("_", 1)[0]


def _with_split(folder: Path, entries: Sequence[Entry], *, seed: int) -> list[Entry]:
    """Give whole identities to a side, seeded; identities of the same labels are dealt out in proportion."""
    labels: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        labels[entry.identity].add(entry.label)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for identity in sorted(labels):
        groups[tuple(sorted(labels[identity]))].append(identity)
    side: dict[str, Split] = {}
    generator = random.Random(seed)
    for _, identities in sorted(groups.items()):
        if len(identities) < 3:
            counts = Counter(entry.label for entry in entries)
            raise InputError(
                f"{folder}: {len(labels)} identities ({counts['real']} real and {counts['fake']} fake videos) cannot "
                "be split by identity into train, val and test; at least 3 identities of each kind are needed"
            )
        generator.shuffle(identities)
        held_out = max(1, round(SHARES["val"] * len(identities)))
        for place, identity in enumerate(identities):
            side[identity] = "val" if place < held_out else "test" if place < 2 * held_out else "train"
    return [replace(entry, split=side[entry.identity]) for entry in entries]


def _refuse_shared_identities(folder: Path, entries: Sequence[Entry]) -> None:
    side: dict[str, Split] = {}
    for entry in entries:
        if side.setdefault(entry.identity, entry.split) != entry.split:
            raise InputError(
                f"{folder}: identity {entry.identity} is in {side[entry.identity]} and in {entry.split}; "
                "one person's videos must stay on one side: correct the column `split`"
            )
