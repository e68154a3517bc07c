"""How often a trunk looks at a frame: at all of it, and at its middle, larger and mirrored."""

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

ViewCount = Literal[1, 2]

BORDER = 10
"""A view of the middle leaves out one part in so many of the frame's side, at each border."""


class OfViews(nn.Module):
    """Shows a model so many views of a frame, or makes one of what it made of them."""

    def __init__(self, count: ViewCount) -> None:
        super().__init__()
        self.count = count


class Views(OfViews):
    """Shows a trunk each frame from so many views, whose mean is the frame's embedding.

    What a model makes of people that it never saw changes with how they are framed; the mean over views changes less
    (test-time augmentation: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
    Networks", NeurIPS 2012, section 4.1). Both views are one batch, so that a program holds the trunk's weights once.
    """

    def forward(self, frame: Tensor) -> Tensor:
        """float32 [count B, 3, S, S]: `frame` [B, 3, S, S], RGB, 0-255, then the middle of each.

        Never in an autocast's precision.
        """
        if self.count == 1:
            return frame
        if torch.is_autocast_enabled(frame.device.type):
            with torch.autocast(frame.device.type, enabled=False):
                return torch.cat([frame, closer(frame)])
        # Without a context, which a graph would record.
        return torch.cat([frame, closer(frame)])


class MeanOfViews(OfViews):
    """Makes one embedding of those of a frame's views."""

    def forward(self, embeddings: Tensor) -> Tensor:
        """[B, D] of `embeddings` [count B, D], in the order of `Views`."""
        if self.count == 1:
            return embeddings
        # Not `len`, which would fix the batch's size in a graph.
        frames = embeddings.shape[0] // 2
        return (embeddings[:frames] + embeddings[frames:]) * 0.5


class FirstView(OfViews):
    """Takes of what was made of a frame's views that of the whole frame."""

    def forward(self, pictures: Tensor) -> Tensor:
        """[B, ...] of `pictures` [count B, ...], in the order of `Views`."""
        return pictures if self.count == 1 else pictures[: pictures.shape[0] // 2]


def closer(frame: Tensor) -> Tensor:
    """The middle of `frame` [B, 3, S, S], float32, RGB, 0-255, enlarged to S and mirrored.

    Bilinear at half-pixel centres, edge samples clamped. Two products with matrices that depend on S alone, since
    XNNPACK has a kernel for those and none that mirrors.
    """
    across, down = _constants(frame.shape[-1], frame.device)
    mirrored = F.linear(frame, across)
    return F.linear(mirrored.transpose(2, 3), down).transpose(2, 3)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _constants(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """`_matrices` as new tensors of numbers, even while a graph is recorded, whose own constants they become."""
    with torch.inference_mode(False), _disable_current_modes():
        across, down = (torch.tensor(matrix, device=device) for matrix in _matrices(size))
    return across, down


@lru_cache
def _matrices(size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(columns, rows), each [S, S]: how much each sample of the view takes of each of a frame's."""
    border = size // BORDER
    shown = np.arange(border, size - border)
    places = (np.arange(size) + 0.5) * (len(shown) / size) - 0.5
    down = np.stack([np.interp(places, shown - border, row) for row in np.eye(size)[:, shown]], axis=1)
    down = down.astype(np.float32)
    return np.ascontiguousarray(down[::-1]), down
