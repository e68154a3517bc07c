"""How a trunk is shown a frame: from how many views, how pale, and in what light."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from core.colours import saturating
from core.models.light import Standard, coloured, crisp, new_tensors, standardised
from core.ranges import Share

ViewCount = Literal[1, 2]
Saturations = tuple[Share, Share]
"""What is left of a frame's colour in the first and in the second of two views."""

FULL_COLOUR: Saturations = (1.0, 1.0)
PALER: Saturations = (0.5, 0.1)
"""A trunk that saw few people holds the colour of a skin for a forger's tint; in pictures that are paler than most of
those it learned from it goes by the rest."""

_BORDER = 10
"""A view of the middle leaves out one part in so many of the frame's side, at each border."""


class Looks(BaseModel):
    """How an architecture's trunk is shown a frame: part of its configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    views: ViewCount = 1
    """2: twice the time of trunk and depth head; what is said of unknown people depends less on how they are framed."""
    saturations: Saturations = FULL_COLOUR
    """Of two views; less than 1 makes what is said of unknown people depend less on the colour of their skin."""
    standard: Standard | None = None
    """The light and sharpness that frames are brought to, so that less depends on cameras; None: as they are."""

    @property
    def looks_key(self) -> str:
        """Names all that is shown of a frame, for keys of what was made of it."""
        standard = "" if self.standard is None else f"/{self.standard!r}"
        return f"{self.views}/{self.saturations}/{_BORDER}{standard}"


class OfViews(nn.Module):
    """Shows a model so many views of a frame, or makes one of what it made of them."""

    def __init__(self, count: ViewCount) -> None:
        super().__init__()
        self.count = count


class Views(OfViews):
    """Shows a trunk each frame from so many views, whose mean is the frame's embedding.

    What a model makes of people that it never saw changes with how they are framed; the mean over views changes less
    (test-time augmentation: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
    Networks", NeurIPS 2012, section 4.1). It changes with the colour of their skin too: hence `saturations`; and with
    the camera: hence `standard`. Both views are one batch, so that a program holds the trunk's weights once.
    """

    def __init__(self, looks: Looks) -> None:
        super().__init__(looks.views)
        self.saturations, self.standard = looks.saturations, looks.standard

    def forward(self, frame: Tensor) -> Tensor:
        """float32 [count B, 3, S, S]: one or `both_views` of `frame` [B, 3, S, S], RGB, 0-255, as its looks say.

        Values of a standardised frame leave 0-255. Never in an autocast's precision.
        """
        return _in_full_precision(self._shown, frame)

    def whole(self, frame: Tensor) -> Tensor:
        """float32 [B, 3, S, S]: `frame` as the first view shows it, but in full colour.

        Never in an autocast's precision.
        """
        return _in_full_precision(self._in_standard, frame)

    def _in_standard(self, frame: Tensor) -> Tensor:
        return frame if self.standard is None else crisp(standardised(frame, self.standard), self.standard)

    def _shown(self, frame: Tensor) -> Tensor:
        seen = self._in_standard(frame)
        return seen if self.count == 1 else both_views(seen, self.saturations)


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


def both_views(frame: Tensor, saturations: Saturations = FULL_COLOUR) -> Tensor:
    """[2 B, 3, S, S]: `frame` [B, 3, S, S], float32, RGB, then the middle of each, enlarged to S and mirrored.

    Bilinear at half-pixel centres, edge samples clamped; the colours of each view are as far from their grey (luma of
    BT.601) as its saturation says. All of it by products with constant matrices, since XNNPACK has a kernel for those
    and none that mirrors.
    """
    across, down, *colours = _constants(frame.shape[-1], saturations, frame.device)
    mirrored = F.linear(frame, across)
    middle = F.linear(mirrored.transpose(2, 3), down).transpose(2, 3)
    views = (frame, middle)
    if saturations != FULL_COLOUR:
        views = (coloured(frame, colours[0]), coloured(middle, colours[1]))
    return torch.cat(views)


def _in_full_precision(shown: Callable[[Tensor], Tensor], frame: Tensor) -> Tensor:
    if torch.is_autocast_enabled(frame.device.type):
        with torch.autocast(frame.device.type, enabled=False):
            return shown(frame)
    # Without a context, which a graph would record.
    return shown(frame)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _constants(size: int, saturations: Saturations, device: torch.device) -> list[Tensor]:
    """`_matrices` on `device`."""
    return new_tensors(_matrices(size, saturations), device)


@lru_cache
def _matrices(size: int, saturations: Saturations) -> tuple[npt.NDArray[np.float32], ...]:
    """Columns and rows of the middle by those of a frame, [S, S]; then the colours of each view by its own, [3, 3]."""
    border = size // _BORDER
    shown = np.arange(border, size - border)
    places = (np.arange(size) + 0.5) * (len(shown) / size) - 0.5
    down = np.stack([np.interp(places, shown - border, row) for row in np.eye(size)[:, shown]], axis=1)
    colours = map(saturating, saturations)
    return tuple(np.ascontiguousarray(matrix, dtype=np.float32) for matrix in (down[::-1], down, *colours))
