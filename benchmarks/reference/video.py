"""Which video both pipelines are run on."""

from pathlib import Path

from core.corpus import read_corpus
from core.errors import InputError
from core.video import EVERY_FRAME, sampled_frames

DEMO_CORPUS = Path("data/demo")


def reference_video(named: Path | None, *, corpus: Path = DEMO_CORPUS) -> Path:
    """`named`, or a real video of a held-out person of the demo corpus. InputError where there is none to be read."""
    video = named or _held_out(corpus)
    source = sampled_frames(video, EVERY_FRAME)
    try:
        next(source)
    finally:
        source.close()
    return video


def _held_out(folder: Path) -> Path:
    ask = f"name a video, or type `python -m core demo {folder}`"
    if not folder.is_dir():
        raise InputError(f"--reference: no video given and no demo corpus in {folder}; {ask}")
    for entry in read_corpus(folder).entries:
        if (entry.split, entry.label) == ("test", "real"):
            return folder / entry.path
    raise InputError(f"--reference: no held-out real video in {folder}; {ask}")
