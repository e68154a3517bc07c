"""What the teacher says of the training clips: asked once for each clip and variant, kept in LMDB.

A value is a safetensors document. Its key names the teacher's architecture and weights and all that the clip's pixels
depend on, so that another teacher, variant or setting is another key.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from core.command_line import progress
from core.decision import WINDOW
from core.errors import InputError
from core.kept_values import KeptValues
from core.models import Student, Teacher
from core.runs import weights_sha256
from distill.data import Batch, ClipData
from distill.streams import FusedEncoder, Streams

FORMAT = "1"
"""Changes with what a value holds and how it is computed."""


@dataclass(kw_only=True)
class FrameTargets:
    """What the teacher says of N clips of F frames each. Not frozen, as `Batch` is not."""

    rgb: Tensor
    """float32 [N, F, D]."""
    depth: Tensor
    """float32 [N, F, D]."""
    logits: Tensor
    """float32 [N, F, 2]: each frame judged alone."""


class TargetStore(KeptValues):
    """A folder of the teacher's answers by key."""

    def __init__(self, folder: Path) -> None:
        """See `KeptValues`."""
        super().__init__(folder, "a store of targets")

    def holds(self, key: str) -> bool:
        """Whether that clip was asked of already."""
        with self.reading() as transaction:
            return transaction.get(key.encode()) is not None

    def put(self, answers: Iterable[tuple[str, dict[str, Tensor]]]) -> None:
        """Keep each clip's tensors; WorkError where nothing can be written."""
        self.write((key, save({name: part.contiguous() for name, part in parts.items()})) for key, parts in answers)

    def get(self, key: str) -> dict[str, Tensor]:
        """The tensors of a clip that is there; InputError where they are damaged."""
        with self.reading() as transaction:
            kept = transaction.get(key.encode())
            assert kept is not None, key
            value = bytes(kept)
        try:
            return load(value)
        except SafetensorError as error:
            raise InputError(f"{self.folder}: damaged ({error}); remove the folder, it is made again") from error


def digest_of(teacher: Teacher) -> str:
    """Of all that its answers depend on: how often it looks and how many heads it has do not show in its weights."""
    architecture = hashlib.sha256(teacher.config.model_dump_json().encode()).hexdigest()
    return f"{architecture[:16]}/{teacher.config.looks_key}/{weights_sha256(teacher)[:32]}"


class FrameTeaching:
    """The teacher's answers on a side's clips of a few slots each."""

    def __init__(self, teacher: Teacher, data: ClipData, store: TargetStore) -> None:
        self._data, self._store = data, store
        self._digest = f"{FORMAT}/frames/{digest_of(teacher)}"

    def at(self, windows: Sequence[int], variants: Sequence[int]) -> FrameTargets:
        """Of each window in its variant."""
        clips = [self._store.get(self.key(window, k)) for window, k in zip(windows, variants, strict=True)]
        rgb, depth, logits = (
            torch.stack([clip[name] for clip in clips]).float() for name in ("rgb", "depth", "logits")
        )
        return FrameTargets(rgb=rgb, depth=depth, logits=logits)

    def key(self, window: int, k: int) -> str:
        """Of one clip's value."""
        return f"{self._digest}/{self._data.digest(window, k)}"


def frame_teaching(
    teacher: Teacher, data: ClipData, store: TargetStore, clips: Iterable[tuple[int, int]]
) -> FrameTeaching:
    """Ask the teacher of every one of `clips` (window, k) that it was not asked of before."""
    assert data.slots is not None
    teaching = FrameTeaching(teacher, data, store)
    wanted = sorted(set(clips), key=lambda clip: clip[::-1])
    missing = [(window, k) for window, k in wanted if not store.holds(teaching.key(window, k))]
    if not missing:
        return teaching
    encoder, teacher = FusedEncoder(teacher), teacher.eval()
    done = len(wanted) - len(missing)
    with progress("teacher on single frames") as report:
        for batch in data.in_turn(missing, size=32):
            keys = [teaching.key(w, k) for w, k in zip(batch.windows.tolist(), batch.variants.tolist(), strict=True)]
            store.put(_answers(teacher, encoder, batch, keys))
            done += len(keys)
            report(done, len(wanted))
    return teaching


def window_teaching(teacher: Teacher, streams: Streams, store: TargetStore) -> Tensor:
    """The teacher's logits, float32 [K, N, 2], of all windows of `streams`, which are its own."""
    teacher, digest = teacher.eval(), f"{FORMAT}/windows/{digest_of(teacher)}"
    rows = []
    for k, keys in enumerate(streams.keys):
        names = [f"{digest}/{key}" for key in keys]
        missing = [row for row, name in enumerate(names) if not store.holds(name)]
        for chosen, logits in window_logits(teacher, streams, k, missing):
            store.put((names[row], {"logits": part}) for row, part in zip(chosen, logits, strict=True))
        rows.append(torch.stack([store.get(name)["logits"] for name in names]))
    return torch.stack(rows)


@torch.inference_mode()
def window_logits(
    model: Teacher | Student, streams: Streams, k: int, rows: Sequence[int], size: int = 256
) -> Iterator[tuple[list[int], Tensor]]:
    """(rows, logits [len(rows), 2]) of the windows in `rows` in variant k, some at a time."""
    for first in range(0, len(rows), size):
        chosen = list(rows[first : first + size])
        yield chosen, model.classify(*streams.at([k] * len(chosen), chosen)).float()


@torch.inference_mode()
def judged_alone(
    model: Teacher | Student, rgb: Tensor, depth: Tensor, slots: Tensor, valid: tuple[Tensor, Tensor], size: int = 256
) -> Tensor:
    """Logits [M, 2] of M frames, each in its slot of a window where no other slot is valid.

    `rgb` and `depth` are [M, D], `slots` int64 [M], `valid` (face, depth) each [M].
    """
    logits = []
    for rows in torch.split(torch.arange(len(slots)), size):
        count, place = torch.arange(len(rows)), slots[rows]
        streams = [torch.zeros(len(rows), WINDOW, part.shape[1]) for part in (rgb, depth)]
        masks = [torch.zeros(len(rows), WINDOW) for _ in valid]
        for stream, part in zip(streams, (rgb, depth), strict=True):
            stream[count, place] = part[rows]
        for mask, part in zip(masks, valid, strict=True):
            mask[count, place] = part[rows]
        logits.append(model.classify(*streams, *masks).float())
    return torch.cat(logits) if logits else torch.zeros(0, 2)


def _answers(
    teacher: Teacher, encoder: FusedEncoder, batch: Batch, keys: Sequence[str]
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Embeddings as float16, and each frame's logits when judged alone."""
    rgb, depth = encoder(batch)
    valid = batch.face_valid.flatten(), batch.depth_valid.flatten()
    logits = judged_alone(teacher, rgb.flatten(0, 1), depth.flatten(0, 1), batch.slots.flatten(), valid)
    logits = logits.view(*batch.slots.shape, 2)
    for row, key in enumerate(keys):
        yield key, {"rgb": rgb[row].half(), "depth": depth[row].half(), "logits": logits[row]}
