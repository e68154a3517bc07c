"""The sides of a corpus: drawn by identity, seeded and stratified by label; nobody is seen on two of them."""

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core.corpus.entries import LABELS, SPLITS, Entry, Split, VideoLabel, counts
from core.errors import InputError

HELD_OUT_SHARE = 0.2
"""Of the identities, for each side that is held out; the rest are for train."""
HELD_OUT: tuple[Split, ...] = ("val", "test")
"""The sides that a whole split holds out."""


def draw_sides(
    labels: Mapping[str, Collection[str]], generator: random.Random, held_out: Sequence[Split] = HELD_OUT
) -> dict[str, Split]:
    """Deal names out to train and the sides `held_out`, by what labels each has videos of.

    Names of the same labels are dealt out in proportion. Where they are fewer than sides they go to train, but for
    those that another side needs to have every label. Whether all sides have every label then is for the caller to
    check: if they do not, no other deal of these names would. Does not depend on the order of `labels`.
    """
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in sorted(labels):
        strata[tuple(sorted(labels[name]))].append(name)
    side: dict[str, Split] = {}
    few: list[str] = []
    for _, names in sorted(strata.items()):
        generator.shuffle(names)
        if len(names) <= len(held_out):
            few += names
            continue
        count = max(1, round(HELD_OUT_SHARE * len(names)))
        for place, name in enumerate(names):
            side[name] = held_out[place // count] if place < len(held_out) * count else SPLITS[0]
    # Who has videos of both labels first: two who have one each are then left for the next side.
    few.sort(key=lambda name: -len(labels[name]))
    for split in held_out:
        for label in LABELS:
            there = any(label in labels[name] for name, its_side in side.items() if its_side == split)
            fitting = [name for name in few if label in labels[name]]
            if fitting and not there:
                side[fitting[0]] = split
                few.remove(fitting[0])
    return side | dict.fromkeys(few, SPLITS[0])


def with_split(folder: Path, entries: Sequence[Entry], *, needed: Collection[VideoLabel], seed: int) -> list[Entry]:
    """`entries` with a drawn split: whole identities on a side, and both people of a fake on the same one.

    Raises InputError with the counts where not every side gets a video of each label in `needed`.
    """
    group, labels = _grouped(entries)
    side = draw_sides(labels, random.Random(seed))
    placed = [replace(entry, split=side[group[entry.identity]]) for entry in entries]
    if lacking(placed, needed):
        tied = f"; fakes tie them into {len(labels)}" if len(labels) < len(group) else ""
        raise InputError(
            f"{folder}: {len(group)} identities ({counts(entries)}{tied}) cannot be split by identity into "
            f"{', '.join(SPLITS[:2])} and {SPLITS[2]}; at least 3 identities of each kind are needed"
            + (", apart from one another: add videos of other people" if tied else "")
        )
    return placed


def with_validation(
    entries: list[Entry], *, needed: Collection[VideoLabel], seed: int
) -> tuple[list[Entry], list[str]]:
    """`entries` that name train and no val with some of train's identities on that side; and these identities, sorted.

    Drawn as in `with_split`, other sides stay. Entries that name val or no train come back as they are, and so do
    those whose train cannot leave both sides a video of each label in `needed`: then nobody was drawn.
    """
    given = {entry.split for entry in entries}
    if "train" not in given or "val" in given:
        return entries, []
    group, labels = _grouped([entry for entry in entries if entry.split == "train"])
    side = draw_sides(labels, random.Random(seed), held_out=("val",))
    placed = [
        replace(entry, split=side[group[entry.identity]]) if entry.split == "train" else entry for entry in entries
    ]
    if lacking(placed, needed, sides=("train", "val")):
        return entries, []
    return placed, sorted({entry.identity for entry in placed if entry.split == "val"})


def lacking(
    entries: Iterable[Entry], needed: Collection[VideoLabel], sides: Sequence[Split] = SPLITS
) -> list[tuple[Split, VideoLabel]]:
    """Those of `sides` that have no video of a label in `needed`, with that label."""
    there = {(entry.split, entry.label) for entry in entries}
    return [(split, label) for split in sides for label in LABELS if label in needed and (split, label) not in there]


def refuse_shared_people(folder: Path, entries: Iterable[Entry]) -> None:
    """Raise InputError for the first identity that is seen, or whose face a fake shows, on two sides."""
    side: dict[str, Split] = {}
    for entry in entries:
        for person in entry.people:
            if side.setdefault(person, entry.split) != entry.split:
                raise InputError(
                    f"{folder}: identity {person} is in {side[person]} and in {entry.split}; "
                    "one person's videos must stay on one side: correct the column `split`"
                )


def _grouped(entries: Sequence[Entry]) -> tuple[dict[str, str], dict[str, set[str]]]:
    """The group of each identity, and what labels each group has videos of."""
    group = _groups(entries)
    labels: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        labels[group[entry.identity]].add(entry.label)
    return group, labels


def _groups(entries: Iterable[Entry]) -> dict[str, str]:
    """The group of each identity, named by its first member: those tied by the fakes that show two people."""
    group: dict[str, str] = {}

    def root(person: str) -> str:
        group.setdefault(person, person)
        while group[person] != person:
            group[person] = group[group[person]]
            person = group[person]
        return person

    for entry in entries:
        roots = sorted({root(person) for person in entry.people})
        group[roots[-1]] = roots[0]
    return {person: root(person) for person in list(group)}
