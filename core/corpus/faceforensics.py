"""FaceForensics++ as it is distributed: its folders, its file names and its official split.

Layout, names and split files are those of https://github.com/ondyari/FaceForensics/tree/master/dataset. The YouTube
part has an official split, by pairs of videos that are forged into one another. The actors' part, DeepFakeDetection,
has none: it is drawn by actor.
"""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core.corpus.entries import (
    LABELS,
    NO_SPLIT,
    SPLITS,
    UNDIVIDED,
    Entry,
    Split,
    VideoLabel,
    counted,
    counts,
    refuse_absent,
    relative,
    videos_in,
)
from core.corpus.splits import draw_sides, lacking
from core.errors import InputError

ORIGINALS, FORGERIES = "original_sequences", "manipulated_sequences"
YOUTUBE, ACTORS = "youtube", "actors"
ORIGIN = {
    "Deepfakes": YOUTUBE,
    "Face2Face": YOUTUBE,
    "FaceSwap": YOUTUBE,
    "NeuralTextures": YOUTUBE,
    "FaceShifter": YOUTUBE,
    "DeepFakeDetection": ACTORS,
}
"""The methods, and which originals each forges."""
COMPRESSIONS = ("raw", "c23", "c40")
OFFICIAL = "https://github.com/ondyari/FaceForensics/tree/master/dataset/splits"

NAMED = "the file names of FaceForensics++"
"""How identities are found, for the log."""

# (label, origin) -> the stem of a file: the target, and of a fake the source.
_PATTERNS = {
    ("real", YOUTUBE): re.compile(r"(?P<target>\d+)"),
    ("fake", YOUTUBE): re.compile(r"(?P<target>\d+)_(?P<source>\d+)"),
    ("real", ACTORS): re.compile(r"(?P<target>\d+)__.+"),
    ("fake", ACTORS): re.compile(r"(?P<target>\d+)_(?P<source>\d+)__.+__\w+"),
}

# A draw of the actors that leaves a side without fakes, since those across two sides are dropped, is repeated.
_DRAWS = 100


def is_faceforensics(folder: Path) -> bool:
    """Whether `folder` holds FaceForensics++, or a part of it."""
    return (folder / ORIGINALS).is_dir() or (folder / FORGERIES).is_dir()


def has_official_side(entry: Entry) -> bool:
    """Whether FaceForensics++ itself says on which side of the split its video `entry` is."""
    return _origin(entry) == YOUTUBE


def read_faceforensics(
    folder: Path,
    *,
    methods: Sequence[str],
    compressions: Sequence[str],
    needed: Collection[VideoLabel],
    undivided: bool,
    seed: int,
) -> tuple[list[Entry], list[str]]:
    """The videos of the methods and compressions named (none: all there), and lines for the log of what was left out.

    Originals come with the methods that forge them. The actors' split is drawn from all actors that are there, whatever
    is chosen, so that two choices never put an actor on different sides; `undivided`, they are all on the test side.
    Raises InputError (one line) for names that are not there, split files that are missing, damaged or contradict one
    another, and actors too few to split so that every side has a video of each label in `needed` that they have.
    """
    found, notes = _found(folder)
    chosen = _chosen(folder, found, methods=methods, compressions=compressions)
    unnamed = [entry for entry in chosen if not entry.identity]
    if unnamed:
        notes.append(
            f"{counted(len(unnamed), 'video')} left out: named otherwise than FaceForensics++ names them, "
            f"such as {unnamed[0].path}"
        )
    chosen = [entry for entry in chosen if entry.identity]
    placed: list[Entry] = []
    youtube = [entry for entry in chosen if _origin(entry) == YOUTUBE]
    if youtube:
        side = _official(folder / "splits")
        listed = [entry for entry in youtube if all(person in side for person in entry.people)]
        if len(listed) < len(youtube):
            missing = counted(len(youtube) - len(listed), "video")
            notes.append(f"{missing} left out: in no official split")
        kept = _placed(listed, side)
        if len(kept) < len(listed):
            dropped = counted(len(listed) - len(kept), "fake")
            notes.append(f"{dropped} dropped: target and source are on different sides of the official split")
        placed += kept
    actors = [entry for entry in chosen if _origin(entry) == ACTORS]
    if actors and undivided:
        placed += [replace(entry, split=UNDIVIDED) for entry in actors]
    elif actors:
        everyone = [entry for entry in found if _origin(entry) == ACTORS and entry.identity]
        kept = _placed(actors, _drawn(folder, everyone, needed=needed, seed=seed))
        if len(kept) < len(actors):
            dropped = counted(len(actors) - len(kept), "fake")
            notes.append(f"{dropped} dropped: their two actors are on different sides of the split, drawn by actor")
        placed += kept
    if not placed:
        raise InputError(
            f"{folder}: no video of FaceForensics++ in it{''.join(f'; {note}' for note in notes)}; download it, "
            f"such as {ORIGINALS}/{YOUTUBE}/c23/videos and {FORGERIES}/Deepfakes/c23/videos"
        )
    return placed, notes + _telltale(placed)


def _found(folder: Path) -> tuple[list[Entry], list[str]]:
    """Every video where FaceForensics++ has one, without a side, and without an identity if its name tells none."""
    entries, notes = [], []
    for place in sorted([*folder.glob(f"{ORIGINALS}/*/*/videos"), *folder.glob(f"{FORGERIES}/*/*/videos")]):
        sequences, kind, compression, _ = place.relative_to(folder).parts
        label: VideoLabel = "real" if sequences == ORIGINALS else "fake"
        origin = ORIGIN.get(kind, "") if label == "fake" else kind
        paths = list(videos_in(place))
        if origin not in (YOUTUBE, ACTORS) or compression not in COMPRESSIONS:
            if paths:
                left_out = counted(len(paths), "video")
                notes.append(f"{left_out} left out: {relative(folder, place)} is not of FaceForensics++")
            continue
        for path in paths:
            match = _PATTERNS[label, origin].fullmatch(path.stem)
            people = {} if match is None else match.groupdict()
            entries.append(
                Entry(
                    path=relative(folder, path),
                    label=label,
                    identity=_identity(people.get("target"), origin),
                    method="original" if label == "real" else kind,
                    split=NO_SPLIT,
                    source=_identity(people.get("source"), origin),
                    compression=compression,
                )
            )
    return entries, notes


def _identity(number: str | None, origin: str) -> str:
    """Actor 01 is not the person of a YouTube video."""
    return "" if number is None else number if origin == YOUTUBE else f"actor-{number}"


def _origin(entry: Entry) -> str:
    return entry.path.split("/")[1] if entry.label == "real" else ORIGIN[entry.method]


def _chosen(
    folder: Path, entries: Sequence[Entry], *, methods: Sequence[str], compressions: Sequence[str]
) -> list[Entry]:
    there = {entry.compression for entry in entries}
    refuse_absent("--compressions", compressions, there, f"{folder} ({', '.join(COMPRESSIONS)} are known)")
    entries = [entry for entry in entries if not compressions or entry.compression in compressions]
    among = f" in {', '.join(compressions)}" if compressions else ""
    there = {entry.method for entry in entries if entry.label == "fake"}
    refuse_absent("--methods", methods, there, f"{folder}{among} ({', '.join(ORIGIN)} are known)")
    if not methods:
        return list(entries)
    origins = {ORIGIN[method] for method in methods}
    return [
        entry for entry in entries if (_origin(entry) in origins if entry.label == "real" else entry.method in methods)
    ]


def _official(folder: Path) -> dict[str, Split]:
    """The side of each YouTube video in the official split."""
    side: dict[str, Split] = {}
    for split in SPLITS:
        file = folder / f"{split}.json"
        if not file.is_file():
            raise InputError(f"{file}: no such file; the official split is needed: download it from {OFFICIAL}")
        try:
            pairs = json.loads(file.read_bytes())
        except (ValueError, RecursionError, OSError) as error:
            raise InputError(f"{file}: damaged, no JSON can be read; download it again from {OFFICIAL}") from error
        if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
            raise InputError(f'{file}: not a list of pairs of ids, as in [["071", "054"]]; download it from {OFFICIAL}')
        for identity in (identity for pair in pairs for identity in pair):
            if side.setdefault(identity, split) != split:
                raise InputError(
                    f"{file}: video {identity} is in {side[identity]}.json too; one person's videos must stay on one "
                    f"side: download both files from {OFFICIAL}"
                )
    return side


def _is_pair(pair: object) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(identity, str) and identity.isdecimal() for identity in pair)
    )


def _placed(entries: Sequence[Entry], side: Mapping[str, Split]) -> list[Entry]:
    """`entries` with their side, without the fakes that show people of two."""
    placed = [replace(entry, split=side[entry.identity]) for entry in entries]
    return [entry for entry in placed if all(side[person] == entry.split for person in entry.people)]


def _drawn(folder: Path, entries: Sequence[Entry], *, needed: Collection[VideoLabel], seed: int) -> dict[str, Split]:
    """A side for each actor: the first of some draws that leaves every label on every side."""
    labels: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        labels[entry.identity].add(entry.label)
        for person in entry.people:
            labels.setdefault(person, set())
    there = {entry.label for entry in entries} & set(needed)
    generator = random.Random(seed)
    for _ in range(_DRAWS):
        side = draw_sides(labels, generator)
        if not lacking(_placed(entries, side), there):
            return side
    raise InputError(
        f"{folder}: {counted(len(labels), 'actor')} ({counts(entries)}) cannot be split by actor into train, val and "
        "test with both people of a fake on one side; download more of them, or name other --methods"
    )


def _telltale(entries: Sequence[Entry]) -> list[str]:
    """Lines on compressions in which only one class is there, where others have both: they give the label away."""
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        labels[entry.compression][entry.label] += 1
    everything = {entry.label for entry in entries}
    return [
        f"only {label} videos in {compression}, {labels[compression][label]} of them: a compression that gives the "
        "label away"
        for compression in COMPRESSIONS
        for label in LABELS
        if len(everything) == 2 and set(labels[compression]) == {label}
    ]
