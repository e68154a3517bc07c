"""Videos in any folder: listed in a corpus.csv, sorted into real/ and fake/, or real ones only."""

import contextlib
import csv
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from core.corpus.entries import (
    LABELS,
    NO_SPLIT,
    SPLITS,
    VIDEO_SUFFIXES,
    Entry,
    Split,
    VideoLabel,
    counted,
    relative,
    videos_in,
)
from core.errors import InputError

INDEX = "corpus.csv"
COLUMNS = ("path", "label", "identity", "method", "split")
PREFIX = "the file names up to the first _ or -"
"""How identities are found where nothing gives them, for the log."""


def read_folder(folder: Path, *, real_only: bool) -> tuple[list[Entry], str]:
    """The videos of `folder`, at least one, and how their identities were found; only an index gives them sides.

    Videos that are neither in an index nor in `real/` and `fake/` are real ones with `real_only`, otherwise refused.
    Raises InputError, one line.
    """
    if (folder / INDEX).is_file():
        entries, column = _from_index(folder), f"the column `identity` of {INDEX}"
    else:
        classes = [label for label in LABELS if (folder / label).is_dir()]
        if not classes and (real_only or next(videos_in(folder), None) is None):
            return _from_unsorted(folder)
        if not classes:
            raise InputError(
                f"{folder}: neither real/ and fake/ nor {INDEX} in it; sort the videos into real/ and fake/, "
                "or have forgeries made: `--forge` of prepare and evaluate, `distill --recipe clips`"
            )
        entries = [_entry(relative(folder, path), label) for label in classes for path in videos_in(folder / label)]
        column = ""
    _refuse_none(folder, entries)
    return _with_identities(entries, column)


def _from_index(folder: Path) -> list[Entry]:
    """The videos of corpus.csv; those that it gives no identity have none."""
    file = folder / INDEX
    columns, rows = _table(file, delimiter=",")
    if not {"path", "label"} <= set(columns):
        raise InputError(f"{file}: its first line must name the columns {','.join(COLUMNS)} (path and label at least)")
    entries: dict[str, Entry] = {}
    line_of: dict[str, int] = {}
    for number, row in rows:
        label, split = row["label"], row.get("split") or ""
        if label not in LABELS:
            raise InputError(f"{file}, line {number}: label {label!r}; allowed are real and fake")
        if split and split not in SPLITS:
            raise InputError(f"{file}, line {number}: split {split!r}; allowed are {', '.join(SPLITS)} or nothing")
        # A line may be shorter than the first one: what is missing is None.
        path = _inside(folder, row["path"] or "")
        if path is None:
            raise InputError(
                f"{file}, line {number}: no file {row['path'] or ''!r} in the corpus; correct the path, move the video "
                "there, or drop the line"
            )
        if path in line_of:
            raise InputError(f"{file}, line {number}: {path} is in line {line_of[path]} already; drop one of the two")
        line_of[path] = number
        entry = _entry(path, label)
        entries[path] = replace(
            entry,
            identity=row.get("identity") or "",
            method=row.get("method") or entry.method,
            split=cast(Split, split),
        )
    with_side = sum(bool(entry.split) for entry in entries.values())
    if 0 < with_side < len(entries):
        raise InputError(
            f"{file}: a split for {with_side} of {len(entries)} videos; fill the column `split` in every line, "
            "or in none to have one drawn"
        )
    return list(entries.values())


def _inside(folder: Path, path: str) -> str | None:
    """`path` as an entry has it, where it is a file of the corpus: relative to `folder` and without `..`."""
    place = Path(os.path.normpath(folder / path))
    base = Path(os.path.normpath(folder))
    # A path too long for the system is no file, and says so by an error.
    with contextlib.suppress(OSError):
        if place.is_relative_to(base) and place.is_file():
            return place.relative_to(base).as_posix()
    return None


def _from_unsorted(folder: Path) -> tuple[list[Entry], str]:
    """Videos in any folders, all real; a table beside them may tell who they are, else their names do."""
    entries = [_entry(relative(folder, path), "real") for path in videos_in(folder)]
    _refuse_none(folder, entries)
    table = next((file for file in sorted(folder.glob("*.tsv")) if file.is_file()), None)
    rows = _table(table, delimiter="\t")[1] if table else ()
    known = {row["path"]: row["identity"] for _, row in rows if row.get("path") and row.get("identity")}
    column = f"the column `identity` of {table.name}" if table else ""
    return _with_identities([replace(entry, identity=known.get(entry.path, "")) for entry in entries], column)


def _table(file: Path, *, delimiter: str) -> tuple[Sequence[str], list[tuple[int, dict[str, str]]]]:
    """Column names and numbered rows of a text table in UTF-8, with or without a byte-order mark."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter=delimiter)
            return reader.fieldnames or (), [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a table of text in UTF-8; save it as UTF-8, or remove it") from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); make it readable, or remove it") from error


def _entry(path: str, label: VideoLabel) -> Entry:
    """A video of which only the label is known."""
    method = "original" if label == "real" else "unknown"
    return Entry(path=path, label=label, identity="", method=method, split=NO_SPLIT)


def _refuse_none(folder: Path, entries: Sequence[Entry]) -> None:
    if not entries:
        raise InputError(
            f"{folder}: no video in it; put videos ({', '.join(sorted(VIDEO_SUFFIXES))}) into real/ and fake/"
        )


def _with_identities(entries: Sequence[Entry], column: str) -> tuple[list[Entry], str]:
    """Identities for the entries that `column` gave none, from their names, and how they were all found.

    Files that share what stands before the first _ or - are taken for one person: `id07_2` -> `id07`. A fake named
    after two real videos, TARGET_SOURCE, shows both people.
    """
    named = [entry if entry.identity else replace(entry, identity=_prefix(_stem(entry))) for entry in entries]
    seen: dict[str, set[str]] = defaultdict(set)
    for entry in named:
        if entry.label == "real":
            seen[_stem(entry)].add(entry.identity)
    # Two people may each have a video of one name in folders of their own: such a name tells nothing.
    person = {stem: next(iter(identities)) for stem, identities in seen.items() if len(identities) == 1}
    derived = [place for place, entry in enumerate(entries) if not entry.identity]
    pairs = 0
    for place in derived:
        if named[place].label == "fake" and (pair := _pair(_stem(named[place]), person)):
            named[place] = replace(named[place], identity=pair[0], source=pair[1])
            pairs += 1
    text = _where_from(column, len(entries) - len(derived), PREFIX, len(derived))
    return named, text + (f", TARGET_SOURCE for {counted(pairs, 'fake')} named after real videos" if pairs else "")


def _prefix(stem: str) -> str:
    return stem.replace("-", "_").split("_", 1)[0] or stem


def _pair(stem: str, person: dict[str, str]) -> tuple[str, str] | None:
    """Target and source, where `stem` is the name of a real video, a _ and the name of another."""
    parts = stem.split("_")
    cuts = (("_".join(parts[:cut]), "_".join(parts[cut:])) for cut in range(1, len(parts)))
    return next(
        ((person[target], person[source]) for target, source in cuts if {target, source} <= person.keys()), None
    )


def _where_from(column: str, given: int, names: str, derived: int) -> str:
    """How identities were found: by a column of a table, by names, or each for some of the videos."""
    if not given:
        return names
    return f"{column} for {given} of {given + derived} videos, {names} for {derived}" if derived else column


def _stem(entry: Entry) -> str:
    return Path(entry.path).stem
