"""Colours and the grey of them."""

import numpy as np
import numpy.typing as npt

LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue in grey (ITU-R BT.601)."""


def saturating(saturation: float) -> npt.NDArray[np.float64]:
    """[3, 3]: takes a pixel's red, green and blue `saturation` times as far from its grey; 0 makes grey of it."""
    return saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
