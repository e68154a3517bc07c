"""Operators that change the size of a picture: the last two dimensions."""

from typing import Final

import torch
from torch import Tensor

from core.runtimes.coreml.arguments import Arguments, Operator
from core.runtimes.coreml.values import UnreadableError


def _upsample_bilinear(a: Arguments) -> Tensor:
    corners = a.flag("align_corners", True)
    centres = a.flag("half_pixel_centers", not corners)
    if corners and centres:
        raise UnreadableError("its align_corners and half_pixel_centers exclude each other")
    mode = "STRICT_ALIGN_CORNERS" if corners else "UNALIGN_CORNERS" if centres else "DEFAULT"
    return _bilinear(a.tensor("x"), _scaled_size(a), mode)


def _upsample_nearest_neighbor(a: Arguments) -> Tensor:
    return _nearest(a.tensor("x"), _scaled_size(a))


def _resize_bilinear(a: Arguments) -> Tensor:
    size = [a.integer("target_size_height", 1), a.integer("target_size_width", 1)]
    return _bilinear(a.tensor("x"), size, a.text("sampling_mode", "DEFAULT"))


def _resize_nearest_neighbor(a: Arguments) -> Tensor:
    return _nearest(a.tensor("x"), [a.integer("target_size_height"), a.integer("target_size_width")])


def _resize(a: Arguments) -> Tensor:
    x, shape, resized = a.tensor("x"), a.ints("shape"), a.integer("resized_dims")
    if a.text("interpolation_mode", "LINEAR") != "LINEAR" or resized != 2:
        raise UnreadableError("only LINEAR interpolation of two dimensions is known")
    # 0 stands for the input's own size.
    size = [wanted or own for wanted, own in zip(shape[-2:], x.shape[-2:], strict=True)]
    return _bilinear(x, size, a.text("sampling_mode", "DEFAULT"))


def _scaled_size(a: Arguments) -> list[int]:
    height, width = a.tensor("x").shape[-2:]
    return [int(height * a.number("scale_factor_height", 1.0)), int(width * a.number("scale_factor_width", 1.0))]


def _bilinear(x: Tensor, size: list[int], mode: str) -> Tensor:
    for axis, count in ((-2, size[0]), (-1, size[1])):
        points = _sampling_points(mode, x.shape[axis], torch.arange(count, dtype=torch.float64, device=x.device))
        low = points.long()
        high = (low + 1).clamp(max=x.shape[axis] - 1)
        share = (points - low).float()
        share = share[:, None] if axis == -2 else share
        x = torch.lerp(x.index_select(axis, low), x.index_select(axis, high), share)
    return x


def _sampling_points(mode: str, given: int, places: Tensor) -> Tensor:
    """Where each of the wanted elements lies among the `given` ones, as MIL's resize_bilinear documents it.

    float64, and so are `places`, which count the wanted elements.
    """
    wanted = len(places)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if mode == "ALIGN_CORNERS" and wanted == 1:
            points = places + (given - 1) / 2
        else:
            points = places * (given - 1) / max(1, wanted - 1)
    elif mode == "UNALIGN_CORNERS":
        points = (places + 0.5) * given / wanted - 0.5
    elif mode == "OFFSET_CORNERS":
        points = (places + 0.5) * max(1, given - 1) / wanted
    elif mode == "DEFAULT":
        points = places * given / wanted
    else:
        raise UnreadableError(f"its sampling_mode is {mode!r}, which is not known")
    return points.clamp(0, given - 1)


def _nearest(x: Tensor, size: list[int]) -> Tensor:
    # Rounded down, as in torch: coremltools writes torch's `nearest` as this operator.
    for axis, count in ((-2, size[0]), (-1, size[1])):
        places = torch.arange(count, device=x.device) * x.shape[axis] // count
        x = x.index_select(axis, places)
    return x


RESIZING: Final[dict[str, Operator]] = {
    "resize": _resize,
    "resize_bilinear": _resize_bilinear,
    "resize_nearest_neighbor": _resize_nearest_neighbor,
    "upsample_bilinear": _upsample_bilinear,
    "upsample_nearest_neighbor": _upsample_nearest_neighbor,
}
