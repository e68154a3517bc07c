"""Golden vectors of faces as tracks: `python -m tests.golden.make_tracks` writes `tracks.json` beside it.

Detections on every sampled frame, what `core.tracks` makes of them (gaps filled, boxes smoothed) and which track it
judges. The faces keep apart and move little, so that no rule of association can take one for another.
"""

import json
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from core.preprocess import Box, Image
from core.tracks import Faces, largest, tracked
from core.video import Frame

FILE: Final = Path(__file__).resolve().parent / "tracks.json"
LENGTH = 48

MISSED: Final = ({3, 9, 10, 20, 21, 22, 23, 30, 31, 32, 33, 34}, {14, 15, 16, 17, 18, 26, 27})
"""Frames on which each of the first two faces is missed: gaps of 1 to 4 frames are filled, and of 5 stay."""


class Scripted:
    """In the place of `FaceTracker`: sees on each frame what is written in its pixels' stead."""

    def __init__(self, _settings: object = None) -> None:
        self._frames = iter(seen())

    def update(self, _image: Image) -> Faces:
        """The next frame's faces, in order."""
        return next(self._frames)


def time_ms(index: int) -> float:
    """Sampled at 10 frames a second, unevenly, as a phone's camera gives them."""
    return index * 100.0 + 7.0 * (index % 3)


def seen() -> list[Faces]:
    """What a detector says, frame by frame, by track."""
    frames: list[Faces] = []
    for index in range(LENGTH):
        faces: Faces = {}
        wave = float(np.sin(index / 4))
        if index not in MISSED[0] and index < 40:
            faces[0] = Box(x=100 + 2.0 * index, y=80 + 5 * wave, w=90 + 6 * wave, h=90 + 6 * wave)
        if 12 <= index < 36 and index not in MISSED[1]:
            faces[1] = Box(x=500 - 1.5 * index, y=90 - 4 * wave, w=60 + 3 * wave, h=60 + 3 * wave)
        # After a cut: a smaller face elsewhere, which shows beside neither.
        if index >= 44:
            faces[2] = Box(x=300.0 + index, y=300, w=40, h=40)
        frames.append(faces)
    return frames


def document() -> dict[str, Any]:
    """Everything in the file."""
    image = np.zeros((8, 8, 3), np.uint8)
    frames = [Frame(index=index, time_ms=time_ms(index), image=image) for index in range(LENGTH)]
    with patch("core.tracks.FaceTracker", Scripted):
        followed = [faces for _, faces in tracked(frames)]
    return {
        "frames": [
            {
                "time_ms": frame.time_ms,
                "detections": [_written(box) for box in sighted.values()],
                "faces": {str(track): _written(box) for track, box in sorted(faces.items())},
                "judged": track,
            }
            for frame, sighted, faces, track in zip(frames, seen(), followed, largest(followed), strict=True)
        ]
    }


def _written(box: Box) -> dict[str, float]:
    return {"x": box.x, "y": box.y, "w": box.w, "h": box.h}


def text() -> str:
    """The file's content."""
    return json.dumps(document(), separators=(",", ":")).replace('{"time_ms"', '\n{"time_ms"') + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
