"""Synthetic people: one portrait, cut from its background, warped and re-coloured into many identities.

The portrait is NASA's photograph of Eileen Collins, in the public domain and shipped with scikit-image.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.preprocess import Box

Plane = npt.NDArray[np.float32]
"""float32 [H, W] or [H, W, C]."""

SPRITE_SCALE = 1.5
"""Sprite pixels per portrait pixel: rendering then always shrinks a little, which needs no sharpening."""

_LEFT, _RIGHT, _BOTTOM, _HEADROOM = 32, 412, 330, 40
"""The part of the portrait that is kept, and the empty rows added above the hair, px of the portrait."""

# Outlines of the portrait in its own pixels (x, y), drawn by hand: what is surely the person, and what may
# be.
_SURELY_PERSON = [
    (180, 40), (225, 26), (275, 50), (288, 90), (272, 120), (258, 168), (292, 215), (330, 270), (345, 330),
    (50, 330), (60, 280), (110, 222), (150, 185), (196, 170), (180, 130), (166, 95),
]  # fmt: skip
_MAYBE_PERSON = [
    (146, 60), (175, 22), (225, 6), (280, 22), (310, 70), (300, 115), (272, 145), (268, 168), (312, 215),
    (352, 265), (372, 330), (20, 330), (36, 270), (92, 208), (118, 168), (160, 142), (176, 140), (148, 100),
]  # fmt: skip
_FACE = (179.0, 83.0, 87.0, 87.0)
"""What dlib's detector finds in the portrait: left, top, width, height, px."""


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """A person without a background, in sprite pixels."""

    rgb: Plane
    """float32 [H, W, 3], 0-255, defined past the silhouette so that its edge shows no old background."""
    alpha: Plane
    """float32 [H, W], 0-1."""
    relief: Plane
    """float32 [H, W], relative inverse depth 0-1, larger is nearer; defined everywhere."""
    skin: Plane
    """float32 [H, W], 0-1: how far a pixel is skin."""
    hair: Plane
    """float32 [H, W], 0-1."""
    face: Box
    """The face box, px of the sprite."""


def _to_sprite(x: float, y: float) -> tuple[float, float]:
    """Portrait pixel to sprite pixel."""
    return (x - _LEFT) * SPRITE_SCALE, (y + _HEADROOM) * SPRITE_SCALE


@cache
def portrait() -> Sprite:
    """The portrait as it is: about [555, 570]. Raises InputError where scikit-image is missing."""
    try:
        from skimage import data
    except ImportError as error:
        raise InputError(
            "the demo corpus needs the portrait that scikit-image ships: pip install 'megatron-mobile[demo]'"
        ) from error
    rgb = np.asarray(data.astronaut(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    alpha = _cut_out(rgb)
    colour = _grown(rgb.astype(np.float32), alpha)
    skin = _skin(rgb)
    rows = np.arange(rgb.shape[0], dtype=np.float32)[:, None]
    above_collar = np.clip((165 - rows) / 12, 0, 1)
    hair = np.asarray(np.clip(above_collar * (1 - skin), 0, 1), dtype=np.float32)
    left, top = _to_sprite(_FACE[0], _FACE[1])
    return Sprite(
        rgb=np.clip(_enlarged(colour, cv2.BORDER_REPLICATE), 0, 255),
        alpha=np.clip(_enlarged(alpha, cv2.BORDER_CONSTANT), 0, 1),
        relief=_relief(),
        skin=np.clip(_enlarged(skin, cv2.BORDER_CONSTANT), 0, 1),
        hair=np.clip(_enlarged(hair, cv2.BORDER_REPLICATE), 0, 1),
        face=Box(x=left, y=top, w=_FACE[2] * SPRITE_SCALE, h=_FACE[3] * SPRITE_SCALE),
    )


def _cut_out(rgb: npt.NDArray[np.uint8]) -> Plane:
    """The person's alpha, float32 [512, 512], 0-1."""
    labels = np.full(rgb.shape[:2], cv2.GC_BGD, dtype=np.uint8)
    cv2.fillPoly(labels, [np.array(_MAYBE_PERSON, dtype=np.int32)], int(cv2.GC_PR_BGD))
    cv2.fillPoly(labels, [np.array(_SURELY_PERSON, dtype=np.int32)], int(cv2.GC_FGD))
    # grabCut's clustering draws from OpenCV's own generator, the only way to seed it.
    cv2.setRNGSeed(0)
    cv2.grabCut(rgb, labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    person = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    person = cv2.morphologyEx(person, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    person = cv2.morphologyEx(person, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    return np.asarray(cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.3), dtype=np.float32)


def _grown(colour: Plane, alpha: Plane) -> Plane:
    """`colour` [H, W, 3] with the person's own colours carried past the silhouette."""
    inside = cv2.erode((alpha > 0.9).astype(np.float32), np.ones((5, 5), np.uint8))
    grown, known = colour * inside[..., None], inside
    for sigma in (1.5, 4.0, 12.0):
        weight = cv2.GaussianBlur(inside, (0, 0), sigma)
        spread = cv2.GaussianBlur(colour * inside[..., None], (0, 0), sigma)
        fill = spread / np.maximum(weight, 1e-6)[..., None]
        fresh = (weight > 1e-2) & (known < 1)
        grown[fresh] = fill[fresh]
        known = np.maximum(known, fresh.astype(np.float32))
    grown[known < 1] = fill[known < 1]
    return np.asarray(grown, dtype=np.float32)


def _skin(rgb: npt.NDArray[np.uint8]) -> Plane:
    """How far a pixel is skin, float32 [H, W], 0-1: by chroma, inside an ellipse about face and neck."""
    luma, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb).astype(np.float32))
    like_skin = np.clip((luma - 80) / 30, 0, 1) * np.exp(-(((red - 154) / 14) ** 2) - ((blue - 112) / 14) ** 2)
    near = np.zeros(rgb.shape[:2], dtype=np.float32)
    cv2.ellipse(near, (224, 136), (52, 66), 0, 0, 360, 1.0, cv2.FILLED)
    # Eyes and teeth lie inside the face and must not be tinted as hair.
    cv2.ellipse(like_skin, (223, 138), (38, 48), 0, 0, 360, 1.0, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(np.clip(like_skin * near * 1.3, 0, 1), (0, 0), 2.0), dtype=np.float32)


def _enlarged(plane: Plane, border: int) -> Plane:
    """The kept part of a portrait-sized plane, with headroom, in sprite pixels."""
    kept = cv2.copyMakeBorder(plane[:_BOTTOM, _LEFT:_RIGHT], _HEADROOM, 0, 0, 0, border)
    size = (round(kept.shape[1] * SPRITE_SCALE), round(kept.shape[0] * SPRITE_SCALE))
    return np.asarray(cv2.resize(kept, size, interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _relief() -> Plane:
    """The portrait's relief, of a few solids: head over shoulders, and a nose. float32 [H, W], 0-1."""
    height, width = round((_BOTTOM + _HEADROOM) * SPRITE_SCALE), round((_RIGHT - _LEFT) * SPRITE_SCALE)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / SPRITE_SCALE + _LEFT, y / SPRITE_SCALE - _HEADROOM

    def dome(cx: float, cy: float, across: float, down: float) -> Plane:
        """A bump of height 1 that meets the plane smoothly."""
        distance = ((x - cx) / across) ** 2 + ((y - cy) / down) ** 2
        return np.asarray(np.exp(-distance), dtype=np.float32)

    shoulders = 0.42 + 0.10 * np.clip((y - 170) / 130, 0, 1)
    head = 0.30 * dome(226, 118, 74, 88) + 0.10 * dome(223, 130, 34, 44)
    features = 0.06 * dome(224, 126, 9, 20) - 0.02 * (dome(203, 102, 10, 7) + dome(245, 102, 10, 7))
    collar = 0.08 * dome(212, 225, 95, 30)
    return np.asarray(shoulders + head + features + collar, dtype=np.float32)


def make_identity(generator: np.random.Generator) -> Sprite:
    """A person of their own: shape, mirror side, tones of skin, hair and garment drawn from `generator`."""
    model = portrait()
    map_x, map_y = _shape(generator, model)
    mirrored = bool(generator.integers(2))
    if mirrored:
        map_x, map_y = map_x[:, ::-1], map_y[:, ::-1]

    def warped(plane: Plane) -> Plane:
        moved = cv2.remap(
            plane, np.ascontiguousarray(map_x), np.ascontiguousarray(map_y), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return np.asarray(moved, dtype=np.float32)

    face = model.face
    if mirrored:
        face = Box(x=model.alpha.shape[1] - face.x - face.w, y=face.y, w=face.w, h=face.h)
    skin, hair = warped(model.skin), warped(model.hair)
    return Sprite(
        rgb=_toned(warped(model.rgb), skin, hair, generator),
        alpha=warped(model.alpha),
        relief=warped(model.relief),
        skin=skin,
        hair=hair,
        face=face,
    )


def _shape(generator: np.random.Generator, model: Sprite) -> tuple[Plane, Plane]:
    """Sampling maps (x, y), each float32 [H, W]: a smooth random field and features that faces differ in."""
    height, width = model.alpha.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    unit = model.face.w
    field = generator.uniform(-1, 1, (2, 7, 7)).astype(np.float32) * 0.035 * unit
    shift_x = cv2.resize(field[0], (width, height), interpolation=cv2.INTER_CUBIC)
    shift_y = cv2.resize(field[1], (width, height), interpolation=cv2.INTER_CUBIC)
    cx, cy = model.face.center
    # Where (in face widths from the face's centre), how wide, and how strongly a feature may grow or shrink.
    for dx, dy, radius, strength in (
        (0.0, 0.00, 0.75, 0.08),  # the whole head
        (0.0, 0.45, 0.40, 0.12),  # jaw
        (-0.23, -0.27, 0.17, 0.18),  # eyes: one drawn number for both, below
        (0.23, -0.27, 0.17, 0.18),
        (0.0, 0.02, 0.18, 0.18),  # nose
        (0.0, 0.24, 0.24, 0.16),  # mouth
        (0.0, -0.95, 0.60, 0.20),  # hair
    ):
        if dx <= 0:
            across, down = generator.uniform(-strength, strength, 2)
        far_x, far_y = x - (cx + dx * unit), y - (cy + dy * unit)
        weight = np.exp(-(far_x**2 + far_y**2) / (radius * unit) ** 2)
        shift_x += across * far_x * weight
        shift_y += down * far_y * weight
    return np.asarray(x + shift_x, dtype=np.float32), np.asarray(y + shift_y, dtype=np.float32)


def _toned(rgb: Plane, skin: Plane, hair: Plane, generator: np.random.Generator) -> Plane:
    """`rgb` with the identity's own tones, float32 [H, W, 3], 0-255."""
    garment = np.clip(1 - skin - hair, 0, 1)
    skin_gain = generator.uniform(0.72, 1.05) * np.array([1.0, *generator.uniform((0.93, 0.85), (1.02, 1.02))])
    hair_gain = generator.uniform(0.35, 1.15) * np.array([1.0, *generator.uniform((0.85, 0.7), (1.05, 1.2))])
    turned = _hue_turned(rgb, generator.uniform(0, 360)) * generator.uniform(0.6, 1.0)
    toned = skin[..., None] * rgb * skin_gain + hair[..., None] * rgb * hair_gain + garment[..., None] * turned
    return np.asarray(np.clip(toned, 0, 255), dtype=np.float32)


def _hue_turned(rgb: Plane, degrees: float) -> Plane:
    """`rgb` [H, W, 3], 0-255, with its hue turned."""
    hsv = cv2.cvtColor(np.ascontiguousarray(rgb / 255, dtype=np.float32), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + degrees) % 360
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255, dtype=np.float32)
