"""The batches of every stage of training, each a function of its step."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from core.decision import WINDOW
from core.seeding import seeded_generator
from distill.data import Batch, ClipData, with_twins
from distill.sampling import Draw, Schedule
from distill.streams import Streams
from distill.targets import FrameTargets, FrameTeaching

T = TypeVar("T")

AHEAD = 3
"""Batches that are rendered while one is trained on."""


@dataclass(kw_only=True)
class TaughtFrames:
    """Clips, and what the teacher says of them where it teaches."""

    clips: Batch
    targets: FrameTargets | None = None
    window_logits: Tensor | None = None
    """float32 [N, 2]."""


@dataclass(kw_only=True)
class TaughtWindows:
    """Embeddings of N windows, and what the teacher says of them where it teaches."""

    rgb: Tensor
    """float32 [N, 20, D]."""
    depth: Tensor
    """float32 [N, 20, D]."""
    face_valid: Tensor
    """float32 [N, 20]."""
    depth_valid: Tensor
    """float32 [N, 20]."""
    is_fake: Tensor
    """int64 [N]."""
    kept: Tensor
    """float32 [N, 20]: 0 in slots that are dropped, as a short or patchy video drops them."""
    heard: Tensor
    """float32 [N, 20]: the same for the depth stream."""
    logits: Tensor | None = None
    """float32 [N, 2]."""


class Steps(Dataset[T], Generic[T]):
    """Batches by the number of their step."""

    @property
    def epoch_steps(self) -> int:
        """Steps that show as many clips as the larger class has."""
        raise AssertionError("each kind of batch has its own")

    def ask(self, step: int) -> None:
        """Begin whatever takes time."""

    def replaced(self, count: int) -> int:
        """Clips below minimum coverage that others stood in for in the first `count` steps."""
        return 0


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The same windows shown otherwise, to a trunk that starts from nothing. It lasts for a share of the stage."""

    primer: ClipData | None = None
    primer_share: float = 0.0
    """It is alone for half of this, then comes in fewer and fewer steps."""
    small: ClipData | None = None
    small_share: float = 0.0
    """How long small pictures take the place of the others."""

    def shown(self, step: int, of: int, seed: int) -> ClipData | None:
        """What the stage's step number `step` of `of` shows; None where it is what all later ones show."""
        passed = step / of
        if self.primer is not None and passed < self.primer_share:
            share = min(1.0, 2 * (1 - passed / self.primer_share))
            if seeded_generator("primer", seed, step).random() < share:
                return self.primer
        return self.small if passed < self.small_share else None


class FrameSteps(Steps[TaughtFrames]):
    """Clips of a few slots, half of them real; a share of the fakes are twins of the very clips beside them."""

    def __init__(
        self,
        data: ClipData,
        *,
        count: int,
        seed: int,
        twin_share: float,
        window_logits: Callable[[Sequence[int], Sequence[int]], Tensor] | None = None,
        beginning: Beginning | None = None,
        steps: int = 1,
    ) -> None:
        """A teacher has no answers on what a `beginning` shows, which needs to know how many `steps` there will be."""
        originals = len(data.windows) - len(data.twins)
        # Twins come with their originals, and are fakes of their own only where there is no other.
        fakes = any(data.is_fake[place] for place in range(originals) if data.covered[place])
        self._listed = originals if fakes else len(data.windows)
        self._data, self._twin_share = data, twin_share
        self._teaching: FrameTeaching | None = None
        self._window_logits = window_logits
        self._beginning, self._steps, self._seed = beginning, steps, seed
        self._schedule = Schedule(
            data.windows[: self._listed],
            covered=data.covered[: self._listed],
            count=count,
            variants=data.variants,
            seed=seed,
        )

    @property
    def epoch_steps(self) -> int:
        """See `Schedule`."""
        return self._schedule.epoch_steps

    def ask(self, step: int) -> None:
        """Have the clips rendered."""
        draw, _ = self._drawn(step)
        self._shown(step).ask(draw.windows, draw.variants)

    def __getitem__(self, step: int) -> TaughtFrames:
        draw, pairs = self._drawn(step)
        shown = self._shown(step)
        clips = shown.batch(draw.windows, draw.variants, pairs)
        if shown is not self._data:
            return TaughtFrames(clips=clips)
        return TaughtFrames(
            clips=clips,
            targets=None if self._teaching is None else self._teaching.at(draw.windows, draw.variants),
            window_logits=None if self._window_logits is None else self._window_logits(draw.windows, draw.variants),
        )

    def clips(self, count: int) -> set[tuple[int, int]]:
        """(window, k) of all that the first `count` steps show after the beginning."""
        draws = (self._drawn(step)[0] for step in range(count) if self._shown(step) is self._data)
        return {clip for draw in draws for clip in zip(draw.windows, draw.variants, strict=True)}

    def replaced(self, count: int) -> int:
        """See `Steps`."""
        return sum(self._schedule.at(step).replaced for step in range(count))

    def taught(self, teaching: FrameTeaching) -> "FrameSteps":
        """The same steps, with the teacher's answers."""
        self._teaching = teaching
        return self

    def _drawn(self, step: int) -> tuple[Draw, list[tuple[int, int]]]:
        """The clips of a step, twins among them, and the rows of real clips and their twins."""
        return with_twins(self._data, self._schedule.at(step), self._twin_share)

    def _shown(self, step: int) -> ClipData:
        shown = None if self._beginning is None else self._beginning.shown(step, self._steps, self._seed)
        return self._data if shown is None else shown


class WindowSteps(Steps[TaughtWindows]):
    """Embeddings of whole windows from the cache; some slots are dropped, in a share of the windows all but a few."""

    def __init__(
        self, data: ClipData, streams: Streams, *, count: int, seed: int, teacher_logits: Tensor | None = None
    ) -> None:
        self._streams, self._seed, self._teacher_logits = streams, seed, teacher_logits
        windows = [data.windows[window] for window in streams.windows]
        self._schedule = Schedule(
            windows, covered=[True] * len(windows), count=count, variants=len(streams.keys), seed=seed
        )

    @property
    def epoch_steps(self) -> int:
        """See `Schedule`."""
        return self._schedule.epoch_steps

    def __getitem__(self, step: int) -> TaughtWindows:
        draw = self._schedule.at(step)
        generator = seeded_generator("kept", self._seed, step)
        rgb, depth, face_valid, depth_valid = self._streams.at(draw.variants, draw.windows)
        kept = torch.stack([_kept(generator, valid) for valid in face_valid])
        # The depth stream is silent for half of the windows, so that the fusion leans on neither stream.
        heard = kept * torch.from_numpy(generator.random((len(kept), 1)) < 0.5).float()
        rows = list(draw.windows)
        return TaughtWindows(
            rgb=rgb,
            depth=depth,
            face_valid=face_valid,
            depth_valid=depth_valid,
            is_fake=self._streams.is_fake[torch.tensor(rows)],
            kept=kept,
            heard=heard,
            logits=None if self._teacher_logits is None else self._teacher_logits[list(draw.variants), rows],
        )


class Legs(Sampler[int]):
    """The steps of one epoch of Lightning's, which here is the stretch between two validations."""

    def __init__(self, length: int, begun: Callable[[], int]) -> None:
        """`begun` tells how many steps were trained before the epoch, in this process or in one that was ended."""
        self._length, self._begun = length, begun

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        first = self._begun()
        assert first % self._length == 0, first
        return iter(range(first, first + self._length))


class Ahead(Dataset[T], Generic[T]):
    """`steps`, each made while the ones before it are trained on."""

    def __init__(self, steps: Steps[T], *, last: int, rank: int = 0, ranks: int = 1) -> None:
        """Process `rank` of `ranks` takes every `ranks`-th batch."""
        self._steps, self._last, self._rank, self._ranks = steps, last, rank, ranks
        # One thread: it only gathers what other processes render, and so leaves this one to train.
        self._pool = ThreadPoolExecutor(1)
        self._coming: dict[int, Future[T]] = {}

    def __getitem__(self, step: int) -> T:
        for coming in range(step, min(step + AHEAD + 1, self._last)):
            if coming not in self._coming:
                number = coming * self._ranks + self._rank
                self._steps.ask(number)
                self._coming[coming] = self._pool.submit(self._steps.__getitem__, number)
        return self._coming.pop(step).result()

    def close(self) -> None:
        """Wait for what is being made, and drop it."""
        self._pool.shutdown(cancel_futures=True)


def validation_frames(data: ClipData, size: int = 16) -> list[TaughtFrames]:
    """Every judged window, with a few evenly spaced slots of those that show a face."""
    return [TaughtFrames(clips=batch) for batch in data.in_turn([(window, 0) for window in data.judged], size)]


def validation_windows(streams: Streams, size: int = 64) -> list[TaughtWindows]:
    """Every window, whole."""
    batches = []
    for rows in torch.split(torch.arange(len(streams.windows)), size):
        rgb, depth, face_valid, depth_valid = streams.at([0] * len(rows), rows.tolist())
        batches.append(
            TaughtWindows(
                rgb=rgb,
                depth=depth,
                face_valid=face_valid,
                depth_valid=depth_valid,
                is_fake=streams.is_fake[rows],
                kept=torch.ones_like(face_valid),
                heard=torch.ones_like(face_valid),
            )
        )
    return batches


def _kept(generator: np.random.Generator, valid: Tensor) -> Tensor:
    """Which slots stay, float32 [20]: one that is valid at least, since a window of nothing has no label to learn."""
    kept = torch.ones(WINDOW)
    draw = generator.random()
    shown = torch.nonzero(valid).flatten()
    if draw < 0.3:
        # As a frame is judged alone, or a few are.
        few = generator.choice(len(shown), min(len(shown), int(generator.integers(1, 4))), replace=False)
        kept = torch.zeros(WINDOW)
        kept[shown[torch.from_numpy(few)]] = 1.0
    elif draw < 0.5:
        kept[: int(generator.integers(0, WINDOW))] = 0.0
    elif draw < 0.7:
        kept[torch.from_numpy(generator.random(WINDOW) < 0.3)] = 0.0
    if not (kept * valid).any():
        kept[shown[-1]] = 1.0
    return kept
