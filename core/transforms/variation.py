"""Carrying out a variant on the faces of a clip, from stored crops to model's inputs.

The camera comes first, since its picture is what a forger works on; then a forgery, if there is one; then geometry and
the spec; last what delivery does to the result. Everything but the forgery is the same for a real clip and its twin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.depth import in_bytes
from core.forgery import ForgerySettings, known_forged_depth, self_blended_crops, swapped_crops
from core.preprocess import Box, DepthImage, Image, Part, PreprocessSpec, Square, fitted, shown_part, square_around
from core.records import VideoRecord
from core.seeding import seeded_generator
from core.store import ClipStore
from core.transforms.degradation import Frames, degraded, erased, erased_part
from core.transforms.geometry import cut_moved, varied_box
from core.transforms.variants import Colour, Quality, Variant

Mask = npt.NDArray[np.uint8]
"""uint8 [H, W]: 0-255 is a forgery's share of 0-1."""


@dataclass(frozen=True, kw_only=True)
class Face:
    """A stored crop and all that belongs to its pixels."""

    sample: int
    crop: Image
    box: Box
    inside: Part
    """Rows and columns that show the frame; the rest of the crop is padding."""
    depth: DepthImage | None
    mask: Mask | None


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """T faces as a model sees them."""

    frames: Frames
    """uint8 [T, S, S, 3], RGB."""
    depth: npt.NDArray[np.uint8]
    """uint8 [T, S, S], 0-255 over the clip's range; 0 where there is none."""
    masks: npt.NDArray[np.uint8]
    """uint8 [T, S, S]."""


def read_face(store: ClipStore, record: VideoRecord, index: int) -> Face:
    """The kept sample `index`, as it is stored."""
    crop, box = store.crop(record, index)
    sample = record.samples[index]
    x, y = (round(value) for value in sample.origin)
    has_depth = sample.depth_valid and record.depth_range is not None
    return Face(
        sample=index,
        crop=crop,
        box=box,
        inside=shown_part(Square(x0=x, y0=y, side=crop.shape[0]), record.frame_size),
        depth=store.depth(record, index) if has_depth else None,
        mask=store.mask(record, index) if record.forgery is not None else None,
    )


def working_factor(record: VideoRecord, spec: PreprocessSpec) -> tuple[int, float]:
    """By how much a clip's crops may be reduced before a variant, and pixels of those to one of the model's input.

    The clip's smallest square, reduced, has at least S px a side and, where it can, less than 2 S. `pad` never scales.
    """
    sides = [square_around(record.box(index), spec.margin).side for index, s in enumerate(record.samples) if s.kept]
    if spec.fit == "pad" or not sides:
        return 1, 1.0
    factor = max(1, min(sides) // spec.size)
    return factor, min(sides) / factor / spec.size


def reduced_face(face: Face, factor: int, spec: PreprocessSpec, farthest: int) -> Face:
    """`face` averaged over blocks of `factor` x `factor` px."""
    if factor == 1:
        return face
    rows, columns = (slice(-(-part.start // factor), part.stop // factor) for part in face.inside)
    return Face(
        sample=face.sample,
        crop=_averaged(face.crop, factor, spec.padding),
        box=face.box.scaled(1 / factor),
        inside=(rows, columns),
        depth=None if face.depth is None else _averaged(face.depth, factor, farthest),
        mask=None if face.mask is None else _averaged(face.mask, factor, 0),
    )


def photographed(faces: Sequence[Face], variant: Variant, spec: PreprocessSpec, scale: float) -> list[Face]:
    """The faces as the variant's camera takes them. Padding stays padding: no camera sees it."""
    if not faces or (variant.camera == Quality() and variant.colour == Colour()):
        return list(faces)
    side = max(max(face.crop.shape[:2]) for face in faces)
    canvas = np.empty((len(faces), side, side, 3), np.uint8)
    for place, face in zip(canvas, faces, strict=True):
        rows, columns = face.inside
        shown = face.crop[face.inside]
        if not shown.size:
            place[:] = spec.padding
            continue
        # The picture's edge goes on, so that blur and JPEG bring no padding into it.
        border = (rows.start, side - rows.stop, columns.start, side - columns.stop)
        cv2.copyMakeBorder(shown, *border, cv2.BORDER_REPLICATE, dst=place)
    taken = degraded(
        canvas, variant.camera, variant.colour, scale=scale, generators=_grain_generators(faces, variant, "camera")
    )
    crops = []
    for picture, face in zip(taken, faces, strict=True):
        crop = picture[: face.crop.shape[0], : face.crop.shape[1]]
        rows, columns = face.inside
        for outside in (np.s_[: rows.start], np.s_[rows.stop :], np.s_[:, : columns.start], np.s_[:, columns.stop :]):
            crop[outside] = spec.padding
        crops.append(replace(face, crop=crop))
    return crops


def forged(
    faces: Sequence[Face],
    generator: np.random.Generator,
    settings: ForgerySettings,
    spec: PreprocessSpec,
    donors: Sequence[Face] = (),
) -> list[Face]:
    """The faces with those of `donors` swapped in, or blended with themselves where there are none.

    In one draw, with masks, and with the depth of what they show then.
    """
    if not faces:
        return []
    crops, boxes = [face.crop for face in faces], [face.box for face in faces]
    if donors:
        others, other_boxes = [face.crop for face in donors], [face.box for face in donors]
        forgery = swapped_crops(crops, boxes, others, other_boxes, generator, settings, padding=spec.padding)
    else:
        forgery = self_blended_crops(crops, boxes, generator, settings, padding=spec.padding)
    shown = [face.depth for face in donors or faces]
    depths = known_forged_depth([face.depth for face in faces], shown, forgery)
    return [
        replace(face, crop=crop, mask=np.rint(mask * 255).astype(np.uint8), depth=depth)
        for face, crop, mask, depth in zip(faces, forgery.frames, forgery.masks, depths, strict=True)
    ]


def seen(faces: Sequence[Face], variant: Variant, spec: PreprocessSpec, depth_range: tuple[int, int]) -> Inputs:
    """The faces after the variant's geometry, cut and fitted as `core.preprocess.preprocess` does, in bytes."""
    low, _ = depth_range
    size = spec.size
    frames = np.zeros((len(faces), size, size, 3), np.uint8)
    depth, masks = (np.zeros((len(faces), size, size), np.uint8) for _ in range(2))
    for row, face in enumerate(faces):
        frames[row] = np.rint(_input(face.crop, face.box, variant, spec, outside=spec.padding))
        if face.depth is not None:
            found = _input(face.depth, face.box, variant, spec, outside=low)
            depth[row] = in_bytes(found, depth_range)
        if face.mask is not None:
            masks[row] = np.rint(_input(face.mask, face.box, variant, spec, outside=0))
    if variant.flip:
        frames, depth, masks = (np.ascontiguousarray(np.flip(pictures, axis=2)) for pictures in (frames, depth, masks))
    return Inputs(frames=frames, depth=depth, masks=masks)


def delivered(inputs: Inputs, faces: Sequence[Face], variant: Variant) -> Inputs:
    """The inputs after something covers a part of them and a codec passes them on. A covered forgery shows none."""
    if not faces:
        return inputs
    frames, masks = inputs.frames, inputs.masks
    if variant.erasure is not None:
        frames = erased(frames, variant.erasure)
        masks = masks.copy()
        masks[:, *erased_part(variant.erasure, masks.shape[1])] = 0
    frames = degraded(
        frames, variant.delivery, Colour(), scale=1.0, generators=_grain_generators(faces, variant, "delivery")
    )
    return replace(inputs, frames=frames, masks=masks)


def _input(
    picture: npt.NDArray[Any], box: Box, variant: Variant, spec: PreprocessSpec, *, outside: int
) -> npt.NDArray[np.float32]:
    square = square_around(varied_box(box, variant), spec.margin)
    return fitted(cut_moved(picture, box, variant, square, outside), spec, outside)


def _grain_generators(faces: Sequence[Face], variant: Variant, stage: str) -> list[np.random.Generator]:
    """One a frame: by its place in the video, so that it depends on no other frame."""
    return [seeded_generator("grain", variant.grain, stage, face.sample) for face in faces]


def _averaged(picture: npt.NDArray[Any], factor: int, outside: int) -> npt.NDArray[Any]:
    """`core.preprocess.reduced`, rounded to the picture's own type: a sixth of the time of going through float32."""
    height, width = picture.shape[:2]
    border = (0, -height % factor, 0, -width % factor)
    if any(border):
        picture = cv2.copyMakeBorder(picture, *border, cv2.BORDER_CONSTANT, value=(float(outside),) * 4)
    size = picture.shape[1] // factor, picture.shape[0] // factor
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
