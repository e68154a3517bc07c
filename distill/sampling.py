"""Which clips a step takes: both classes alike, people in turn, every clip through its variants.

Everything is a function of the seed and the number of the step, so that a run that was killed goes on with the very
batches that it would have seen.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.clips import ClipWindow
from core.seeding import seeded_generator


@dataclass(frozen=True, kw_only=True)
class Draw:
    """N clips, the first half real, the second half fake."""

    windows: tuple[int, ...]
    """Places in the list of windows."""
    variants: tuple[int, ...]
    """k of each."""
    replaced: int
    """How many stand in for a clip below minimum coverage."""


class Schedule:
    """The clips of every step, drawn evenly by person within each class, and in turn for each person.

    A clip's k-th appearance shows its variant k mod K. A clip below minimum coverage is replaced by another of its
    class, if it can be of somebody who is not in the batch yet, so that batches keep their size.
    """

    def __init__(
        self, windows: Sequence[ClipWindow], *, covered: Sequence[bool], count: int, variants: int, seed: int
    ) -> None:
        """`windows` with a `covered` one of each class; `count` clips a step, half of them fake."""
        self.count, self._variants, self._seed = count, max(1, variants), seed
        self._identity = [window.record.identity for window in windows]
        self._covered = list(covered)
        self._classes: list[dict[str, list[int]]] = [defaultdict(list), defaultdict(list)]
        for place, window in enumerate(windows):
            self._classes[window.is_fake][self._identity[place]].append(place)
        assert all(any(covered[place] for clips in people.values() for place in clips) for people in self._classes), (
            "both classes need a clip that shows enough of a face"
        )
        self._permutation = lru_cache(maxsize=4096)(self._drawn_permutation)

    @property
    def epoch_steps(self) -> int:
        """Steps that take as many clips as the larger class has."""
        largest = max(sum(map(len, people.values())) for people in self._classes)
        return max(1, round(2 * largest / self.count))

    def at(self, step: int) -> Draw:
        """What step `step` (from 0) takes."""
        half = self.count // 2
        windows: list[int] = []
        variants: list[int] = []
        replaced = 0
        for label in (0, 1):
            people: set[str] = set()
            for place in range(step * half, (step + 1) * half):
                window, turn = self._taken(label, place)
                if not self._covered[window]:
                    window, replaced = self._other(label, place, people), replaced + 1
                people.add(self._identity[window])
                windows.append(window)
                variants.append(turn % self._variants)
        return Draw(windows=tuple(windows), variants=tuple(variants), replaced=replaced)

    def _taken(self, label: int, place: int) -> tuple[int, int]:
        """The `place`-th clip of an endless row of one class, and how often it was taken before."""
        people = self._classes[label]
        names = sorted(people)
        turn, seat = divmod(place, len(names))
        clips = people[names[self._permutation(len(names), "people", label, turn)[seat]]]
        cycle, index = divmod(turn, len(clips))
        return clips[self._permutation(len(clips), "clips", clips[0], cycle)[index]], cycle

    def _other(self, label: int, place: int, people: set[str]) -> int:
        """A covered clip of that class, of somebody who is not among `people` if there is one."""
        covered = [clip for clips in self._classes[label].values() for clip in clips if self._covered[clip]]
        fresh = [clip for clip in covered if self._identity[clip] not in people] or covered
        return fresh[int(seeded_generator("replacement", self._seed, label, place).integers(len(fresh)))]

    def _drawn_permutation(self, length: int, *what: object) -> tuple[int, ...]:
        return tuple(seeded_generator("order", self._seed, *what).permutation(length).tolist())
