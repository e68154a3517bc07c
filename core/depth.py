"""Depth maps that stand beside a video: `NAME.depth/000000.png`, one a frame."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.preprocess import DepthImage


def depth_folder(video: Path) -> Path:
    """Where the depth of `video` is looked for."""
    return video.with_suffix(".depth")


def depth_file(video: Path, index: int) -> Path:
    """The depth of the `index`-th frame in decode order."""
    return depth_folder(video) / f"{index:06d}.png"


def read_depth(video: Path, index: int) -> DepthImage | None:
    """Depth of one frame: uint16 [H, W], relative inverse depth (larger is nearer); None where no file stands.

    Raises InputError for a file that is not a 16-bit single-channel picture.
    """
    file = depth_file(video, index)
    if not file.is_file():
        return None
    depth = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if depth is None or depth.dtype != np.uint16 or depth.ndim != 2:
        raise InputError(f"{file}: not a 16-bit grey PNG; write depth as uint16, larger is nearer")
    return np.asarray(depth, dtype=np.uint16)


def in_bytes(depth: npt.NDArray[np.float32], depth_range: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """`depth` (any shape) over the clip's range (smallest, largest): 0-255, larger is nearer."""
    low, high = depth_range
    return np.asarray(np.rint(((depth - low) * (255.0 / max(1, high - low))).clip(0, 255)), np.uint8)
