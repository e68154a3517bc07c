"""In what light, and how sharp, a trunk is shown a frame."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from core.colours import LUMA

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


def standardised(frame: Tensor, standard: Standard = STANDARD) -> Tensor:
    """[B, 3, S, S]: each `frame` [B, 3, S, S], float32, RGB, 0-255, at the brightness and contrast of `standard`.

    One factor and one offset a frame, so that values leave 0-255. By products with constant vectors, which XNNPACK has
    a kernel for, and in units of 64 levels, so that squares fit into float16 where a device computes in that.
    """
    grey, inside, _ = _measures(frame.shape[-1], standard, frame.device)
    light = (coloured(frame, grey) - 128.0) * (1 / 64)
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
    light = coloured(detail, grey)
    strength = _measured(light * light, inside).clamp(min=_NO_DETAIL**2).sqrt()
    wanted = standard.detail * standard.contrast / 64
    # Not of a reciprocal, which XNNPACK has no kernel for.
    added = ((strength * -1.0 + wanted) / strength).clamp(0.0, standard.sharpening)
    return frame + detail * (added * 64.0)


def _measured(picture: Tensor, inside: Tensor) -> Tensor:
    """[B, 1, 1, 1]: the sum of `picture` [B, 1, S, S], weighted by `inside` [1, S] across and down."""
    return F.linear(F.linear(picture, inside).transpose(2, 3), inside)


def coloured(view: Tensor, colours: Tensor) -> Tensor:
    """[B, N, S, S]: the products of the colours of `view` [B, 3, S, S] and `colours` [N, 3]."""
    return F.linear(view.permute(0, 2, 3, 1), colours).permute(0, 3, 1, 2)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _measures(size: int, standard: Standard, device: torch.device) -> list[Tensor]:
    """`_measuring` on `device`."""
    return new_tensors(_measuring(size, standard), device)


def new_tensors(matrices: tuple[npt.NDArray[np.float32], ...], device: torch.device) -> list[Tensor]:
    """Of numbers, even while a graph is recorded, whose own constants they become."""
    with torch.inference_mode(False), _disable_current_modes():
        return [torch.tensor(matrix, device=device) for matrix in matrices]


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
    return tuple(np.ascontiguousarray(part, dtype=np.float32) for part in (np.array([LUMA]), inside, blur))
