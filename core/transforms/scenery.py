"""A variant's scene: smooth fields over a clip's crops, the same in every frame, that change light, focus and shape."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.seeding import seeded_generator
from core.transforms.variants import Scene

Field = npt.NDArray[np.float32]
"""float32 [N, N, C]."""

_KNOTS = 3
"""Of a field, along each side: it turns once or twice over a crop."""

_FOCUS_SLOPE = 4.0
"""How sharply what is in focus ends."""


class Scenery:
    """The fields of one draw, for square crops of any side; they lie over a crop from edge to edge."""

    def __init__(self, scene: Scene, seed: int) -> None:
        generator = seeded_generator("scene", seed)
        self._scene = scene
        self._light, self._tint, self._focus, self._shape = (
            generator.standard_normal((_KNOTS, _KNOTS, channels)).astype(np.float32) for channels in (1, 3, 1, 2)
        )
        self._bias = float(generator.uniform(-1, 1))

    def shaped(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """[N, N] or [N, N, C], any type that OpenCV warps: the crop, its depth or its mask, moved alike."""
        if not self._scene.shape:
            return picture
        side = picture.shape[0]
        moved = _spread(self._shape, side) * np.float32(self._scene.shape * side / 2)
        rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
        map_x, map_y = columns + moved[..., 0], rows + moved[..., 1]
        warped = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(warped, dtype=picture.dtype)

    def lit(self, crop: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
        """uint8 [N, N, 3]; `scale` is how many of its pixels make one of the model's input."""
        scene, side = self._scene, crop.shape[0]
        picture: npt.NDArray[Any] = crop
        if scene.light or scene.tint:
            level = _spread(scene.light * self._light + scene.tint * self._tint, side)
            picture = np.clip(picture * cv2.exp(level), 0, 255).astype(np.float32)
        if scene.focus_px:
            soft = cv2.GaussianBlur(picture, (0, 0), scene.focus_px * scale)
            share = 1 / (1 + cv2.exp(-_FOCUS_SLOPE * _spread(self._focus, side)[..., :1] - self._bias))
            picture = picture + (soft.astype(np.float32) - picture) * share.reshape(side, side, 1)
        return crop if picture is crop else np.rint(picture).astype(np.uint8)


def _spread(knots: Field, side: int) -> Field:
    """The knots over a square of that side: smooth, and through each of them."""
    field = cv2.resize(knots, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field.reshape(side, side, -1), dtype=np.float32)
