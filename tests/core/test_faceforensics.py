"""FaceForensics++ as distributed: what is read of it, on which sides, and what is refused."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.corpus import Corpus, read_corpus
from core.corpus.entries import SPLITS
from core.errors import InputError
from tests.core.corpora import sides

# As in the official files, there 360, 70 and 70 pairs of videos that are forged into one another.
PAIRS = {
    "train": [["071", "054"], ["087", "081"], ["881", "856"]],
    "val": [["720", "672"]],
    "test": [["953", "974"]],
}
YOUTUBE_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
ACTORS = [f"{number:02d}" for number in range(1, 13)]
# Everyone in two scenes, forged with the faces of the next two.
ORIGINAL_SCENES = [f"{actor}__{scene}" for actor in ACTORS for scene in ("hugging_happy", "kitchen_pan")]
SWAPPED_SCENES = [
    f"{actor}_{ACTORS[(place + step) % len(ACTORS)]}__hugging_happy__YVGY8L{step}K"
    for place, actor in enumerate(ACTORS)
    for step in (1, 2)
]


def touch(folder: Path, kind: str, compression: str, stems: Iterable[str]) -> None:
    """Empty videos of one method or of originals: a corpus is read without opening a video."""
    sequences = "original_sequences" if kind in ("youtube", "actors") else "manipulated_sequences"
    videos = folder / sequences / kind / compression / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    for stem in stems:
        (videos / f"{stem}.mp4").touch()


def write_splits(folder: Path, pairs: Mapping[str, object] = PAIRS) -> None:
    (folder / "splits").mkdir(parents=True, exist_ok=True)
    for split, listed in pairs.items():
        (folder / "splits" / f"{split}.json").write_text(json.dumps(listed))


def youtube(folder: Path, *, methods: Sequence[str] = ("Deepfakes",), compressions: Sequence[str] = ("c23",)) -> Path:
    """The YouTube part, each pair forged in both directions."""
    pairs = [pair for listed in PAIRS.values() for pair in listed]
    for compression in compressions:
        touch(folder, "youtube", compression, (name for pair in pairs for name in pair))
        for method in methods:
            touch(folder, method, compression, (f"{a}_{b}" for pair in pairs for a, b in (pair, pair[::-1])))
    write_splits(folder)
    return folder


def actors(folder: Path, *, compressions: Sequence[str] = ("c23",)) -> Path:
    """The actors' part."""
    for compression in compressions:
        touch(folder, "actors", compression, ORIGINAL_SCENES)
        touch(folder, "DeepFakeDetection", compression, SWAPPED_SCENES)
    return folder


def kinds(corpus: Corpus) -> set[tuple[str, str, str]]:
    return {(entry.path.split("/")[1], entry.method, entry.compression) for entry in corpus.entries}


# What is read


def test_everything_there_is_read_without_a_choice(tmp_path: Path) -> None:
    actors(youtube(tmp_path, methods=YOUTUBE_METHODS, compressions=("raw", "c40")), compressions=("c40",))

    corpus = read_corpus(tmp_path)

    assert kinds(corpus) == {
        *(("youtube", "original", compression) for compression in ("raw", "c40")),
        *((method, method, compression) for method in YOUTUBE_METHODS for compression in ("raw", "c40")),
        ("actors", "original", "c40"),
        ("DeepFakeDetection", "DeepFakeDetection", "c40"),
    }
    assert corpus.identities_from == "the file names of FaceForensics++"
    assert [entry.path for entry in corpus.entries] == sorted(entry.path for entry in corpus.entries)


def test_a_youtube_video_has_its_number_for_identity_and_the_official_side(tmp_path: Path) -> None:
    corpus = read_corpus(youtube(tmp_path))

    found = {entry.path: entry for entry in corpus.entries}
    real = found["original_sequences/youtube/c23/videos/071.mp4"]
    assert (real.label, real.identity, real.source, real.method, real.split) == ("real", "071", "", "original", "train")
    fake = found["manipulated_sequences/Deepfakes/c23/videos/672_720.mp4"]
    assert (fake.label, fake.identity, fake.source, fake.method, fake.split) == (
        "fake", "672", "720", "Deepfakes", "val",
    )  # fmt: skip
    assert fake.compression == "c23"
    assert sides(corpus) == {
        name: {split} for split, listed in PAIRS.items() for pair in listed for name in pair
    }  # fmt: skip
    assert corpus.notes == ()


def test_what_is_only_judged_has_the_official_sides_and_every_fake_of_the_actors_on_the_test_side(
    tmp_path: Path,
) -> None:
    corpus = read_corpus(actors(youtube(tmp_path)), undivided=True)
    official = read_corpus(tmp_path, methods=["Deepfakes"])
    assert {entry for entry in corpus.entries if "actor" not in entry.identity} == set(official.entries)
    of_actors = [entry for entry in corpus.entries if "actor" in entry.identity]
    assert len(of_actors) == len(ORIGINAL_SCENES) + len(SWAPPED_SCENES)
    assert {entry.split for entry in of_actors} == {"test"}
    assert (corpus.gives_sides, corpus.notes) == (True, ())


def test_an_actor_is_not_the_person_of_a_youtube_video(tmp_path: Path) -> None:
    found = {entry.path: entry for entry in read_corpus(actors(youtube(tmp_path))).entries}
    assert found["original_sequences/actors/c23/videos/01__kitchen_pan.mp4"].identity == "actor-01"
    swapped = [entry for entry in found.values() if entry.method == "DeepFakeDetection"]
    assert swapped
    for entry in swapped:
        target, source = entry.path.rpartition("/")[2].split("_")[:2]
        assert (entry.identity, entry.source) == (f"actor-{target}", f"actor-{source}")


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (["Deepfakes"], {"youtube", "Deepfakes"}),
        (["FaceSwap", "Deepfakes"], {"youtube", "Deepfakes", "FaceSwap"}),
        (["DeepFakeDetection"], {"actors", "DeepFakeDetection"}),
        (["DeepFakeDetection", "FaceSwap"], {"actors", "DeepFakeDetection", "youtube", "FaceSwap"}),
    ],
)
def test_originals_come_with_the_methods_that_forge_them(
    tmp_path: Path, methods: list[str], expected: set[str]
) -> None:
    corpus = read_corpus(actors(youtube(tmp_path, methods=YOUTUBE_METHODS)), methods=methods)
    assert {kind for kind, _, _ in kinds(corpus)} == expected


def test_compressions_are_chosen_by_name(tmp_path: Path) -> None:
    youtube(tmp_path, compressions=("raw", "c23", "c40"))
    corpus = read_corpus(tmp_path, compressions=["c40", "raw"])
    assert {entry.compression for entry in corpus.entries} == {"raw", "c40"}


def test_the_actors_need_no_official_split_and_the_youtube_videos_do(tmp_path: Path) -> None:
    actors(youtube(tmp_path))
    for split in SPLITS:
        (tmp_path / "splits" / f"{split}.json").unlink()

    assert read_corpus(tmp_path, methods=["DeepFakeDetection"]).entries
    with pytest.raises(InputError, match=r"splits/train.json: no such file; the official split is needed: download it"):
        read_corpus(tmp_path)


def test_originals_alone_are_enough_where_the_forgeries_are_made_here(tmp_path: Path) -> None:
    youtube(tmp_path, methods=())
    assert {entry.label for entry in read_corpus(tmp_path, real_only=True).entries} == {"real"}
    expected = r"all 10 videos are real; add the other class in .*manipulated_sequences/, or have forgeries made"
    with pytest.raises(InputError, match=expected):
        read_corpus(tmp_path)


# The actors' split


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000))
def test_the_actors_are_split_by_actor_and_fakes_across_two_sides_are_dropped_and_counted(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = actors(tmp_path_factory.mktemp("faceforensics"))

    corpus = read_corpus(folder, seed=seed)

    assert all(len(side) == 1 for side in sides(corpus).values())
    assert {(entry.split, entry.label) for entry in corpus.entries} == {
        (split, label) for split in SPLITS for label in ("real", "fake")
    }
    kept = sum(entry.label == "fake" for entry in corpus.entries)
    assert sum(entry.label == "real" for entry in corpus.entries) == len(ORIGINAL_SCENES)
    assert corpus.notes == (
        f"{len(SWAPPED_SCENES) - kept} fakes dropped: their two actors are on different sides of the split, "
        "drawn by actor",
    )
    assert read_corpus(folder, seed=seed) == corpus


def test_a_fifth_of_the_actors_is_on_either_held_out_side(tmp_path: Path) -> None:
    assert Counter(next(iter(side)) for side in sides(read_corpus(actors(tmp_path))).values()) == {
        "train": 8,
        "val": 2,
        "test": 2,
    }


def test_another_seed_splits_the_actors_otherwise(tmp_path: Path) -> None:
    actors(tmp_path)
    assert len({read_corpus(tmp_path, seed=seed).entries for seed in range(4)}) > 1


def test_two_choices_never_put_an_actor_on_different_sides(tmp_path: Path) -> None:
    actors(youtube(tmp_path))
    # Of c40 only half of the actors are there.
    touch(tmp_path, "actors", "c40", ORIGINAL_SCENES[:12])
    touch(tmp_path, "DeepFakeDetection", "c40", SWAPPED_SCENES[:12])

    everything = sides(read_corpus(tmp_path))

    for choice in (
        read_corpus(tmp_path, methods=["DeepFakeDetection"]),
        read_corpus(tmp_path, compressions=["c23"]),
        read_corpus(tmp_path, compressions=["c40"]),
    ):
        assert sides(choice).items() <= everything.items()


def test_too_few_actors_are_refused_with_counts(tmp_path: Path) -> None:
    touch(tmp_path, "actors", "c23", ["01__kitchen_pan", "02__kitchen_pan", "03__kitchen_pan"])
    touch(tmp_path, "DeepFakeDetection", "c23", ["01_02__kitchen_pan__YVGY8LOK", "02_03__kitchen_pan__YVGY8LOK"])
    with pytest.raises(
        InputError, match=r"3 actors \(3 real and 2 fake videos\) cannot be split by actor .* --methods$"
    ):
        read_corpus(tmp_path)


# What is left out


def test_videos_in_no_official_split_are_left_out_and_counted(tmp_path: Path) -> None:
    youtube(tmp_path)
    touch(tmp_path, "youtube", "c23", ["111"])
    touch(tmp_path, "Deepfakes", "c23", ["111_071", "071_111"])

    corpus = read_corpus(tmp_path)

    assert corpus.notes == ("3 videos left out: in no official split",)
    assert "111" not in sides(corpus)


def test_a_fake_of_two_official_sides_is_dropped_and_counted(tmp_path: Path) -> None:
    youtube(tmp_path)
    # The first two are no official pairs, but both people of the second one are on one side.
    touch(tmp_path, "Deepfakes", "c23", ["071_720", "071_087"])

    corpus = read_corpus(tmp_path)

    assert corpus.notes == ("1 fake dropped: target and source are on different sides of the official split",)
    names = {entry.path.rpartition("/")[2] for entry in corpus.entries}
    assert "071_087.mp4" in names
    assert "071_720.mp4" not in names


@pytest.mark.parametrize(
    ("kind", "stem"),
    [
        ("Deepfakes", "071-054"),
        ("Deepfakes", "071_054 (1)"),
        ("Deepfakes", "071"),
        ("youtube", "071_copy"),
        ("actors", "01_kitchen_pan"),
        ("DeepFakeDetection", "01__kitchen_pan"),
        ("DeepFakeDetection", "01_02__kitchen_pan"),
    ],
)
def test_a_video_that_is_named_otherwise_is_left_out_and_counted(tmp_path: Path, kind: str, stem: str) -> None:
    actors(youtube(tmp_path))
    before = read_corpus(tmp_path)
    touch(tmp_path, kind, "c23", [stem])

    corpus = read_corpus(tmp_path)

    assert corpus.entries == before.entries
    (note,) = set(corpus.notes) - set(before.notes)
    assert note.startswith("1 video left out: named otherwise than FaceForensics++ names them, such as ")
    assert note.endswith(f"{kind}/c23/videos/{stem}.mp4")


def test_folders_that_faceforensics_does_not_have_are_left_out_and_counted(tmp_path: Path) -> None:
    youtube(tmp_path)
    touch(tmp_path, "FaceReenact", "c23", ["071_054", "054_071"])
    touch(tmp_path, "Deepfakes", "c15", ["071_054"])
    assert read_corpus(tmp_path).notes == (
        "1 video left out: manipulated_sequences/Deepfakes/c15/videos is not of FaceForensics++",
        "2 videos left out: manipulated_sequences/FaceReenact/c23/videos is not of FaceForensics++",
    )


def test_a_compression_that_tells_the_label_is_noted(tmp_path: Path) -> None:
    youtube(tmp_path)
    touch(tmp_path, "youtube", "raw", ["071", "054"])
    assert read_corpus(tmp_path).notes == (
        "only real videos in raw, 2 of them: a compression that gives the label away",
    )


def test_a_class_that_was_left_out_is_refused_with_the_reason(tmp_path: Path) -> None:
    touch(tmp_path, "youtube", "c23", ["071", "054"])
    touch(tmp_path, "Deepfakes", "c23", ["071-054"])
    write_splits(tmp_path)
    with pytest.raises(InputError, match=r"all 2 videos are real; 1 video left out: named otherwise .*; add the other"):
        read_corpus(tmp_path)


def test_a_corpus_of_which_nothing_is_left_is_refused_with_the_reasons(tmp_path: Path) -> None:
    touch(tmp_path, "youtube", "c23", ["071_copy"])
    expected = (
        r"no video of FaceForensics\+\+ in it; 1 video left out: named otherwise .*; download it, such as original"
    )
    with pytest.raises(InputError, match=expected):
        read_corpus(tmp_path)


# What is refused


@pytest.mark.parametrize("name", ["deepfakes", "FaceSwap", "DeepFakeDetection", "original"])
def test_a_method_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, name: str) -> None:
    youtube(tmp_path, methods=("Deepfakes", "Face2Face"))
    expected = (
        rf"--methods {name}: none such in .* \(Deepfakes, .*, DeepFakeDetection are known\); there are Deepfakes, "
        r"Face2Face: name some of these, or leave --methods out$"
    )
    with pytest.raises(InputError, match=expected):
        read_corpus(tmp_path, methods=["Deepfakes", name])


@pytest.mark.parametrize("name", ["C23", "raw", "c0"])
def test_a_compression_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, name: str) -> None:
    youtube(tmp_path, compressions=("c23", "c40"))
    expected = rf"--compressions {name}: none such in .* \(raw, c23, c40 are known\); there are c23, c40: name some of"
    with pytest.raises(InputError, match=expected):
        read_corpus(tmp_path, compressions=[name])


def test_a_method_that_is_there_in_another_compression_only_is_refused(tmp_path: Path) -> None:
    youtube(tmp_path, compressions=("c23", "c40"))
    touch(tmp_path, "FaceSwap", "c40", ["071_054"])
    with pytest.raises(InputError, match=r"--methods FaceSwap: none such in .* in c23 .*; there are Deepfakes: name"):
        read_corpus(tmp_path, methods=["FaceSwap"], compressions=["c23"])


@pytest.mark.parametrize("split", SPLITS)
def test_a_missing_split_file_is_refused_by_name(tmp_path: Path, split: str) -> None:
    youtube(tmp_path)
    (tmp_path / "splits" / f"{split}.json").unlink()
    with pytest.raises(InputError, match=rf"splits/{split}.json: no such file; the official split is needed"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("content", [b"", b'[["071", "054"]', b"\xff\xfe\xfa", b"[" * 100_000])
def test_a_damaged_split_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    youtube(tmp_path)
    (tmp_path / "splits" / "val.json").write_bytes(content)
    with pytest.raises(
        InputError, match=r"splits/val.json: damaged, no JSON can be read; download it again from https"
    ):
        read_corpus(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"071": "054"},
        ["071", "054"],
        ["07", "05"],
        [["071"]],
        [[71, 54]],
        [["071", None]],
        [["071", "x"]],
        None,
        3,
        "071",
    ],
)
def test_a_split_file_of_anything_but_pairs_of_ids_is_refused_by_name(tmp_path: Path, content: object) -> None:
    youtube(tmp_path)
    write_splits(tmp_path, {"test": content})
    with pytest.raises(
        InputError, match=r'splits/test.json: not a list of pairs of ids, as in \[\["071", "054"\]\]; d'
    ):
        read_corpus(tmp_path)


def test_a_video_in_two_official_files_is_refused_by_name(tmp_path: Path) -> None:
    youtube(tmp_path)
    write_splits(tmp_path, {"test": [["953", "974"], ["071", "974"]]})
    with pytest.raises(InputError, match=r"splits/test.json: video 071 is in train.json too; one person's videos must"):
        read_corpus(tmp_path)
