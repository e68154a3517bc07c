"""What `corpus.csv` says of a folder's videos, and how a line that is wrong is named."""

from collections import Counter
from pathlib import Path

import pytest

from core.corpus import INDEX, Entry, read_corpus
from core.errors import InputError
from tests.core.corpora import indexed, touch


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
    expected = "the column `identity` of corpus.csv for 3 of 4 videos, the file names up to the first _ or - for 1"
    assert corpus.identities_from == expected
    assert corpus.notes == ()


def test_an_index_that_names_train_and_test_alone_has_val_drawn_from_train(tmp_path: Path) -> None:
    people = [f"{number}.mp4,real,p{number},,train" for number in range(5)]
    rows = [*people, "9.mp4,real,p9,,test"]
    corpus = read_corpus(indexed(tmp_path, *rows), real_only=True)
    assert Counter(entry.split for entry in corpus.entries) == {"train": 4, "val": 1, "test": 1}
    assert [entry.identity for entry in corpus.entries if entry.split == "test"] == ["p9"]
    assert corpus.notes == ("val: named for no video, so 1 of train's identities are drawn for it",)
    judged = read_corpus(indexed(tmp_path, *rows), real_only=True, undivided=True)
    assert {entry.split for entry in judged.entries} == {"train", "test"}


def test_an_index_with_every_identity_is_the_only_source_of_them(tmp_path: Path) -> None:
    rows = ["000.mp4,real,anna,,train", "001.mp4,real,bert,,val", "000_001.mp4,fake,carl,swap,test"]
    corpus = read_corpus(indexed(tmp_path, *rows))
    assert corpus.identities_from == "the column `identity` of corpus.csv"
    assert {entry.source for entry in corpus.entries} == {""}


def test_two_columns_are_enough_of_an_index(tmp_path: Path) -> None:
    rows = [f"{label}{number}_1.mp4,{label}" for label in ("real", "fake") for number in range(3)]
    corpus = read_corpus(indexed(tmp_path, *rows, header="path,label"))
    assert {entry.split for entry in corpus.entries} == {"train", "val", "test"}
    assert corpus.identities_from == "the file names up to the first _ or -"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b.mp4,forged,b,swap,train", r"corpus.csv, line 3: label 'forged'; allowed are real and fake"),
        ("b.mp4,,b,swap,train", r"corpus.csv, line 3: label ''; allowed are real and fake"),
        ("b.mp4,fake,b,swap,dev", r"corpus.csv, line 3: split 'dev'; allowed are train, val, test or nothing"),
        (
            "absent.mp4,fake,b,swap,train",
            r"corpus.csv, line 3: no file 'absent.mp4' in the corpus; correct the path",
        ),
        ("a.mp4,fake,b,swap,train", r"corpus.csv, line 3: a.mp4 is in line 2 already; drop one of the two"),
        ("./a.mp4,fake,b,swap,train", r"corpus.csv, line 3: a.mp4 is in line 2 already; drop one of the two"),
        ("b.mp4,fake,b,swap,", r"corpus.csv: a split for 1 of 2 videos; fill the column `split` in every line, or in"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_corpus(indexed(tmp_path, "a.mp4,real,a,,train", row))


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"corpus.csv, line 5: a.mp4 is in line 2 already"):
        read_corpus(indexed(tmp_path, "a.mp4,real,a,,train", "", "b.mp4,fake,b,swap,train", "a.mp4,real,a,,train"))


def test_a_line_that_ends_before_its_path_is_named(tmp_path: Path) -> None:
    indexed(tmp_path)
    (tmp_path / INDEX).write_text("label,path\nreal\n")
    with pytest.raises(InputError, match=r"corpus.csv, line 2: no file '' in the corpus; correct the path"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("path", ["../outside_1.mp4", "{outside}", "x" * 5000])
def test_a_path_that_leads_out_of_the_corpus_or_nowhere_is_refused(tmp_path: Path, path: str) -> None:
    outside = touch(tmp_path, ["outside_1.mp4"]) / "outside_1.mp4"
    folder = indexed(tmp_path / "corpus", "real/a_1.mp4,real,a,,train")
    with (folder / INDEX).open("a") as table:
        table.write(f"{path.format(outside=outside)},fake,b,,train\n")
    with pytest.raises(InputError, match=r"line 3: no file .* in the corpus; correct the path"):
        read_corpus(folder)


def test_two_ways_to_write_one_path_are_one_video(tmp_path: Path) -> None:
    folder = indexed(tmp_path / "corpus", "real/a_1.mp4,real,a,,train", "real/../real/a_1.mp4,fake,b,,test")
    with pytest.raises(InputError, match=r"line 3: real/a_1.mp4 is in line 2 already"):
        read_corpus(folder)


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


def test_one_person_whose_face_is_on_another_side_is_refused_by_name(tmp_path: Path) -> None:
    rows = ["000.mp4,real,,,train", "001.mp4,real,,,test", "000_001.mp4,fake,,swap,train"]
    with pytest.raises(InputError, match=r"identity 001 is in test and in train; one person's videos must stay on one"):
        read_corpus(indexed(tmp_path, *rows))


def test_a_person_on_two_sides_is_named_with_the_sides_of_the_index(tmp_path: Path) -> None:
    people = [f"{number}.mp4,real,p{number},,train" for number in range(5)]
    for person in range(5):
        folder = indexed(tmp_path / str(person), *people, f"9.mp4,real,p{person},,test")
        with pytest.raises(InputError, match=f"identity p{person} is in train and in test"):
            read_corpus(folder, real_only=True)
