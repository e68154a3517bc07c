"""What a model's trunks make of whole windows: computed once for each clip and variant, then read from the cache."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.clips import ClipWindow
from core.command_line import progress
from core.decision import WINDOW
from core.embeddings import EmbeddingCache
from core.models import Student, Teacher
from core.models.backbone import Trunk
from core.runs import weights_sha256
from distill.data import Batch, ClipData

Inputs = tuple[Tensor, Tensor, Tensor, Tensor]
"""rgb and depth, float32 [N, 20, D]; face_valid and depth_valid, float32 [N, 20]: what `classify` takes."""


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Both streams of the windows of one side, in every variant, in the cache."""

    cache: EmbeddingCache
    keys: tuple[tuple[str, ...], ...]
    """[K][N]."""
    face_valid: Tensor
    """float32 [N, 20]."""
    depth_valid: Tensor
    """float32 [N, 20]."""
    is_fake: Tensor
    """int64 [N]."""
    windows: tuple[int, ...]
    """[N]: places in the side's list of windows."""
    encoded: int = 0
    """Clips that the cache did not hold."""
    seconds: float = field(default=0.0, compare=False)
    """What encoding those took."""

    def at(self, variants: Sequence[int], rows: Sequence[int]) -> Inputs:
        """Of the windows in `rows`, each in its variant; zero where a slot is invalid."""
        clips = self.cache.get(self.keys[k][row] for k, row in zip(variants, rows, strict=True))
        assert all(clip is not None for clip in clips)
        streams = torch.stack([torch.from_numpy(clip) for clip in clips]).float()
        chosen = torch.tensor(list(rows))
        face_valid, depth_valid = self.face_valid[chosen], self.depth_valid[chosen]
        rgb, depth = streams[:, 0] * face_valid.unsqueeze(2), streams[:, 1] * depth_valid.unsqueeze(2)
        return rgb, depth, face_valid, depth_valid


def embed(
    title: str, model: Teacher | Student, data: ClipData, cache: EmbeddingCache, *, depth_trained: bool
) -> Streams:
    """Both streams of every judged window of `data` for each of its variants (at least one), rounded to float16.

    What `cache` holds of these weights is not computed again. A student sees RGB alone, so its depth stream is valid
    where the face is; never if not `depth_trained`, and then it is zero in the cache.
    """
    assert data.slots is None
    variants, windows = max(1, data.variants), data.judged
    masks = [masks_of(model, data.windows[window], depth_trained=depth_trained) for window in windows]
    face_valid, depth_valid = (torch.stack(rows) for rows in zip(*masks, strict=True))
    encoder = FusedEncoder(model, depth_trained=depth_trained)
    started, encoded = time.perf_counter(), 0
    keys: list[tuple[str, ...]] = []
    with progress(title) as report:
        for k in range(variants):
            row = tuple(f"{encoder.digest}/{data.digest(window, k)}" for window in windows)
            keys.append(row)
            missing = [window for window, clip in zip(windows, cache.get(row), strict=True) if clip is None]
            key_of = dict(zip(windows, row, strict=True))
            done = (k + 1) * len(windows) - len(missing)
            for batch in data.in_turn([(window, k) for window in missing]):
                rgb, depth = encoder(batch)
                clips = torch.stack([rgb, depth], dim=1).half().numpy()
                cache.put((key_of[w], clip) for w, clip in zip(batch.windows.tolist(), clips, strict=True))
                done += len(clips)
                encoded += len(clips)
                report(done, variants * len(windows))
    return Streams(
        cache=cache,
        keys=tuple(keys),
        face_valid=face_valid,
        depth_valid=depth_valid,
        is_fake=data.is_fake[torch.tensor(windows)],
        windows=tuple(windows),
        encoded=encoded,
        seconds=time.perf_counter() - started,
    )


class FusedEncoder:
    """A model's trunks, fused in a copy: the same embeddings in half the time.

    If not `depth_trained` they are of RGB alone, and of one digest whoever's trunk it is: where a student keeps its
    teacher's, nothing is computed twice.
    """

    def __init__(self, model: Teacher | Student, *, depth_trained: bool = True) -> None:
        parts = (model.trunk, model.depth_head) if isinstance(model, Student) else (model.rgb_trunk, model.depth_trunk)
        kind, count = (model.config.role, 2) if depth_trained else ("rgb", 1)
        digests = "/".join(weights_sha256(part)[:32] for part in parts[:count])
        self.digest = f"{kind}/{model.config.looks_key}/{digests}"
        """Of all that embeddings depend on."""
        self._depth_trained = depth_trained
        self._model = copy.deepcopy(model).eval()
        for trunk in self._model.modules():
            if isinstance(trunk, Trunk) and not trunk.fused:
                trunk.fuse()
        self._model = self._model.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """RGB and depth, float32 [N, F, D]; what stands in an invalid slot means nothing.

        Depth is zero where it is not trained.
        """
        frames = pixels(batch.frames.flatten(0, 1))
        if isinstance(self._model, Student):
            rgb, depth, _ = self._model.encode(frames)
        else:
            rgb = self._model.encode_rgb(frames)
            # Where nothing is known of depth its trunk is not asked.
            known = bool(batch.depth_valid.any())
            depth = self._model.encode_depth(pixels(batch.depth.flatten(0, 1))) if known else torch.zeros_like(rgb)
        if not self._depth_trained:
            depth = torch.zeros_like(rgb)
        shape = (*batch.slots.shape, -1)
        return rgb.view(shape), depth.view(shape)


def pixels(frames: Tensor) -> Tensor:
    """uint8 [N, C, S, S] as the float32 that models take, in the memory layout that convolutions like."""
    return frames.float().contiguous(memory_format=torch.channels_last)


def masks_of(model: Teacher | Student, window: ClipWindow, *, depth_trained: bool) -> tuple[Tensor, Tensor]:
    """(face_valid, depth_valid), each float32 [20], as `model` is given them."""
    face, depth = torch.zeros(WINDOW), torch.zeros(WINDOW)
    face[window.valid_slots] = 1.0
    heard = (window.valid_slots if depth_trained else []) if isinstance(model, Student) else window.depth_slots
    depth[heard] = 1.0
    return face, depth
