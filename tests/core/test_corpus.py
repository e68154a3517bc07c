"""Which videos a folder holds, whose they are, and on which side of the split."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.corpus import INDEX, Corpus, Entry, read_corpus
from core.errors import InputError


def touch(folder: Path, paths: Iterable[str]) -> Path:
    """Empty files: a corpus is read without opening a video."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


def people(count: int, *, label: str, prefix: str = "id") -> list[str]:
    return [f"{label}/{prefix}{number}_0.mp4" for number in range(count)]


def indexed(folder: Path, *rows: str, header: str = "path,label,identity,method,split") -> Path:
    """A corpus of `rows` of corpus.csv; files are made for the paths that do not begin with `absent`."""
    folder.mkdir(exist_ok=True)
    touch(folder, (path for row in rows if not (path := row.split(",")[0]).startswith("absent")))
    (folder / INDEX).write_text("\n".join([header, *rows]) + "\n")
    return folder


def sides(corpus: Corpus) -> dict[str, set[str]]:
    out: dict[str, set[str]] = defaultdict(set)
    for entry in corpus.entries:
        out[entry.identity].add(entry.split)
    return out


# Folders


def test_the_folder_is_the_label_and_the_name_tells_the_person(tmp_path: Path) -> None:
    names = ["real/a_1.mp4", "real/a-2.MOV", "real/deep/b_1.mkv", "real/c.webm", "fake/a_3.avi", "fake/d_1.mpg"]
    touch(tmp_path, [*names, "fake/e_1.mp4", "fake/f_1.mp4", "real/a_1.txt", "real/a_1.depth/000000.png", "x_1.mp4"])
    # a is in both classes, b and c in one, d, e and f in the other: each kind needs three people.
    touch(tmp_path, ["real/g.mp4", "fake/h_1.mp4", "real/h_2.mp4", "fake/i_1.mp4", "real/i_2.mp4"])

    corpus = read_corpus(tmp_path)

    found = {entry.path: (entry.label, entry.identity, entry.method) for entry in corpus.entries}
    assert found["real/a_1.mp4"] == ("real", "a", "original")
    assert found["real/a-2.MOV"] == ("real", "a", "original")
    assert found["real/deep/b_1.mkv"] == ("real", "b", "original")
    assert found["real/c.webm"] == ("real", "c", "original")
    assert found["fake/a_3.avi"] == ("fake", "a", "unknown")
    assert len(found) == 13
    assert list(found) == sorted(found)
    assert corpus.identities_from == "the file names up to the first _ or -"


def test_a_missing_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent: no such corpus folder; give one with real/ and fake/, or type"):
        read_corpus(tmp_path / "absent")


@pytest.mark.parametrize("paths", [[], ["real/notes.txt", "fake/notes.txt"], ["notes.txt"]])
@pytest.mark.parametrize("real_only", [False, True])
def test_a_corpus_without_a_video_is_refused(tmp_path: Path, paths: list[str], real_only: bool) -> None:
    touch(tmp_path, paths)
    with pytest.raises(InputError, match=r"no video in it; put videos \(\.avi, .*\) into real/ and fake/"):
        read_corpus(tmp_path, real_only=real_only)


def test_one_class_is_refused_with_its_count_and_a_way_out(tmp_path: Path) -> None:
    touch(tmp_path, people(7, label="real"))
    with pytest.raises(InputError, match=r"all 7 videos are real; add the other class .* --recipe clips"):
        read_corpus(tmp_path)
    assert {entry.label for entry in read_corpus(tmp_path, real_only=True).entries} == {"real"}


def test_videos_in_no_class_are_refused_with_a_way_out_and_taken_for_real_where_that_is_asked(tmp_path: Path) -> None:
    touch(tmp_path, ["one.mp4", "two.mp4", "deep/three.mkv"])
    with pytest.raises(InputError, match=r"neither real/ and fake/ nor corpus.csv in it; sort .* --recipe clips"):
        read_corpus(tmp_path)

    corpus = read_corpus(tmp_path, real_only=True)

    assert [(entry.identity, entry.label) for entry in corpus.entries] == [
        ("three", "real"),
        ("one", "real"),
        ("two", "real"),
    ]
    assert corpus.identities_from == "the file names"


def test_a_table_beside_real_videos_tells_who_they_are(tmp_path: Path) -> None:
    touch(tmp_path, ["asl/a.mkv", "asl/b.mkv", "grid/c.mpg", "grid/d.mpg", "e.mp4"])
    (tmp_path / "clips.tsv").write_text(
        "path\tidentity\tfps\nasl/a.mkv\tAnna\t30\nasl/b.mkv\tAnna\t30\ngrid/c.mpg\tCarl\t25\ngrid/d.mpg\t\t25\n"
    )

    corpus = read_corpus(tmp_path, real_only=True)

    assert {entry.path: entry.identity for entry in corpus.entries} == {
        "asl/a.mkv": "Anna",
        "asl/b.mkv": "Anna",
        "grid/c.mpg": "Carl",
        "grid/d.mpg": "d",
        "e.mp4": "e",
    }
    assert corpus.identities_from == "the column `identity` of clips.tsv"


def test_the_people_of_the_real_footage_stay_on_one_side(clips: Path) -> None:
    corpus = read_corpus(clips, real_only=True)
    assert corpus.identities_from == "the column `identity` of clips.tsv"
    assert len(corpus.entries) > len(sides(corpus)) >= 3
    assert all(len(side) == 1 for side in sides(corpus).values())


# The index


def test_an_index_says_it_all(tmp_path: Path) -> None:
    rows = [
        "v/2.mp4,fake,anna,swap,train",
        "v/1.mp4,real,anna,,train",
        "v/3.mp4,real,bert,studio,val",
        "v/c_9.mp4,fake,,,test",
    ]

    corpus = read_corpus(indexed(tmp_path, *rows))

    assert corpus.entries == (
        Entry(path="v/1.mp4", label="real", identity="anna", method="original", split="train"),
        Entry(path="v/2.mp4", label="fake", identity="anna", method="swap", split="train"),
        Entry(path="v/3.mp4", label="real", identity="bert", method="studio", split="val"),
        Entry(path="v/c_9.mp4", label="fake", identity="c", method="unknown", split="test"),
    )
    assert corpus.identities_from == "the column `identity` of corpus.csv"


def test_two_columns_are_enough_of_an_index(tmp_path: Path) -> None:
    rows = [f"{label}{number}_1.mp4,{label}" for label in ("real", "fake") for number in range(3)]
    corpus = read_corpus(indexed(tmp_path, *rows, header="path,label"))
    assert {entry.split for entry in corpus.entries} == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b.mp4,forged,b,swap,train", r"corpus.csv, line 3: label 'forged'; allowed are real and fake"),
        ("b.mp4,,b,swap,train", r"corpus.csv, line 3: label ''; allowed are real and fake"),
        ("b.mp4,fake,b,swap,dev", r"corpus.csv, line 3: split 'dev'; allowed are train, val, test or nothing"),
        ("absent.mp4,fake,b,swap,train", r"corpus.csv, line 3: no file absent.mp4; correct the path or drop the line"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_corpus(indexed(tmp_path, "a.mp4,real,a,,train", row))


def test_a_line_that_ends_before_its_path_is_named(tmp_path: Path) -> None:
    indexed(tmp_path)
    (tmp_path / INDEX).write_text("label,path\nreal\n")
    with pytest.raises(InputError, match=r"corpus.csv, line 2: no file None; correct the path or drop the line"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("header", ["file,label", "path,class", ""])
def test_an_index_without_its_columns_is_refused(tmp_path: Path, header: str) -> None:
    indexed(tmp_path)
    (tmp_path / INDEX).write_text(header)
    with pytest.raises(InputError, match=r"its first line must name the columns path,label,identity,method,split"):
        read_corpus(tmp_path)


def test_one_person_on_two_sides_is_refused_by_name(tmp_path: Path) -> None:
    rows = ["1.mp4,real,anna,,train", "2.mp4,fake,anna,swap,test", "3.mp4,real,bert,,val"]
    with pytest.raises(InputError, match=r"identity anna is in train and in test; .* correct the column `split`"):
        read_corpus(indexed(tmp_path, *rows))


# The split


@pytest.mark.parametrize(("real", "fake"), [(2, 5), (5, 2), (1, 1), (3, 0)])
def test_fewer_than_three_people_of_a_kind_are_refused_with_counts(tmp_path: Path, real: int, fake: int) -> None:
    both = ["real/both_1.mp4", "fake/both_1.mp4"]
    touch(tmp_path, [*people(real, label="real", prefix="r"), *people(fake, label="fake", prefix="f"), *both])
    expected = (
        rf"{real + fake + 1} identities \({real + 1} real and {fake + 1} fake videos\) cannot be split by identity"
    )
    with pytest.raises(InputError, match=expected + r" .* at least 3 identities of each kind are needed"):
        read_corpus(tmp_path)


def test_three_people_of_a_kind_are_one_on_each_side(tmp_path: Path) -> None:
    touch(tmp_path, [*people(3, label="real", prefix="r"), *people(3, label="fake", prefix="f")])
    found = Counter((entry.label, entry.split) for entry in read_corpus(tmp_path).entries)
    assert found == {(label, split): 1 for label in ("real", "fake") for split in ("train", "val", "test")}


def test_ten_people_are_split_six_two_two(tmp_path: Path) -> None:
    touch(tmp_path, [*people(10, label="real"), *people(10, label="fake")])
    found = Counter(next(iter(side)) for side in sides(read_corpus(tmp_path)).values())
    assert found == {"train": 6, "val": 2, "test": 2}


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    real=st.integers(3, 9),
    fake=st.integers(3, 9),
    both=st.sampled_from([0, 3, 6]),
    clips_each=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_a_drawn_split_keeps_people_on_one_side_has_both_classes_on_all_and_is_repeatable(
    tmp_path_factory: pytest.TempPathFactory, real: int, fake: int, both: int, clips_each: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    kinds = {"real": [("r", real), ("b", both)], "fake": [("f", fake), ("b", both)]}
    for label, groups in kinds.items():
        for prefix, count in groups:
            touch(
                folder,
                (f"{label}/{prefix}{person}_{clip}.mp4" for person in range(count) for clip in range(clips_each)),
            )

    corpus = read_corpus(folder, seed=seed)

    assert all(len(side) == 1 for side in sides(corpus).values())
    assert {(entry.label, entry.split) for entry in corpus.entries} == {
        (label, split) for label in ("real", "fake") for split in ("train", "val", "test")
    }
    assert read_corpus(folder, seed=seed) == corpus


def test_another_seed_draws_another_split(tmp_path: Path) -> None:
    touch(tmp_path, [*people(10, label="real", prefix="r"), *people(10, label="fake", prefix="f")])
    assert len({read_corpus(tmp_path, seed=seed).entries for seed in range(4)}) > 1
