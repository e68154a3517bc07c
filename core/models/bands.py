"""Levels of detail of a picture, each brought to the same energy, so that no camera's own sharpness is left."""

from functools import reduce
from operator import add
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BANDS = (0.3, 0.3, 0.4, 0.8)
"""Root mean square of each band in what comes out, from the finest detail to the light and colour of large areas."""

FLOOR = (0.5, 0.5, 0.5, 1.0)
"""Levels of 0-255 added to a band's energy before it is divided by it: what is flat stays flat."""


class EvenBands(nn.Module):
    """Splits a picture into bands by an à trous wavelet, and adds them up again with the same energy in each.

    A camera that smooths, sharpens or adds noise changes how much detail its pictures hold, everywhere alike; a forgery
    changes it in one place. Dividing each band by its own root mean square over the picture (divisive normalisation,
    Carandini and Heeger, Nature Reviews Neuroscience 2012) takes away the first and leaves the second. The bands are
    those of Starck and Murtagh ("Astronomical Image and Data Analysis", 2006), with the kernel 1, 2, 1.
    """

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", torch.outer(row, row).expand(3, 1, 3, 3).clone(), persistent=False)
        # A convolution, since XNNPACK has a kernel for the mean over space and none for the one over channels.
        self.register_buffer("channels", torch.full((3, 3, 1, 1), 1 / 3), persistent=False)

    def forward(self, frame: Tensor) -> Tensor:
        """float32 [B, 3, S, S] about 0, of `frame` [B, 3, S, S], RGB, 0-255. Never in half precision: bands are small.

        Brightness and contrast of the picture, and a shift of each channel by itself, change next to nothing.
        """
        if torch.is_autocast_enabled(frame.device.type):
            with torch.autocast(frame.device.type, enabled=False):
                return self._evened(frame.float())
        # Without a context, which a graph would record.
        return self._evened(frame)

    def _evened(self, frame: Tensor) -> Tensor:
        # About its own mean, so that the zeros around it are no edge. In units in which squares fit into float16.
        rest = (frame - frame.mean(dim=(2, 3), keepdim=True)) * (1 / 64)
        bands = []
        for level in range(len(BANDS) - 1):
            detail, rest = self._split(rest, 2**level)
            bands.append(detail)
        bands.append(rest)
        even = [
            band * share / (self._energy(band) + floor / 64)
            for band, share, floor in zip(bands, BANDS, FLOOR, strict=True)
        ]
        # Not `sum`, which begins with a 0 that no delegate takes.
        return reduce(add, even)

    def _split(self, picture: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """(detail, what is left of the picture without it)."""
        smooth = F.conv2d(picture, cast(Tensor, self.kernel), padding=step, dilation=step, groups=3)
        return picture - smooth, smooth

    def _energy(self, band: Tensor) -> Tensor:
        """Root mean square over space and channels: [B, 3, 1, 1], all three alike."""
        return F.conv2d((band * band).mean(dim=(2, 3), keepdim=True), cast(Tensor, self.channels)).sqrt()
