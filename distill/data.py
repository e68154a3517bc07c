"""Batches of single frames and of whole windows from a prepared store."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import torch
from torch import Tensor

from core.clips import ClipWindow, Slots, forged_twins
from core.decision import WINDOW
from core.forgery import FOOTAGE, ForgerySettings
from core.preprocess import PreprocessSpec
from core.ranges import Share
from core.seeding import seeded_generator
from core.transforms import Augmentation, Variant, draw_variant
from distill.rendering import Renderer, Rendering, joined
from distill.sampling import Draw

RENDERING_VERSION = 2
"""Raise with every change that makes the same draws give other pixels: what models said of the former ones is stale."""


@dataclass(kw_only=True)
class Batch:
    """N clips, F slots of each.

    Not frozen, since Lightning moves a batch to its device by setting the fields of a copy.
    """

    windows: Tensor
    """int64 [N]: places in the side's list of windows."""
    variants: Tensor
    """int64 [N]: k of each."""
    slots: Tensor
    """int64 [N, F]."""
    frames: Tensor
    """uint8 [N, F, 3, S, S], RGB."""
    depth: Tensor
    """uint8 [N, F, 1, S, S]."""
    masks: Tensor
    """uint8 [N, F, 1, S, S]: the share of what is forged, 0-255."""
    masked: Tensor
    """float32 [N]: 1 where the masks are known: of real clips and of fakes made here."""
    face_valid: Tensor
    """float32 [N, F]."""
    depth_valid: Tensor
    """float32 [N, F]."""
    is_fake: Tensor
    """int64 [N]."""
    pairs: Tensor
    """int64 [P, 2]: rows of a real clip and of its forged twin, at the same slots and in the same variant."""


@dataclass(frozen=True, kw_only=True)
class TwinSettings:
    """The forged copies of real clips that training makes for itself, drawn anew in every variant."""

    made: bool = True
    forgeries: tuple[ForgerySettings, ...] = (FOOTAGE,)
    """What they may draw: variants take these in turn."""
    swap_share: Share = 0.0
    """Twins that show the face of somebody else of the same folder; the others are blended with themselves."""

    def forgery(self, k: int) -> ForgerySettings:
        """What variant k draws from."""
        return self.forgeries[k % len(self.forgeries)]


class ClipData:
    """The windows of one side of the split, in their variants."""

    def __init__(
        self,
        renderer: Renderer,
        windows: Sequence[ClipWindow],
        spec: PreprocessSpec,
        *,
        min_coverage: float,
        variants: int,
        augmentation: Augmentation,
        twins: TwinSettings,
        seed: int,
        slots: int | None = None,
    ) -> None:
        """`variants` 0: every clip as it is and without twins, as validation and test want it.

        With `slots`, so many slots of a clip are drawn for each variant and rendered as a short clip of their own;
        without, all 20.
        """
        covered = [len(window.valid_slots) >= min_coverage * (window.end - window.start) for window in windows]
        originals = [window for window, shows in zip(windows, covered, strict=True) if shows]
        twinned = twins.made and variants > 0
        self.windows = [*windows, *(forged_twins(originals) if twinned else ())]
        self.covered = [*covered, *([True] * (len(self.windows) - len(windows)))]
        """Whether enough of the window shows a face."""
        reals = [place for place, window in enumerate(windows) if covered[place] and not window.is_fake]
        self.twins = dict(zip(reals, range(len(windows), len(self.windows)), strict=True)) if twinned else {}
        """Place of each real window's forged twin."""
        self.variants = variants
        self.slots = slots
        self.is_fake = torch.tensor([window.is_fake for window in self.windows], dtype=torch.int64)
        self._renderer, self._spec, self._seed = renderer, spec, seed
        self._augmentation, self._twin_settings = augmentation, twins
        self._lenders: dict[str, list[ClipWindow]] = defaultdict(list)
        for place in reals:
            self._lenders[_folder(windows[place])].append(windows[place])

    @property
    def judged(self) -> list[int]:
        """Places of the windows that show enough of a face."""
        return [place for place, shows in enumerate(self.covered) if shows]

    def places(self, window: int, k: int) -> tuple[int, ...]:
        """The slots of the `window`-th window that variant k shows."""
        if self.slots is None:
            return tuple(range(WINDOW))
        clip = self.windows[window]
        valid = clip.valid_slots
        if not self.variants:
            # Evenly spaced, first and last among them.
            last = max(1, self.slots - 1)
            return tuple(valid[round(place * (len(valid) - 1) / last)] for place in range(self.slots))
        # A twin shows the slots of its original.
        generator = seeded_generator("slots", self._seed, clip.record.key, clip.start, k)
        chosen = generator.choice(valid, self.slots, replace=len(valid) < self.slots)
        return tuple(sorted(int(slot) for slot in chosen))

    def batch(self, windows: Sequence[int], variants: Sequence[int], pairs: Sequence[tuple[int, int]] = ()) -> Batch:
        """Each of `windows` in its variant. `pairs` are rows of real clips and of their twins."""
        rows = [self._rendered(window, k) for window, k in zip(windows, variants, strict=True)]
        clips = [self.windows[window] for window in windows]
        known = [not clip.is_fake or clip.forged or clip.record.forgery is not None for clip in clips]
        return Batch(
            windows=torch.tensor(windows),
            variants=torch.tensor(variants),
            slots=torch.tensor([self.places(window, k) for window, k in zip(windows, variants, strict=True)]),
            frames=torch.stack([row.frames for row in rows]),
            depth=torch.stack([row.depth for row in rows]),
            masks=torch.stack([row.masks for row in rows]),
            masked=torch.tensor(known, dtype=torch.float32),
            face_valid=torch.stack([row.face_valid for row in rows]),
            depth_valid=torch.stack([row.depth_valid for row in rows]),
            is_fake=self.is_fake[torch.tensor(windows)],
            pairs=torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2),
        )

    def ask(self, windows: Sequence[int], variants: Sequence[int]) -> None:
        """Have them rendered ahead."""
        if self.variants:
            for window, k in zip(windows, variants, strict=True):
                self._renderer.ask(self.digest(window, k), self._rendering(window, k, self.places(window, k)))

    def in_turn(self, clips: Sequence[tuple[int, int]], size: int = 8) -> Iterator[Batch]:
        """Each of `clips` (window, k) once, in order, the next ones rendered meanwhile."""
        chunks = [tuple(zip(*clips[first : first + size], strict=True)) for first in range(0, len(clips), size)]
        for place, (windows, variants) in enumerate(chunks):
            for coming in chunks[place + 1 : place + 3]:
                self.ask(*coming)
            yield self.batch(windows, variants)

    def digest(self, window: int, k: int) -> str:
        """Names all that the pixels of the `window`-th window in variant k depend on."""
        clip = self.windows[window]
        drawn: list[object] = [RENDERING_VERSION, self._seed, k, self._augmentation] if self.variants else []
        if clip.forged:
            donor = self._donor(clip, k)
            drawn += [self._twin_settings.forgery(k), None if donor is None else (donor.record.key, donor.start)]
        parts = [clip.record.key, clip.start, clip.end, clip.forged, self._spec, self.places(window, k), *drawn]
        return hashlib.sha256("/".join(map(repr, parts)).encode()).hexdigest()

    def _rendered(self, window: int, k: int) -> Slots:
        places = self.places(window, k)
        if self.variants:
            return self._renderer.get(self.digest(window, k), self._rendering(window, k, places))
        # Windows of a video overlap; as they are stored they share their samples.
        return joined([self.sample(window, slot) for slot in places])

    def sample(self, window: int, slot: int) -> Slots:
        """One slot of the `window`-th window as it is stored."""
        clip = self.windows[window]
        sample = clip.sample(slot)
        key = f"{clip.record.key}/{self._spec!r}/{-1 if sample is None else sample}"
        return self._renderer.get(key, self._rendering(window, 0, (slot,)))

    def _rendering(self, window: int, k: int, slots: tuple[int, ...]) -> Rendering:
        clip = self.windows[window]
        variant = Variant()
        if self.variants:
            variant = draw_variant(clip.record.key, k, seed=self._seed, augmentation=self._augmentation)
        return Rendering(
            window=clip,
            slots=slots,
            spec=self._spec,
            variant=variant,
            k=k,
            seed=self._seed,
            twin_forgery=self._twin_settings.forgery(k),
            donor=self._donor(clip, k) if clip.forged else None,
        )

    def _donor(self, clip: ClipWindow, k: int) -> ClipWindow | None:
        """Who lends a face to a twin in variant k: somebody else of the same folder, or nobody."""
        generator = seeded_generator("donor", self._seed, clip.record.key, clip.start, k)
        if generator.random() >= self._twin_settings.swap_share:
            return None
        others = [o for o in self._lenders[_folder(clip)] if o.record.identity != clip.record.identity]
        return others[int(generator.integers(len(others)))] if others else None


def _folder(window: ClipWindow) -> str:
    return PurePosixPath(window.record.path).parent.as_posix()


def with_twins(data: ClipData, draw: Draw, share: float) -> tuple[Draw, list[tuple[int, int]]]:
    """`draw` with that share of its fakes replaced by twins of the real clips beside them, and the pairs of rows.

    A pair shows the same slots in the same variant: all that tells its two clips apart is the forgery.
    """
    half = len(draw.windows) // 2
    count = round(share * half) if data.twins else 0
    windows, variants = list(draw.windows), list(draw.variants)
    pairs: list[tuple[int, int]] = []
    for row in range(half):
        if len(pairs) < count and windows[row] in data.twins:
            windows[half + len(pairs)] = data.twins[windows[row]]
            variants[half + len(pairs)] = variants[row]
            pairs.append((row, half + len(pairs)))
    return Draw(windows=tuple(windows), variants=tuple(variants), replaced=draw.replaced), pairs
