"""The page of examples: whole, self-contained, always the same, and drawn where it should be."""

import base64
import builtins
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from core.clips import ClipWindow, read_slots
from core.decision import WINDOW
from core.errors import InputError, WorkError
from core.forgery import FOOTAGE
from core.preprocess import Image, PreprocessSpec
from core.preview import CELL_PX, write_preview
from core.records import ForgeryRecord, Sample, VideoRecord
from core.store import ClipStore, Picture, encode_png
from core.transforms import FULL, draw_variant

SPEC = PreprocessSpec(size=64, margin=1.5)
CROP = 84
FACE = (50.0, 30.0, 40.0, 40.0)
FRAME = (160, 120)
MISSED = 3


def record(name: str, *, label: str = "real", depth: bool = True, here: bool = False, samples: int = 20) -> VideoRecord:
    return VideoRecord.model_validate(
        {
            "key": name,
            "path": f"{label}/{name}.mp4",
            "label": label,
            "identity": f"person of {name}",
            "source": "someone else" if label == "fake" else "",
            "method": "original" if label == "real" else "self_blend" if here else "Deepfakes",
            "compression": "c23",
            "split": "val",
            "frame_size": FRAME,
            "samples": [
                Sample(
                    index=index,
                    time_ms=100.0 * index,
                    face=None if index == MISSED else FACE,
                    kept=index != MISSED,
                    origin=(FACE[0] - 22, FACE[1] - 22),
                    depth_valid=depth and index != MISSED,
                )
                for index in range(samples)
            ],
            "windows": [(0, samples)] if samples else [],
            "depth_range": (0, 60_000) if depth else None,
            "forgery": ForgeryRecord(visibility=7.25, draws={}) if here else None,
        }
    )


def pictures_of(row: VideoRecord, *, poster: bool) -> list[Picture]:
    generator = np.random.default_rng(len(row.key))
    coarse = generator.integers(40, 216, (6, 6, 3), np.uint8)
    crop = np.asarray(cv2.resize(coarse, (CROP, CROP), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    slope = np.broadcast_to(np.linspace(0, 60_000, CROP), (CROP, CROP)).astype(np.uint16)
    pictures: list[Picture] = []
    for index, sample in enumerate(row.samples):
        if sample.kept:
            pictures.append(("crop", index, encode_png(crop)))
        if sample.depth_valid:
            pictures.append(("depth", index, encode_png(slope)))
        if sample.kept and row.forgery is not None:
            pictures.append(("mask", index, encode_png(np.full((CROP, CROP), 255, np.uint8))))
    if poster:
        # Half the frame's size.
        pictures.append(("poster", 0, encode_png(np.full((FRAME[1] // 2, FRAME[0] // 2, 3), 90, np.uint8))))
    return pictures


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ClipStore]:
    with ClipStore.write(tmp_path / "clips", {"code": 1}) as opened:
        yield opened


def filled(store: ClipStore) -> ClipStore:
    """Three real clips, the last without depth and poster; a fake that came so, and one made here."""
    for row in (
        record("a"),
        record("b"),
        record("c", depth=False),
        record("d", label="fake"),
        record("e", label="fake", here=True),
    ):
        store.add(row, pictures_of(row, poster=row.key != "c"))
    store.complete("fingerprint of it")
    return store


def page_of(store: ClipStore, out: Path, **choices: Any) -> str:
    write_preview(store, out, spec=SPEC, **{"clips": 3, "variants": 2, **choices})
    return out.read_text(encoding="utf-8")


class Page(HTMLParser):
    """The headings, figures and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.pictures: list[tuple[str, str]] = []
        self.addresses: list[str] = []
        self._heading: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.addresses += [found[name] for name in ("src", "href", "srcset", "action") if name in found]
        if tag == "img":
            self.pictures.append((found["alt"], found["src"]))
        if tag in {"h2", "h3"}:
            self._heading = []

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"h2", "h3"} and self._heading is not None:
            self.headings.append("".join(self._heading))
            self._heading = None


def decoded(uri: str) -> Image:
    data = np.frombuffer(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,")), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def test_the_same_store_gives_the_same_bytes(store: ClipStore, tmp_path: Path) -> None:
    filled(store)
    assert page_of(store, tmp_path / "one.html") == page_of(store, tmp_path / "two.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips", "one.html", "two.html"]


def test_the_page_needs_nothing_but_itself(store: ClipStore, tmp_path: Path) -> None:
    text = page_of(filled(store), tmp_path / "page.html")
    assert all(address.startswith("data:image/jpeg;base64,") for address in Page(text).addresses)
    assert not re.search(r"https?:|url\(|@import|<script|<link", text)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_every_label_and_method_has_its_clips_counts_and_facts(store: ClipStore, tmp_path: Path) -> None:
    text = page_of(filled(store), tmp_path / "page.html")
    headings = Page(text).headings
    assert [heading for heading in headings if " of " in heading][:3] == [
        "real: original, 3 of 3",
        "fake: Deepfakes, 1 of 1",
        "fake: self_blend, 1 of 1",
    ]
    assert [heading for heading in headings if heading.endswith(".mp4")] == [
        "real/a.mp4",
        "real/b.mp4",
        "real/c.mp4",
        "fake/d.mp4",
        "fake/e.mp4",
    ]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", text)
    # train, val, test and all of each.
    assert cells == [
        *("real", "original", "0", "3", "0", "3"),
        *("fake", "Deepfakes", "0", "1", "0", "1"),
        *("fake", "self_blend", "0", "1", "0", "1"),
    ]
    for fact in ("fingerprint of it", "person of a", "someone else", "160 x 120 px", "c23", "95%", "7.2 levels of 255"):
        assert fact in text


def test_what_a_clip_lacks_is_said(store: ClipStore, tmp_path: Path) -> None:
    text = page_of(filled(store), tmp_path / "page.html")
    assert text.count("no whole frame is stored") == 1
    assert text.count("no depth") == 1
    # A mask is known of the forgery made here alone.
    assert [alt for alt, _ in Page(text).pictures].count("mask: bright is forged") == 1


def test_the_face_box_is_drawn_where_the_face_is(store: ClipStore, tmp_path: Path) -> None:
    pictures = Page(page_of(filled(store), tmp_path / "page.html")).pictures
    poster = decoded(next(uri for alt, uri in pictures if alt.startswith("A whole frame of real/a.mp4"))).astype(int)
    # Half the frame's size: x from 25 to 44, y from 15 to 34; yellow is far more red than blue.
    yellow = poster[..., 0] - poster[..., 2] > 60
    rows, columns = np.nonzero(yellow)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == pytest.approx((25, 44, 15, 34), abs=1)
    assert not yellow[18:32, 28:42].any()


def test_a_strip_shows_the_window_slot_by_slot(store: ClipStore, tmp_path: Path) -> None:
    pictures = Page(page_of(filled(store), tmp_path / "page.html")).pictures
    depth = decoded(next(uri for alt, uri in pictures if alt == "depth: bright is near"))
    assert depth.shape == (2 * CELL_PX, 10 * CELL_PX, 3)
    cells = depth.reshape(2, CELL_PX, 10, CELL_PX, 3).transpose(0, 2, 1, 3, 4).reshape(WINDOW, CELL_PX, CELL_PX, 3)
    for slot, cell in enumerate(cells):
        left, right = cell[:, 8:16].mean(), cell[:, -16:-8].mean()
        if slot == MISSED:
            assert abs(left - right) < 10
        else:
            assert left < 40
            assert right > 215


def test_all_variants_of_a_window_are_shown_with_their_words_and_twins(store: ClipStore, tmp_path: Path) -> None:
    text = page_of(filled(store), tmp_path / "page.html", variants=3)
    page = Page(text)
    drawn = [draw_variant("a", k, seed=0, augmentation=FULL) for k in range(3)]
    shown = page.headings[page.headings.index("All 3 variants of one window") + 1 :]
    assert shown == ["As it is stored", *(f"k = {k}: {variant.words()}" for k, variant in enumerate(drawn))]
    names = [alt for alt, _ in page.pictures]
    assert [names.count(name) for name in ("real", "its depth", "its twin, forged", "the twin's mask")] == [4, 4, 4, 4]
    # The strip of k = 1 is what training is given, every second slot.
    strips = [decoded(uri) for alt, uri in page.pictures if alt == "real"]
    window = ClipWindow(record=store.records()[2], start=0, end=20)
    assert window.record.key == "a"
    frames = read_slots(store, window, range(WINDOW), SPEC, drawn[1]).frames
    for place, slot in enumerate(range(1, WINDOW, 2)):
        cell = strips[2][:, place * CELL_PX : (place + 1) * CELL_PX].astype(float)
        if slot == MISSED:
            continue
        wanted = cv2.resize(frames[slot].permute(1, 2, 0).numpy(), (CELL_PX, CELL_PX), interpolation=cv2.INTER_CUBIC)
        assert np.abs(cell - wanted).mean() < 6


def test_a_store_of_fakes_alone_shows_variants_without_twins(store: ClipStore, tmp_path: Path) -> None:
    row = record("d", label="fake")
    store.add(row, pictures_of(row, poster=False))
    store.complete("x")
    names = [alt for alt, _ in Page(page_of(store, tmp_path / "page.html")).pictures]
    assert names.count("fake") == 3
    assert "its twin, forged" not in names


def test_clips_without_a_window_and_stores_without_clips_still_have_a_page(store: ClipStore, tmp_path: Path) -> None:
    store.complete("x")
    assert "The store holds no clips." in page_of(store, tmp_path / "empty.html")
    row = record("a", samples=0)
    store.add(row, [])
    store.complete("x")
    text = page_of(store, tmp_path / "bare.html")
    assert "no window of this clip shows a face" in text
    assert "variants of one window" not in text


def test_as_many_clips_as_asked_for_are_chosen_and_the_seed_says_which(store: ClipStore, tmp_path: Path) -> None:
    for number in range(12):
        row = record(f"clip{number}", depth=False, samples=4)
        store.add(row, pictures_of(row, poster=False))
    store.complete("x")

    def shown(seed: int) -> list[str]:
        page = Page(page_of(store, tmp_path / "page.html", clips=2, variants=0, seed=seed))
        return [heading for heading in page.headings if heading.endswith(".mp4")]

    assert {len(shown(seed)) for seed in range(3)} == {2}
    assert len({tuple(shown(seed)) for seed in range(3)}) > 1


def test_names_from_the_corpus_are_text_and_never_markup(store: ClipStore, tmp_path: Path) -> None:
    row = record("a").model_copy(update={"path": "real/<script>alert(1)</script>.mp4", "identity": "<b>&"})
    store.add(row, pictures_of(row, poster=True))
    store.complete("x")
    text = page_of(store, tmp_path / "page.html")
    assert "<script" not in text
    assert "&lt;b&gt;&amp;" in text


def test_an_unfinished_store_is_refused(store: ClipStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its preparation was not finished"):
        page_of(store, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_page_that_cannot_be_written_is_one_line(store: ClipStore, tmp_path: Path) -> None:
    store.complete("x")
    (tmp_path / "page.html").mkdir()
    with pytest.raises(WorkError, match=r"page\.html: could not be written \(Is a directory\); give another"):
        page_of(store, tmp_path / "page.html")
    for out in (tmp_path / "missing" / "page.html", Path(), Path("/")):
        with pytest.raises(InputError, match=r"--out .*: give the name of a file in a folder that exists"):
            page_of(store, out)


def test_without_jinja2_the_extra_is_named(store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importing: Callable[..., Any] = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "jinja2":
            raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")
        return importing(name, *rest)

    store.complete("x")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"jinja2 is not installed; type `pip install 'megatron-mobile\[preview\]'`"):
        write_preview(store, tmp_path / "page.html", spec=SPEC, twin_forgery=FOOTAGE)
