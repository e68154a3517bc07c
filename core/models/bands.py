"""Levels of detail of a picture, each at a strength that is the same for all pictures, whatever camera took them."""

from functools import reduce
from operator import add
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BANDS = (0.3, 0.3, 0.4, 0.8)
"""Root mean square of each band in what comes out, from the finest detail to the light and colour of large areas."""

FLOOR = (0.5, 0.5, 0.5, 1.0)
"""Levels of 0-255 added to a band's root mean square before it is divided by it: what is flat stays flat."""

UNIT = 64.0
"""Levels of 0-255 in one unit of what is computed."""


class EvenBands(nn.Module):
    """Splits a picture into bands by an à trous wavelet, and adds them up again, each with its share of the whole.

    A camera that smooths, sharpens or adds noise changes how much detail its pictures hold, everywhere alike; a forgery
    changes it in one place. Dividing each band by its own root mean square over the picture (divisive normalisation,
    Carandini and Heeger, Nature Reviews Neuroscience 2012) leaves little of the first and all of the second. The bands
    are those of Starck and Murtagh ("Astronomical Image and Data Analysis", 2006), with the kernel 1, 2, 1.

    Around the picture lies its own mean, and where that differs from the pixels at the border there is an edge of 1, 2
    and 4 px in the three fine bands, which counts as their detail.
    """

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", torch.outer(row, row).expand(3, 1, 3, 3).clone(), persistent=False)
        # A convolution, since XNNPACK has a kernel for the mean over space and none for the one over channels.
        self.register_buffer("channels", torch.full((3, 3, 1, 1), 1 / 3), persistent=False)

    def forward(self, frame: Tensor) -> Tensor:
        """float32 [B, 3, S, S] about 0, of `frame` [B, 3, S, S], RGB, 0-255; never in an autocast's precision.

        Brightness and contrast of the picture, and a shift of each channel by itself, change little.
        """
        if torch.is_autocast_enabled(frame.device.type):
            with torch.autocast(frame.device.type, enabled=False):
                return self._evened(frame.float())
        # Without a context, which a graph would record.
        return self._evened(frame)

    def _evened(self, frame: Tensor) -> Tensor:
        # In units in which sums over a picture and squares fit into float16, where a device computes in that.
        rest = (frame - 128.0) * (1 / UNIT)
        rest = rest - rest.mean(dim=(2, 3), keepdim=True)
        bands = []
        for level in range(len(BANDS) - 1):
            detail, rest = self._split(rest, 2**level)
            bands.append(detail)
        bands.append(rest)
        # One operation over the picture for each band. Not times a reciprocal, which XNNPACK has no kernel for.
        even = [
            band / ((self._root_mean_square(band) + floor / UNIT) * (1 / share))
            for band, share, floor in zip(bands, BANDS, FLOOR, strict=True)
        ]
        # Not `sum`, which begins with a 0 that no delegate takes.
        return reduce(add, even)

    def _split(self, picture: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """(detail, what is left of the picture without it)."""
        smooth = F.conv2d(picture, cast(Tensor, self.kernel), padding=step, dilation=step, groups=3)
        return picture - smooth, smooth

    def _root_mean_square(self, band: Tensor) -> Tensor:
        """Over space and channels: [B, 3, 1, 1], all three alike."""
        return F.conv2d((band * band).mean(dim=(2, 3), keepdim=True), cast(Tensor, self.channels)).sqrt()
