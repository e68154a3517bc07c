"""Who is on which side: by identity, seeded, stratified by label, and refused only where it cannot be done."""

import random
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.corpus.entries import LABELS, NO_SPLIT, SPLITS, Entry, Split, VideoLabel
from core.corpus.splits import draw_sides, refuse_shared_people, with_split, with_validation
from core.errors import InputError

FOLDER = Path("corpus")


def video(label: VideoLabel, identity: str, *, source: str = "", take: int = 0) -> Entry:
    return Entry(
        path=f"{label}/{identity}_{source}_{take}.mp4",
        label=label,
        identity=identity,
        source=source,
        method="original" if label == "real" else "swap",
        split=NO_SPLIT,
    )


def crowd(*, real: int = 0, fake: int = 0, both: int = 0) -> list[Entry]:
    """So many people with videos of one label or of both."""
    return [
        *(video("real", f"r{number}") for number in range(real)),
        *(video("fake", f"f{number}") for number in range(fake)),
        *(video(label, f"b{number}") for number in range(both) for label in LABELS),
    ]


def sides(entries: list[Entry]) -> dict[str, set[str]]:
    out: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for person in entry.people:
            out[person].add(entry.split)
    return out


def shares(entries: list[Entry], prefix: str) -> Counter[str]:
    return Counter(side for person, (side,) in sides(entries).items() if person.startswith(prefix))


@pytest.mark.parametrize(
    ("people", "expected"),
    [(3, (1, 1, 1)), (4, (2, 1, 1)), (10, (6, 2, 2)), (28, (16, 6, 6)), (100, (60, 20, 20))],
)
def test_each_kind_of_people_is_split_six_two_two(people: int, expected: tuple[int, ...]) -> None:
    entries = with_split(FOLDER, crowd(real=people, fake=people, both=people), needed=LABELS, seed=0)
    for prefix in "rfb":
        assert tuple(shares(entries, prefix)[split] for split in SPLITS) == expected


def test_few_people_of_a_kind_go_to_train_where_the_others_are_enough() -> None:
    entries = with_split(FOLDER, crowd(real=2, fake=1, both=3), needed=LABELS, seed=0)
    assert shares(entries, "b") == {"train": 1, "val": 1, "test": 1}
    assert shares(entries, "r") == {"train": 2}
    assert shares(entries, "f") == {"train": 1}


def test_few_people_are_spread_where_every_side_needs_them() -> None:
    entries = with_split(FOLDER, crowd(real=9, fake=1, both=2), needed=LABELS, seed=0)
    assert sorted(entry.split for entry in entries if entry.label == "fake") == ["test", "train", "val"]


@given(real=st.integers(0, 4), fake=st.integers(0, 4), both=st.integers(0, 4), seed=st.integers(0, 100))
def test_a_corpus_is_refused_exactly_where_no_split_has_both_classes_on_every_side(
    real: int, fake: int, both: int, seed: int
) -> None:
    entries = crowd(real=real, fake=fake, both=both)
    if dealt(real, fake, both):
        placed = with_split(FOLDER, entries, needed=LABELS, seed=seed)
        assert {(entry.split, entry.label) for entry in placed} == set(product(SPLITS, LABELS))
    else:
        expected = (
            rf"^corpus: {real + fake + both} identities \({real + both} real and {fake + both} fake videos\) cannot be "
            r"split by identity into train, val and test; at least 3 identities of each kind are needed$"
        )
        with pytest.raises(InputError, match=expected):
            with_split(FOLDER, entries, needed=LABELS, seed=seed)


def dealt(real: int, fake: int, both: int) -> bool:
    """By trying them all: whether some deal of (real, fake, both) people has both classes on every side."""

    def hands(count: int) -> list[tuple[int, ...]]:
        return [hand for hand in product(range(count + 1), repeat=3) if sum(hand) == count]

    return any(
        all((r[side] or b[side]) and (f[side] or b[side]) for side in range(3))
        for r, f, b in product(hands(real), hands(fake), hands(both))
    )


def test_one_class_is_enough_where_only_that_is_needed() -> None:
    entries = with_split(FOLDER, crowd(real=3, fake=1), needed=["real"], seed=0)
    assert shares(entries, "r") == {"train": 1, "val": 1, "test": 1}
    with pytest.raises(InputError, match=r"2 identities \(2 real and 0 fake videos\) cannot be split by identity into"):
        with_split(FOLDER, crowd(real=2), needed=["real"], seed=0)


@st.composite
def swaps(draw: st.DrawFn) -> list[Entry]:
    """Real videos of up to 16 people, and fakes of any two of them, some of whom are in no real video."""
    people = [f"{number:02d}" for number in range(draw(st.integers(3, 16)))]
    anyone = st.sampled_from(people)
    real = draw(st.sets(anyone, min_size=1))
    pairs = draw(st.sets(st.tuples(anyone, anyone), min_size=1, max_size=12))
    entries = [
        *(video("real", name, take=take) for name in real for take in range(2)),
        *(video("fake", target, source=source) for target, source in pairs),
    ]
    return draw(st.permutations(entries))


@given(entries=swaps(), seed=st.integers(0, 100))
def test_neither_the_target_nor_the_source_of_a_fake_is_on_two_sides(entries: list[Entry], seed: int) -> None:
    try:
        placed = with_split(FOLDER, entries, needed=LABELS, seed=seed)
    except InputError:
        return
    assert all(len(side) == 1 for side in sides(placed).values())
    refuse_shared_people(FOLDER, placed)


@given(entries=swaps(), seed=st.integers(0, 100))
def test_the_split_does_not_depend_on_the_order_of_the_videos(entries: list[Entry], seed: int) -> None:
    def split(order: list[Entry]) -> dict[str, set[str]] | str:
        try:
            return sides(with_split(FOLDER, order, needed=LABELS, seed=seed))
        except InputError as error:
            return str(error)

    assert split(entries) == split(sorted(entries, key=lambda entry: entry.path))


def test_a_seed_draws_the_same_split_and_another_one_another() -> None:
    labels = {f"id{number}": {"real", "fake"} for number in range(10)}
    draws = [draw_sides(labels, random.Random(seed)) for seed in (0, 0, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len({tuple(sorted(draw.items())) for draw in draws}) > 2


def test_the_face_of_a_fake_on_another_side_is_refused_by_name() -> None:
    entries = [
        Entry(path="1.mp4", label="real", identity="anna", method="original", split="train"),
        Entry(path="2.mp4", label="fake", identity="bert", source="anna", method="swap", split="val"),
    ]
    with pytest.raises(InputError, match=r"identity anna is in train and in val; one person's videos must stay on one"):
        refuse_shared_people(FOLDER, entries)


def on(side: Split, entries: list[Entry]) -> list[Entry]:
    return [replace(entry, split=side) for entry in entries]


def test_where_train_and_test_are_all_that_is_named_val_is_drawn_from_train() -> None:
    tested = on("test", [video("real", "t0"), video("fake", "t0")])
    entries, drawn = with_validation([*on("train", crowd(both=10)), *tested], needed=LABELS, seed=0)
    assert len(drawn) == 2
    assert shares(entries, "b") == {"train": 8, "val": 2}
    assert shares(entries, "t") == {"test": 1}
    assert {entry.identity for entry in entries if entry.split == "val"} == set(drawn)


@given(entries=swaps(), seed=st.integers(0, 100))
def test_nobody_is_on_two_sides_once_val_is_drawn(entries: list[Entry], seed: int) -> None:
    placed, drawn = with_validation(on("train", entries), needed=LABELS, seed=seed)
    assert all(len(side) == 1 for side in sides(placed).values())
    there = {(entry.split, entry.label) for entry in placed}
    assert there == (set(product(("train", "val"), LABELS)) if drawn else {("train", entry.label) for entry in entries})
    again, _ = with_validation(on("train", sorted(entries, key=lambda entry: entry.path)), needed=LABELS, seed=seed)
    assert sides(again) == sides(placed)


@pytest.mark.parametrize(
    "entries",
    [
        on("train", crowd(both=1)),
        on("test", crowd(both=5)),
        [*on("train", crowd(both=5)), *on("val", [video("real", "v0")])],
    ],
    ids=["too few", "no train", "val is given"],
)
def test_val_is_drawn_only_where_it_is_missing_and_can_be_had(entries: list[Entry]) -> None:
    assert with_validation(entries, needed=LABELS, seed=0) == (entries, [])
