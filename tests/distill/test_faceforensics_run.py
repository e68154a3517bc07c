"""The `faceforensics` recipe from a tree as it is distributed to a run: its own code all the way, a small student."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from core.corpus import read_corpus
from core.prepare import prepare
from core.preprocess import PreprocessSpec
from core.runs import METRICS, read_student, read_teacher
from core.store import ClipStore
from distill.fit import Machine
from distill.recipes import FrameSampling, Recipe, Stage, recipe_named
from distill.train import train
from tests.core.conftest import depth_weights, talking_head  # noqa: F401 (fixtures)

PAIRS = {"train": [["071", "054"], ["087", "081"]], "val": [["720", "672"]], "test": [["953", "974"]]}
METHODS = ("Deepfakes", "FaceSwap")


def distributed(folder: Path, write: Callable[..., Path]) -> Path:
    """Originals and both methods' fakes at c23, and the split files, where the distribution has them."""
    names = [name for pairs in PAIRS.values() for pair in pairs for name in pair]
    for seed, name in enumerate(names):
        write(folder / "original_sequences/youtube/c23/videos" / f"{name}.mp4", seed=seed)
    for method in METHODS:
        for seed, (target, source) in enumerate(pair for pairs in PAIRS.values() for pair in pairs):
            for place, fake in enumerate((f"{target}_{source}", f"{source}_{target}")):
                videos = folder / "manipulated_sequences" / method / "c23/videos"
                write(videos / f"{fake}.mp4", seed=100 * (METHODS.index(method) + 1) + 2 * seed + place)
    (folder / "splits").mkdir()
    for split, pairs in PAIRS.items():
        (folder / "splits" / f"{split}.json").write_text(json.dumps(pairs))
    return folder


def short(recipe: Recipe, trunk: Path, depth: Path) -> Recipe:
    """The recipe with its weights in local files, 32 px and two steps a stage."""

    def stage(told: Stage) -> Stage:
        return replace(told, steps=2, windows=4, validate_every=2, accumulate=1)

    together = recipe.student.together
    assert together is not None
    return replace(
        recipe,
        product=replace(recipe.product, preprocess=PreprocessSpec(size=32, margin=1.5)),
        prepare=recipe.prepare.model_copy(update={"depth": str(depth), "depth_px": 28, "max_windows": 1}),
        variants=1,
        sampling=FrameSampling(slots=1, variants=2),
        teacher=replace(
            recipe.teacher,
            weights=trunk,
            trunk="frozen",
            frames=stage(recipe.teacher.frames),
            fusion=stage(recipe.teacher.fusion),
        ),
        student=replace(
            recipe.student,
            weights=trunk,
            frames=stage(recipe.student.frames),
            fusion=stage(recipe.student.fusion),
            together=replace(stage(together), windows=2),
            quantised=None,
        ),
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_recipe_goes_from_the_distributed_tree_to_a_run(
    tmp_path: Path,
    talking_head: Callable[..., Path],  # noqa: F811
    depth_weights: Path,  # noqa: F811
) -> None:
    torch.manual_seed(0)
    pretrained = timm.create_model("repvit_m0_9", pretrained=False).state_dict()
    save_file(dict(pretrained), tmp_path / "repvit.safetensors")
    recipe = short(recipe_named("faceforensics"), tmp_path / "repvit.safetensors", depth_weights)
    corpus = read_corpus(distributed(tmp_path / "faces", talking_head), methods=METHODS, compressions=("c23",))

    summary = prepare(corpus, tmp_path / "store", recipe.prepare, workers=0)
    with ClipStore.read(tmp_path / "store") as store:
        train(recipe, store, tmp_path / "run", machine=Machine(device="cpu"), workers=0)

    assert dict(summary.clips) == {"original": 8, "Deepfakes": 8, "FaceSwap": 8}
    assert not summary.failures
    assert summary.without_depth == 0
    metrics = json.loads((tmp_path / "run" / METRICS).read_text())
    for role in ("teacher", "student"):
        assert (metrics[role]["test"]["videos_real"], metrics[role]["test"]["videos_fake"]) == (2, 4)
    teacher, _ = read_teacher(tmp_path / "run")
    assert all(torch.equal(value, pretrained[name]) for name, value in teacher.rgb_trunk.state_dict().items())
    student, document = read_student(tmp_path / "run")
    assert document.depth_trained
    assert student.config.trunk == "repvit_m0_9"
    # The official split stands: nobody is on two sides.
    videos = json.loads((tmp_path / "run" / "data.json").read_text())["videos"]
    sides = {video["identity"]: {v["split"] for v in videos if v["identity"] == video["identity"]} for video in videos}
    assert all(len(found) == 1 for found in sides.values())
    assert {name for name, found in sides.items() if found == {"test"}} == {"953", "974"}
