"""Which videos a folder holds, whose they are, and on which side of the split."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.corpus import read_corpus
from core.errors import InputError
from tests.core.corpora import indexed, sides, touch


def people(count: int, *, label: str, prefix: str = "id") -> list[str]:
    return [f"{label}/{prefix}{number}_0.mp4" for number in range(count)]


# Folders


def test_the_folder_is_the_label_and_the_name_tells_the_person(tmp_path: Path) -> None:
    names = ["real/a_1.mp4", "real/a-2.MOV", "real/deep/b_1.mkv", "real/c.webm", "fake/a_3.avi", "fake/d_1.mpg"]
    touch(tmp_path, [*names, "fake/e_1.mp4", "fake/f_1.mp4", "real/a_1.txt", "real/a_1.depth/000000.png", "x_1.mp4"])

    corpus = read_corpus(tmp_path)

    found = {entry.path: (entry.label, entry.identity, entry.method) for entry in corpus.entries}
    assert found["real/a_1.mp4"] == ("real", "a", "original")
    assert found["real/a-2.MOV"] == ("real", "a", "original")
    assert found["real/deep/b_1.mkv"] == ("real", "b", "original")
    assert found["real/c.webm"] == ("real", "c", "original")
    assert found["fake/a_3.avi"] == ("fake", "a", "unknown")
    assert len(found) == 8
    assert list(found) == sorted(found)
    assert corpus.identities_from == "the file names up to the first _ or -"


def test_a_fake_named_after_two_real_videos_shows_both_and_ties_them_to_one_side(tmp_path: Path) -> None:
    pairs = [(f"{2 * number:03d}", f"{2 * number + 1:03d}") for number in range(4)]
    touch(tmp_path, (f"real/{name}.mp4" for pair in pairs for name in pair))
    touch(tmp_path, (f"fake/{target}_{source}.mp4" for target, source in pairs))
    # Neither is named after two real videos.
    touch(tmp_path, ["fake/000_1.mp4", "fake/9_000.mp4"])

    corpus = read_corpus(tmp_path)

    found = {entry.path: (entry.identity, entry.source) for entry in corpus.entries if entry.label == "fake"}
    assert found == {
        **{f"fake/{target}_{source}.mp4": (target, source) for target, source in pairs},
        "fake/000_1.mp4": ("000", ""),
        "fake/9_000.mp4": ("9", ""),
    }
    assert all(len(side) == 1 for side in sides(corpus).values())
    assert corpus.identities_from == (
        "the file names up to the first _ or -, TARGET_SOURCE for 4 fakes named after real videos"
    )


def test_the_people_of_a_pair_are_those_of_the_real_videos_whatever_is_in_their_names(tmp_path: Path) -> None:
    people_of = ["id1_a", "id1_b", "id2_a", "id3", "id4", "id5", "id6"]
    touch(tmp_path, [*(f"real/{name}.mp4" for name in people_of), "fake/id1_b_id2_a.mp4"])
    touch(tmp_path, ["fake/id3_id4.mp4", "fake/id5_id6.mp4"])

    corpus = read_corpus(tmp_path)

    (fake,) = (entry for entry in corpus.entries if entry.path == "fake/id1_b_id2_a.mp4")
    assert (fake.identity, fake.source) == ("id1", "id2")


def test_people_whom_fakes_tie_into_too_few_groups_are_refused_with_counts(tmp_path: Path) -> None:
    names = ["000", "001", "002", "003"]
    touch(tmp_path, (f"real/{name}.mp4" for name in names))
    touch(tmp_path, (f"fake/{target}_{source}.mp4" for target in names for source in names if target != source))
    expected = r"4 identities \(4 real and 12 fake videos; fakes tie them into 1\) cannot be split .* other people$"
    with pytest.raises(InputError, match=expected):
        read_corpus(tmp_path)


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
    assert corpus.identities_from == "the file names up to the first _ or -"


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
    assert (
        corpus.identities_from
        == "the column `identity` of clips.tsv for 3 of 5 videos, the file names up to the first _ or - for 2"
    )


def test_unsorted_videos_of_one_person_stay_together(tmp_path: Path) -> None:
    touch(tmp_path, [f"id{person:02d}_{take}.mp4" for person in range(6) for take in range(3)])
    corpus = read_corpus(tmp_path, real_only=True)
    assert len(sides(corpus)) == 6
    assert all(len(side) == 1 for side in sides(corpus).values())


def test_the_people_of_the_real_footage_stay_on_one_side(clips: Path) -> None:
    corpus = read_corpus(clips, real_only=True)
    assert corpus.identities_from == "the column `identity` of clips.tsv"
    assert len(corpus.entries) > len(sides(corpus)) >= 3
    assert all(len(side) == 1 for side in sides(corpus).values())


# Methods and compressions


def forged(people_each: int = 8) -> list[str]:
    """Rows of an index without a split: everyone in a real video, a swap and a blend."""
    return [
        f"{label}{number}{method}.mp4,{label},id{number},{method},"
        for number in range(people_each)
        for label, method in (("real", ""), ("fake", "swap"), ("fake", "blend"))
    ]


def test_the_fakes_are_those_of_the_methods_named_and_the_reals_stay(tmp_path: Path) -> None:
    corpus = read_corpus(indexed(tmp_path, *forged()), methods=["swap"])
    assert {entry.method for entry in corpus.entries} == {"original", "swap"}
    assert sum(entry.label == "real" for entry in corpus.entries) == 8


def test_the_methods_named_do_not_move_anybody_to_another_side(tmp_path: Path) -> None:
    indexed(tmp_path, *forged())
    everything = sides(read_corpus(tmp_path))
    assert sides(read_corpus(tmp_path, methods=["swap"])) == sides(read_corpus(tmp_path, methods=["blend"]))
    assert sides(read_corpus(tmp_path, methods=["swap"])) == everything


@pytest.mark.parametrize("name", ["Swap", "original", ""])
def test_a_method_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, name: str) -> None:
    expected = rf"--methods {name}: none such in .*; there are blend, swap: name some of these, or leave --methods out$"
    with pytest.raises(InputError, match=expected):
        read_corpus(indexed(tmp_path, *forged()), methods=["swap", name])


def test_a_method_in_a_corpus_without_fakes_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, people(3, label="real"))
    with pytest.raises(InputError, match=r"--methods swap: none such in .*; there are none, or leave --methods out"):
        read_corpus(tmp_path, real_only=True, methods=["swap"])


def test_methods_that_leave_a_drawn_side_without_fakes_are_refused_with_counts(tmp_path: Path) -> None:
    rows = [*forged(), "rare.mp4,fake,id0,rare,"]
    expected = (
        r"--methods rare: with these \w+ has no fake video \(8 real and 1 fake videos in all\), .* name more methods"
    )
    with pytest.raises(InputError, match=expected):
        read_corpus(indexed(tmp_path, *rows), methods=["rare"])


def test_a_val_that_is_drawn_needs_fakes_of_the_methods_chosen(tmp_path: Path) -> None:
    people = [f"{label}{number}.mp4,{label},p{number},B,train" for number in range(5) for label in ("real", "fake")]
    folder = indexed(tmp_path, *people, "a0.mp4,fake,p0,A,train")
    with pytest.raises(InputError, match=r"--methods A: with these (train|val) has no fake video \(5 real and 1 fake"):
        read_corpus(folder, methods=["A"])
    assert {entry.split for entry in read_corpus(folder, methods=["A", "B"]).entries} == {"train", "val"}


def test_a_compression_is_refused_where_there_are_none(tmp_path: Path) -> None:
    expected = (
        r"--compressions c23: only FaceForensics\+\+ as it is distributed has compressions, .* leave --compressions out"
    )
    with pytest.raises(InputError, match=expected):
        read_corpus(indexed(tmp_path, *forged()), compressions=["c23"])


# Judged alone, without a split


@pytest.mark.parametrize("label", ["real", "fake"])
def test_what_is_only_judged_needs_no_split_and_one_class(tmp_path: Path, label: str) -> None:
    touch(tmp_path, people(2, label=label))
    corpus = read_corpus(tmp_path, undivided=True)
    assert [(entry.label, entry.split) for entry in corpus.entries] == [(label, "test")] * 2
    assert not corpus.gives_sides


def test_people_whom_fakes_tie_together_can_be_judged(tmp_path: Path) -> None:
    touch(tmp_path, ["real/000.mp4", "real/001.mp4", "fake/000_001.mp4", "fake/001_000.mp4"])
    assert {entry.split for entry in read_corpus(tmp_path, undivided=True).entries} == {"test"}


def test_the_sides_that_a_corpus_gives_are_kept(tmp_path: Path) -> None:
    rows = ["1.mp4,real,anna,,train", "2.mp4,real,bert,,val", "3.mp4,fake,carl,swap,test"]
    corpus = read_corpus(indexed(tmp_path, *rows), undivided=True)
    assert [entry.split for entry in corpus.entries] == ["train", "val", "test"]
    assert corpus.gives_sides


def test_a_method_of_too_few_fakes_to_be_split_can_be_judged(tmp_path: Path) -> None:
    rows = [*forged(), "rare.mp4,fake,id0,rare,"]
    corpus = read_corpus(indexed(tmp_path, *rows), undivided=True, methods=["rare"])
    assert sum(entry.label == "fake" for entry in corpus.entries) == 1


# The split, more of which is in test_splits.py


@settings(deadline=None, max_examples=25)
@given(
    real=st.sets(st.sampled_from("abcdefghijkl"), min_size=1),
    fakes=st.sets(st.sampled_from([f"{a}{b}" for a in "abcdefghijkl" for b in ("", "_1", "_b", "_k")]), min_size=1),
    seed=st.integers(0, 1000),
)
def test_a_corpus_is_split_by_people_the_same_way_each_time_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, real: set[str], fakes: set[str], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    touch(folder, [*(f"real/{name}.mp4" for name in real), *(f"fake/{name}.mp4" for name in fakes)])

    try:
        corpus = read_corpus(folder, seed=seed)
    except InputError:
        with pytest.raises(InputError, match=r"^.* cannot be split by identity [^\n]*$"):
            read_corpus(folder, seed=seed)
        return

    assert all(len(side) == 1 for side in sides(corpus).values())
    assert {(entry.label, entry.split) for entry in corpus.entries} == {
        (label, split) for label in ("real", "fake") for split in ("train", "val", "test")
    }
    assert read_corpus(folder, seed=seed) == corpus
