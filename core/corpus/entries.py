"""One video of a corpus: what is known of it before it is opened, and how videos are chosen by name."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from core.errors import InputError

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".mpg", ".mpeg", ".avi", ".webm", ".m4v"})

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
VideoLabel = Literal["real", "fake"]
LABELS: tuple[VideoLabel, ...] = get_args(VideoLabel)

NO_SPLIT = cast(Split, "")
"""What stands in an entry until its side is known; no entry of a corpus that was read has it."""

UNDIVIDED: Split = "test"
"""Where everything is that has no side, in a corpus that is only judged."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One video of a corpus. `path` is relative to the corpus folder, with / between its parts."""

    path: str
    label: VideoLabel
    identity: str
    """Who is seen; of a fake, whose video was forged."""
    method: str
    """How a fake was made; `original` for a real video unless the corpus says otherwise."""
    split: Split
    source: str = ""
    """The identity whose face a fake shows, where it is known."""
    compression: str = ""
    """raw, c23 or c40 in FaceForensics++; elsewhere nothing."""

    @property
    def people(self) -> tuple[str, ...]:
        """The identities that must not be seen on another side of the split: one, or two of a fake."""
        return (self.identity, self.source) if self.source else (self.identity,)


def videos_in(folder: Path) -> Iterator[Path]:
    """The video files at any depth of `folder`, sorted."""
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())


def relative(folder: Path, path: Path) -> str:
    """`path` as an entry of the corpus `folder` has it."""
    return path.relative_to(folder).as_posix()


def counted(number: int, noun: str) -> str:
    """`1 fake`, `2 fakes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def counts(entries: Iterable[Entry]) -> str:
    """How many of each label, for messages: `3 real and 5 fake videos`."""
    labels = Counter(entry.label for entry in entries)
    return f"{labels['real']} real and {labels['fake']} fake videos"


def refuse_absent(option: str, names: Sequence[str], there: Collection[str], where: str) -> None:
    """Raise InputError, one line, for the first of `names`, given with `option`, that is not `there` in `where`."""
    for name in names:
        if name not in there:
            raise InputError(
                f"{option} {name}: none such in {where}; "
                + (f"there are {', '.join(sorted(there))}: name some of these" if there else "there are none")
                + f", or leave {option} out"
            )
