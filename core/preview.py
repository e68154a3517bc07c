"""A page of examples from a store, for a person to look at before anything is trained on it."""

import base64
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.clips import ClipWindow, Slots, forged_twins, read_slots
from core.corpus import SPLITS
from core.decision import WINDOW
from core.depth import in_bytes
from core.forgery import FOOTAGE, ForgerySettings
from core.pages import refuse_unwritable, rendered, write_page
from core.preprocess import Box, Image, PreprocessSpec, square_around
from core.records import VideoRecord
from core.seeding import seeded_generator
from core.store import ClipStore
from core.transforms import FULL, Augmentation, Variant, draw_variant

TEMPLATE = Path(__file__).with_name("preview.html.jinja")

CELL_PX = 112
COLUMNS = 10
EMPTY_LEVEL = 128
STRIKE_LEVEL = 160
BOX_COLOUR = (255, 214, 0)
SQUARE_COLOUR = (255, 255, 255)

Cell = npt.NDArray[np.uint8] | None
"""A picture of a strip, uint8 [N, N] or [N, N, 3] RGB; None where the slot shows no face."""


def write_preview(
    store: ClipStore,
    out: Path,
    *,
    spec: PreprocessSpec,
    clips: int = 2,
    variants: int = 8,
    augmentation: Augmentation = FULL,
    twin_forgery: ForgerySettings = FOOTAGE,
    seed: int = 0,
) -> None:
    """Write `out`, one self-contained HTML file: `clips` clips of each label and method, and `variants` of one window.

    The clips' windows as they are stored, and one window as training shows it, in each variant and with its twin.
    Which clips those are, and all that is drawn, depends on `seed` and on what the store holds: the same store gives
    the same bytes. The file appears under its name once it is whole. Raises InputError where the store's preparation
    was not finished or jinja2 is missing, WorkError where nothing can be written.
    """
    fingerprint = store.fingerprint
    refuse_unwritable("--out", out)
    records = store.records()
    groups, shown = [], []
    for label, method in _kinds(records):
        members = [record for record in records if (record.label, record.method) == (label, method)]
        chosen = _chosen(members, clips, seed)
        shown += chosen
        about = [_about(store, record, spec) for record in chosen]
        groups.append({"label": label, "method": method, "total": len(members), "clips": about})
    window = _example(shown)
    page = rendered(
        TEMPLATE,
        extra="preview",
        title=f"Store {store.folder.resolve().name}",
        fingerprint=fingerprint,
        total=len(records),
        spec=spec,
        splits=SPLITS,
        counts=_counts(records),
        groups=groups,
        variants_of=window and f"{window.record.path}, samples {window.start} to {window.end - 1}",
        variants=_variants(store, window, spec, variants, augmentation, twin_forgery, seed) if window else [],
    )
    write_page("--out", out, page)


def _kinds(records: Sequence[VideoRecord]) -> list[tuple[str, str]]:
    """Label and method of what there is, real first."""
    return sorted({(record.label, record.method) for record in records}, key=lambda kind: (kind[0] != "real", kind[1]))


def _chosen(records: Sequence[VideoRecord], clips: int, seed: int) -> list[VideoRecord]:
    """Drawn by key, so that which ones are shown says nothing about their names; those with a face first."""

    def draw(record: VideoRecord) -> tuple[bool, float]:
        return _window(record) is None, float(seeded_generator("preview", seed, record.key).random())

    return sorted(sorted(records, key=draw)[:clips], key=lambda record: record.path)


def _counts(records: Sequence[VideoRecord]) -> list[dict[str, Any]]:
    found: Counter[tuple[str, str, str]] = Counter((record.label, record.method, record.split) for record in records)
    return [
        {"label": label, "method": method, "by_split": [found[label, method, split] for split in SPLITS]}
        for label, method in _kinds(records)
    ]


def _window(record: VideoRecord) -> ClipWindow | None:
    """The clip's window with the most faces, the first of them."""
    windows = [ClipWindow(record=record, start=start, end=end) for start, end in record.windows]
    best = max(windows, key=lambda window: len(window.valid_slots), default=None)
    return best if best and best.valid_slots else None


def _example(records: Sequence[VideoRecord]) -> ClipWindow | None:
    """What variants are shown of: a real clip, with depth, if there is one."""
    windows = [window for record in records if (window := _window(record)) is not None]
    return max(windows, key=lambda window: (not window.is_fake, bool(window.depth_slots)), default=None)


def _samples(window: ClipWindow) -> list[int | None]:
    return [window.sample(slot) for slot in range(WINDOW)]


def _about(store: ClipStore, record: VideoRecord, spec: PreprocessSpec) -> dict[str, Any]:
    window = _window(record)
    about: dict[str, Any] = {
        "path": record.path,
        "poster": _poster(store, record, spec),
        "facts": _facts(record),
        "forged_here": record.forgery is not None,
        "window": "no window",
        "crops": None,
    }
    if window is None:
        return about
    samples = _samples(window)
    about["window"] = f"stored crops of samples {window.start} to {window.end - 1}, with the face box"
    about["crops"] = _strip([None if index is None else _crop(store, record, index, spec) for index in samples])
    about["depth"] = _strip([_depth(store, record, index) for index in samples]) if window.depth_slots else None
    if record.forgery is not None:
        about["mask"] = _strip([None if index is None else store.mask(record, index) for index in samples])
    return about


def _facts(record: VideoRecord) -> list[tuple[str, str]]:
    faces = sum(sample.face is not None for sample in record.samples)
    width, height = record.frame_size
    facts = [("identity", record.identity)]
    if record.source:
        facts.append(("face of", record.source))
    facts += [
        ("split", record.split),
        ("frames", f"{width} x {height} px"),
        ("coverage", f"{faces / max(1, len(record.samples)):.0%}: a face in {faces} of {len(record.samples)} samples"),
        ("windows", str(len(record.windows))),
        ("compression", record.compression or "as it came"),
    ]
    if record.forgery is not None:
        facts.append(("visibility", f"{record.forgery.visibility:.1f} levels of 255"))
    return facts


def _poster(store: ClipStore, record: VideoRecord, spec: PreprocessSpec) -> str | None:
    """The first whole frame there is, with the face box and the square that the model sees."""
    for index, sample in enumerate(record.samples):
        picture = store.poster(record, index) if sample.face is not None else None
        if picture is not None:
            scale = picture.shape[1] / record.frame_size[0]
            return _data_uri(_with_box(picture, record.box(index).scaled(scale), spec))
    return None


def _crop(store: ClipStore, record: VideoRecord, index: int, spec: PreprocessSpec) -> Image:
    crop, box = store.crop(record, index)
    scale = CELL_PX / crop.shape[0]
    # Drawn at the size it is shown at, so that every line is as thick as the next.
    return _with_box(_scaled(crop), box.scaled(scale), spec)


def _depth(store: ClipStore, record: VideoRecord, index: int | None) -> Cell:
    if index is None or not record.samples[index].depth_valid or record.depth_range is None:
        return None
    return in_bytes(store.depth(record, index).astype(np.float32), record.depth_range)


def _with_box(picture: Image, box: Box, spec: PreprocessSpec) -> Image:
    square = square_around(box, spec.margin)
    corners = (square.x0, square.y0), (square.x0 + square.side - 1, square.y0 + square.side - 1)
    drawn = cv2.addWeighted(picture, 0.5, cv2.rectangle(picture.copy(), *corners, SQUARE_COLOUR), 0.5, 0)
    corners = (round(box.x), round(box.y)), (round(box.x + box.w) - 1, round(box.y + box.h) - 1)
    return np.asarray(cv2.rectangle(drawn, *corners, BOX_COLOUR), dtype=np.uint8)


def _variants(
    store: ClipStore,
    window: ClipWindow,
    spec: PreprocessSpec,
    count: int,
    augmentation: Augmentation,
    twin_forgery: ForgerySettings,
    seed: int,
) -> list[dict[str, Any]]:
    """The window as it is, then each of its variants, drawn as training draws them."""
    drawn = [draw_variant(window.record.key, k, seed=seed, augmentation=augmentation) for k in range(count)]
    twins = forged_twins([window])
    rows = []
    for k, variant in enumerate([Variant(), *drawn], start=-1):
        slots = read_slots(store, window, range(WINDOW), spec, variant)
        row: dict[str, Any] = {
            "name": "As it is stored" if k < 0 else f"k = {k}: {variant.words()}",
            "caption": "fake" if window.is_fake else "real",
            "frames": _slot_strip(slots, slots.frames.permute(0, 2, 3, 1).numpy()),
            "depth": _slot_strip(slots, slots.depth[:, 0].numpy()) if slots.depth_valid.any() else None,
            "twin": None,
        }
        for twin in twins:
            forging = twin.forging(max(k, 0), seed=seed)
            forged = read_slots(store, twin, range(WINDOW), spec, variant, forging, twin_forgery)
            row["twin"] = _slot_strip(forged, forged.frames.permute(0, 2, 3, 1).numpy())
            row["mask"] = _slot_strip(forged, forged.masks[:, 0].numpy())
        rows.append(row)
    return rows


def _slot_strip(slots: Slots, pictures: npt.NDArray[np.uint8]) -> str:
    """Every second slot, the newest among them."""
    chosen = range(1, WINDOW, 2)
    return _strip([pictures[slot] if slots.face_valid[slot] else None for slot in chosen])


def _strip(cells: Sequence[Cell]) -> str:
    """Rows of COLUMNS cells, as a data URI."""
    rows = -(-len(cells) // COLUMNS)
    sheet = np.full((rows * CELL_PX, COLUMNS * CELL_PX, 3), EMPTY_LEVEL, np.uint8)
    for place, cell in enumerate(cells):
        top, left = CELL_PX * (place // COLUMNS), CELL_PX * (place % COLUMNS)
        tile = sheet[top : top + CELL_PX, left : left + CELL_PX]
        if cell is None:
            cv2.line(tile, (0, CELL_PX - 1), (CELL_PX - 1, 0), (STRIKE_LEVEL,) * 3)
            continue
        picture = _scaled(cell)
        tile[:] = picture if picture.ndim == 3 else picture[..., None]
    return _data_uri(sheet)


def _scaled(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    smaller = picture.shape[0] > CELL_PX
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (CELL_PX, CELL_PX), interpolation=interpolation), dtype=np.uint8)


def _data_uri(picture: Image) -> str:
    """uint8 [H, W, 3], RGB, as a JPEG that no request is needed for."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 90))
    assert done
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
