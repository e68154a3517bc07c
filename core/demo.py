"""The demo corpus: seeded synthetic people, real and forged, as videos with exact depth beside them.

    DIR/corpus.csv              path,label,identity,method,split
    DIR/demo.json               settings and version of the generator
    DIR/real/id07_2.mp4         and real/id07_2.depth/000000.png for every frame
    DIR/fake/id07_4.mp4         likewise

Every forged clip has a real one of the same scene, as in FaceForensics++, so that nothing but the forgery
(and its own draw of sensor noise and of encoder quality, from one distribution for both) tells the two
apart.
"""

import csv
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from core.corpus import COLUMNS, INDEX, Split
from core.depth import depth_file, depth_folder
from core.errors import InputError
from core.forgery import DEMO, Method, forged_depth, self_blended_clip, swapped_clip
from core.portrait import Sprite, make_identity, portrait
from core.preprocess import DepthImage
from core.synthetic import make_scene, render, sensed, stored_depth
from core.video import encode_video

GENERATOR_VERSION = 2
"""Raise with every change that makes the same settings give other videos."""

# One fixed filter and light compression write in 60% of the time of OpenCV's choice, and as small.
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)

# What a generator is for, so that no two uses share a stream of numbers.
_IDENTITY, _SCENE, _FOOTAGE, _ORDER = range(4)


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """What is in the corpus. Half of the clips of every identity are forged."""

    seed: int = 0
    train_identities: int = 10
    val_identities: int = 4
    test_identities: int = 10
    train_clips: int = 4
    """Clips for each identity of `train`."""
    held_out_clips: int = 6
    """Clips for each identity of `val` and `test`."""
    frames: int = 40
    """Frames in a clip."""
    fps: int = 20
    side: int = 240
    """Height and width of a frame, px; below about 180 dlib's detector finds no face."""

    def __post_init__(self) -> None:
        for name in ("train_identities", "val_identities", "test_identities"):
            if getattr(self, name) < 2:
                raise InputError(f"{name} is {getattr(self, name)}: a face is swapped for another, give 2 or more")
        for name in ("train_clips", "held_out_clips"):
            if getattr(self, name) < 2 or getattr(self, name) % 2:
                raise InputError(f"{name} is {getattr(self, name)}: half of them are forged, give an even number")
        for name, least in (("seed", 0), ("frames", 1), ("fps", 1), ("side", 64)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}: give {least} or more")
        if self.side % 2:
            raise InputError(f"side is {self.side}: give an even number, as the encoder halves the chroma")


@dataclass(frozen=True, kw_only=True)
class _Clip:
    """One clip to be made."""

    identity: int
    donor: int
    """Whose face a `swap` shows."""
    scene: int
    """Counted within the identity; shared by one real and one forged clip."""
    index: int
    """Counted within the identity; says nothing of the label."""
    method: Method | Literal["original"]
    split: Split

    @property
    def label(self) -> Literal["real", "fake"]:
        return "real" if self.method == "original" else "fake"

    @property
    def path(self) -> str:
        """Of the video, relative to the corpus."""
        return f"{self.label}/id{self.identity:02d}_{self.index}.mp4"


def make_demo_corpus(
    folder: Path,
    *,
    settings: DemoSettings | None = None,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Write the corpus to `folder`; return False, touching nothing, where the same one is there already.

    The videos do not depend on `workers`, the number of processes (default: one for each core, at most 8).
    `on_progress` is called with the clips done and the clips in all. Raises `InputError` where `folder`
    holds anything else, or where scikit-image, the source of the portrait, is missing. A folder that exists
    afterwards is complete.
    """
    settings = settings or DemoSettings()
    if _is_there(folder, settings):
        return False
    portrait()  # Fails here, in one line, rather than in a worker.
    clips = list(_plan(settings))
    with _appearing_whole(folder) as partial:
        for clip in clips:
            depth_folder(partial / clip.path).mkdir(parents=True)
        for done, _ in enumerate(_made(partial, settings, clips, workers or min(os.cpu_count() or 1, 8)), start=1):
            if on_progress:
                on_progress(done, len(clips))
        with (partial / INDEX).open("w", newline="") as table:
            rows = csv.writer(table, lineterminator="\n")
            rows.writerow(COLUMNS)
            rows.writerows((c.path, c.label, f"id{c.identity:02d}", c.method, c.split) for c in clips)
        (partial / "demo.json").write_text(json.dumps(_description(settings), indent=2) + "\n")
    return True


def _description(settings: DemoSettings) -> dict[str, object]:
    return {"generator_version": GENERATOR_VERSION, "settings": asdict(settings)}


def _is_there(folder: Path, settings: DemoSettings) -> bool:
    """Whether the corpus is there and complete. Raises `InputError` where something else is."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        found = json.loads((folder / "demo.json").read_text())
        with (folder / INDEX).open(newline="") as table:
            missing = [row["path"] for row in csv.DictReader(table) if not (folder / row["path"]).is_file()]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: not empty and not a demo corpus; give a new or an empty folder") from error
    if found != _description(settings):
        raise InputError(f"{folder}: a demo corpus of other settings or version; give another folder, or delete it")
    if missing:
        raise InputError(f"{folder}: a demo corpus that lacks {missing[0]}; delete the folder and make it again")
    return True


@contextmanager
def _appearing_whole(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` at the end, or disappears whatever is raised."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        yield partial
        partial.chmod(0o755)  # mkdtemp's folders are the owner's alone
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _plan(settings: DemoSettings) -> Iterator[_Clip]:
    """Every clip of the corpus, in order. Identities are numbered through the splits."""
    first = 0
    sizes: tuple[tuple[Split, int, int], ...] = (
        ("train", settings.train_identities, settings.train_clips),
        ("val", settings.val_identities, settings.held_out_clips),
        ("test", settings.test_identities, settings.held_out_clips),
    )
    for split, identities, clips in sizes:
        for place in range(identities):
            identity, scenes = first + place, clips // 2
            order = np.random.default_rng([settings.seed, _ORDER, identity]).permutation(clips)
            for scene in range(scenes):
                forged = place * scenes + scene
                # Every round of forgeries takes the next identity but one, so that swaps pair as many as
                # there are.
                donor = first + (place + 1 + forged % (identities - 1)) % identities
                methods: tuple[Method | Literal["original"], ...] = (
                    "original",
                    ("swap", "self_blend")[forged % 2],
                )
                for half, method in enumerate(methods):
                    yield _Clip(
                        identity=identity, donor=donor, scene=scene, index=int(order[2 * scene + half]),
                        method=method, split=split,
                    )  # fmt: skip
        first += identities


def _made(folder: Path, settings: DemoSettings, clips: list[_Clip], workers: int) -> Iterator[None]:
    """Make the clips and yield after each, in whatever order they are ready."""
    if workers == 1:
        for clip in clips:
            _make_clip(folder, settings, clip)
            yield
        return
    # Spawned, not forked: OpenCV and the encoder have threads, which a fork would leave in the middle of
    # their work.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        jobs: list[Future[None]] = [pool.submit(_make_clip, folder, settings, clip) for clip in clips]
        for job in as_completed(jobs):
            job.result()
            yield
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # The parent answers Ctrl-C: it cancels the queue and waits for the clips at work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@lru_cache(maxsize=32)
def _person(seed: int, identity: int) -> Sprite:
    return make_identity(np.random.default_rng([seed, _IDENTITY, identity]))


def _make_clip(folder: Path, settings: DemoSettings, clip: _Clip) -> None:
    """Render, forge where asked, and write one video with its depth."""
    scene_seed = [settings.seed, _SCENE, clip.identity, clip.scene]
    scene = make_scene(np.random.default_rng(scene_seed), side=settings.side, length=settings.frames)
    generator = np.random.default_rng([settings.seed, _FOOTAGE, clip.identity, clip.index])
    crf = int(generator.integers(18, 31))
    preset = str(generator.choice(["veryfast", "fast", "medium"]))
    shown = render(scene, _person(settings.seed, clip.identity))
    frames = sensed(shown.frames, scene.noise, generator)
    depths = shown.depths
    if clip.method == "self_blend":
        forgery = self_blended_clip(frames, shown.boxes, generator, DEMO)
        frames, depths = forgery.frames, forged_depth(depths, depths, forgery)
    elif clip.method == "swap":
        # The donor moves as the target does: what a good swap has to achieve, the renderer gives for nothing.
        donor = render(scene, _person(settings.seed, clip.donor))
        forgery = swapped_clip(frames, shown.boxes, donor.frames, donor.boxes, generator, DEMO)
        frames, depths = forgery.frames, forged_depth(depths, donor.depths, forgery)
    path = folder / clip.path
    encode_video(path, frames, fps=settings.fps, crf=crf, preset=preset)
    _write_depth(path, depths)


def _write_depth(video: Path, depths: list[DepthImage]) -> None:
    """One 16-bit PNG a frame, named by its index."""
    for index, depth in enumerate(depths):
        file = depth_file(video, index)
        written = cv2.imwrite(str(file), stored_depth(depth), _PNG)
        assert written, f"{file}: OpenCV did not write it"
