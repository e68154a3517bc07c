"""Which videos a folder holds: their labels, identities, methods and sides of the split."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.corpus.entries import LABELS, SPLITS, UNDIVIDED, Entry, Split, VideoLabel, counts, refuse_absent
from core.corpus.faceforensics import (
    FORGERIES,
    NAMED,
    ORIGINALS,
    has_official_side,
    is_faceforensics,
    read_faceforensics,
)
from core.corpus.folders import INDEX, read_folder
from core.corpus.splits import lacking, refuse_shared_people, with_split, with_validation
from core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A folder of videos; `entries` are sorted by path."""

    folder: Path
    entries: tuple[Entry, ...]
    identities_from: str
    """How identities were found, for the log."""
    notes: tuple[str, ...] = ()
    """Lines for the log: what was left out, and why."""
    gives_sides: bool = False
    """Whether the corpus tells the sides of the split itself."""


def read_corpus(
    folder: Path,
    *,
    real_only: bool = False,
    undivided: bool = False,
    seed: int = 0,
    methods: Sequence[str] = (),
    compressions: Sequence[str] = (),
) -> Corpus:
    """Read `folder`: a `corpus.csv`, FaceForensics++, `real/` and `fake/`, or (`real_only`) folders of real videos.

    Without a split one is drawn by identity, seeded and stratified by label; a split that names train and no val has
    val drawn from train's people, unless they are too few. No identity is on two sides, neither as the target nor as
    the source of a fake. `methods` keeps only fakes of these, `compressions` only these videos of FaceForensics++ (see
    `faceforensics`); nothing named keeps all. What is drawn does not depend on them: two choices from one corpus agree
    on the sides. `real_only` is for recipes that make their own forgeries: then one class is enough. `undivided` is for
    judging alone: nothing is drawn, what the corpus gives no side is on the test side, and one class, of either kind,
    is enough. Raises InputError (one line) for a missing or empty corpus, names that are not there, one class where two
    are needed, an identity on two sides and a corpus too small to split.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such corpus folder; give one with real/ and fake/, or type `make demo`")
    needed: tuple[VideoLabel, ...] = () if undivided else ("real",) if real_only else LABELS
    if is_faceforensics(folder) and not (folder / INDEX).is_file():
        identities_from = NAMED
        entries, notes = read_faceforensics(
            folder, methods=methods, compressions=compressions, needed=needed, undivided=undivided, seed=seed
        )
        gives_sides = any(has_official_side(entry) for entry in entries)
        _refuse_one_class(folder, entries, needed, sources=(f"{ORIGINALS}/", f"{FORGERIES}/"), notes=notes)
        refuse_shared_people(folder, entries)
    else:
        if compressions:
            raise InputError(
                f"--compressions {compressions[0]}: only FaceForensics++ as it is distributed has compressions, and "
                f"{folder} is not that; leave --compressions out"
            )
        entries, identities_from, notes = *read_folder(folder, real_only=real_only), []
        _refuse_one_class(folder, entries, needed, sources=("real/", "fake/"))
        gives_sides = any(entry.split for entry in entries)
        if undivided and not gives_sides:
            entries = [replace(entry, split=UNDIVIDED) for entry in entries]
        # As the corpus has it, before anything is drawn: what is drawn keeps people together.
        refuse_shared_people(folder, entries)
        entries, people = _sided(folder, entries, methods=methods, needed=needed, seed=seed)
        if people:
            notes.append(f"val: named for no video, so {len(people)} of train's identities are drawn for it")
    return Corpus(
        folder=folder,
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        identities_from=identities_from,
        notes=tuple(notes),
        gives_sides=gives_sides,
    )


def _refuse_one_class(
    folder: Path,
    entries: Sequence[Entry],
    needed: Sequence[VideoLabel],
    *,
    sources: tuple[str, str],
    notes: Sequence[str] = (),
) -> None:
    labels = Counter(entry.label for entry in entries)
    if len(needed) == len(LABELS) > len(labels):
        (only,) = labels
        raise InputError(
            f"{folder}: all {labels[only]} videos are {only}{''.join(f'; {note}' for note in notes)}; "
            f"add the other class in {' or '.join(sources)}, "
            "or have forgeries made: `prepare --forge`, `distill --recipe clips`"
        )


def _sided(
    folder: Path, entries: list[Entry], *, methods: Sequence[str], needed: Sequence[VideoLabel], seed: int
) -> tuple[list[Entry], list[str]]:
    """The entries of the methods chosen, each with its side; and who was drawn for val, where val alone was drawn."""
    there = {entry.label for entry in entries}
    needed = [label for label in needed if label in there]
    drawn: tuple[Split, ...] = ()
    people: list[str] = []
    if not any(entry.split for entry in entries):
        entries, drawn = with_split(folder, entries, needed=needed, seed=seed), SPLITS
    elif needed:
        entries, people = with_validation(entries, needed=needed, seed=seed)
        drawn = ("train", "val") if people else ()
    if not methods:
        return entries, people
    refuse_absent("--methods", methods, {entry.method for entry in entries if entry.label == "fake"}, str(folder))
    chosen = [entry for entry in entries if entry.label == "real" or entry.method in methods]
    if missing := lacking(chosen, needed, drawn):
        raise InputError(
            f"--methods {' '.join(methods)}: with these {missing[0][0]} has no {missing[0][1]} video ({counts(chosen)} "
            f"in all), as the split is drawn for every method of {folder} at once; name more methods, or give the "
            f"column `split` in {INDEX}"
        )
    return chosen, people
