"""How a trunk is shown a frame: in what light and how sharp, from how many views, and how pale."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

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
_LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue in grey (ITU-R BT.601)."""
_NO_DETAIL = 1 / 64
"""In units of 64 levels: detail below this has its strength."""


class Standard(BaseModel):
    """What every frame is brought to before it is judged.

    A trunk whose single frames vary in light and sharpness tells more where both are as they should be. Levels are of
    0-255, in grey; measured inside a border, padding included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    border: float = Field(default=0.15, ge=0.0, le=0.4, description="of the frame's side, on each side")
    brightness: float = Field(default=115.0, ge=0.0, le=255.0, description="mean, in levels")
    contrast: float = Field(default=45.0, gt=0.0, le=255.0, description="standard deviation, in levels")
    flat: float = Field(default=8.0, gt=0.0, le=255.0, description="deviation, in levels, that less is taken for")
    blur_px: float = Field(default=1.0, ge=0.3, le=4.0, description="of the Gaussian that leaves a frame's fine detail")
    detail: float = Field(default=0.14, ge=0.0, le=1.0, description="its least root mean square, over the contrast")
    sharpening: float = Field(default=1.5, ge=0.0, le=10.0, description="the most that is added of it")


STANDARD = Standard()
"""What told most in pictures of cameras that trunks had not learned from."""


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
        views = (_coloured(frame, colours[0]), _coloured(middle, colours[1]))
    return torch.cat(views)


def standardised(frame: Tensor, standard: Standard = STANDARD) -> Tensor:
    """[B, 3, S, S]: each `frame` [B, 3, S, S], float32, RGB, 0-255, at the brightness and contrast of `standard`.

    One factor and one offset a frame, so that values leave 0-255. By products with constant vectors, as in
    `both_views`, and in units of 64 levels, so that squares fit into float16 where a device computes in that.
    """
    grey, inside, _ = _measures(frame.shape[-1], standard, frame.device)
    light = (_coloured(frame, grey) - 128.0) * (1 / 64)
    mean = _measured(light, inside)
    away = light - mean
    spread = _measured(away * away, inside).clamp(min=(standard.flat / 64) ** 2).sqrt()
    return (frame - (mean * 64.0 + 128.0)) / (spread * (64 / standard.contrast)) + standard.brightness


def crisp(frame: Tensor, standard: Standard = STANDARD) -> Tensor:
    """[B, 3, S, S]: each standardised `frame` [B, 3, S, S] with as much of its detail added as it lacks.

    Unsharp masking whose strength each frame's own detail decides. As `standardised` otherwise.
    """
    grey, inside, blur = _measures(frame.shape[-1], standard, frame.device)
    smooth = F.linear(F.linear(frame, blur).transpose(2, 3), blur).transpose(2, 3)
    detail = (frame - smooth) * (1 / 64)
    light = _coloured(detail, grey)
    strength = _measured(light * light, inside).clamp(min=_NO_DETAIL**2).sqrt()
    wanted = standard.detail * standard.contrast / 64
    # Not of a reciprocal, which XNNPACK has no kernel for.
    added = ((strength * -1.0 + wanted) / strength).clamp(0.0, standard.sharpening)
    return frame + detail * (added * 64.0)


def _in_full_precision(shown: Callable[[Tensor], Tensor], frame: Tensor) -> Tensor:
    if torch.is_autocast_enabled(frame.device.type):
        with torch.autocast(frame.device.type, enabled=False):
            return shown(frame)
    # Without a context, which a graph would record.
    return shown(frame)


def _measured(picture: Tensor, inside: Tensor) -> Tensor:
    """[B, 1, 1, 1]: the sum of `picture` [B, 1, S, S], weighted by `inside` [1, S] across and down."""
    return F.linear(F.linear(picture, inside).transpose(2, 3), inside)


def _coloured(view: Tensor, colours: Tensor) -> Tensor:
    """[B, N, S, S]: the products of the colours of `view` [B, 3, S, S] and `colours` [N, 3]."""
    return F.linear(view.permute(0, 2, 3, 1), colours).permute(0, 3, 1, 2)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _constants(size: int, saturations: Saturations, device: torch.device) -> list[Tensor]:
    """`_matrices` on `device`."""
    return _of_their_own(_matrices(size, saturations), device)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _measures(size: int, standard: Standard, device: torch.device) -> list[Tensor]:
    """`_measuring` on `device`."""
    return _of_their_own(_measuring(size, standard), device)


def _of_their_own(matrices: tuple[npt.NDArray[np.float32], ...], device: torch.device) -> list[Tensor]:
    """As new tensors of numbers, even while a graph is recorded, whose own constants they become."""
    with torch.inference_mode(False), _disable_current_modes():
        return [torch.tensor(matrix, device=device) for matrix in matrices]


@lru_cache
def _matrices(size: int, saturations: Saturations) -> tuple[npt.NDArray[np.float32], ...]:
    """Columns and rows of the middle by those of a frame, [S, S]; then the colours of each view by its own, [3, 3]."""
    border = size // _BORDER
    shown = np.arange(border, size - border)
    places = (np.arange(size) + 0.5) * (len(shown) / size) - 0.5
    down = np.stack([np.interp(places, shown - border, row) for row in np.eye(size)[:, shown]], axis=1)
    colours = [left * np.eye(3) + (1 - left) * np.tile(_LUMA, (3, 1)) for left in saturations]
    return tuple(np.ascontiguousarray(matrix, dtype=np.float32) for matrix in (down[::-1], down, *colours))


@lru_cache
def _measuring(size: int, standard: Standard) -> tuple[npt.NDArray[np.float32], ...]:
    """Makes grey of a pixel, [1, 3]; what places along a side weigh in a measure, [1, S]; blurs a row, [S, S]."""
    border = round(size * standard.border)
    inside = np.zeros((1, size))
    inside[:, border : size - border] = 1 / (size - 2 * border)
    reach = np.arange(-math.ceil(4 * standard.blur_px), math.ceil(4 * standard.blur_px) + 1)
    kernel = np.exp(-0.5 * (reach / standard.blur_px) ** 2)
    # What lies outside is a mirror's picture, whose plane is the middle of the last pixel.
    padded = np.pad(np.eye(size), ((0, 0), (len(reach) // 2, len(reach) // 2)), mode="reflect")
    blur = np.stack([np.convolve(row, kernel / kernel.sum(), mode="valid") for row in padded]).T
    return tuple(np.ascontiguousarray(part, dtype=np.float32) for part in (np.array([_LUMA]), inside, blur))
