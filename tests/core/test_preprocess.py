"""The preprocessing contract, against an implementation of its text in plain numpy and float64."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.preprocess import Box, Image, PreprocessSpec, cut, preprocess, resample, square_around

TOLERANCE = 1e-2
"""Of 255: far inside what two languages may differ by (1), far above float32's rounding."""


def reference(image: Image, box: Box, *, size: int, margin: float, padding: int) -> npt.NDArray[np.float64]:
    """float64 [3, S, S]: the contract pixel by pixel, without OpenCV."""
    side = max(1, math.floor(margin * max(box.w, box.h) + 0.5))
    x0 = math.floor(box.x + box.w / 2 - side / 2 + 0.5)
    y0 = math.floor(box.y + box.h / 2 - side / 2 + 0.5)
    factor = max(1, side // size)
    blocks = math.ceil(side / factor)
    height, width = image.shape[:2]
    # What lies right of and below the square is padding, even where the frame goes on.
    columns, rows = np.arange(blocks * factor), np.arange(blocks * factor)
    x, y = x0 + columns, y0 + rows
    inside = ((y >= 0) & (y < height) & (rows < side))[:, None] & ((x >= 0) & (x < width) & (columns < side))[None, :]
    pixels = image[np.clip(y, 0, height - 1)[:, None], np.clip(x, 0, width - 1)[None, :]].astype(np.float64)
    pixels[~inside] = padding
    means = pixels.reshape(blocks, factor, blocks, factor, 3).mean(axis=(1, 3))
    place = np.clip((np.arange(size) + 0.5) * blocks / size - 0.5, 0, blocks - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, blocks - 1)
    share = place - low
    across = means[:, low] * (1 - share)[None, :, None] + means[:, high] * share[None, :, None]
    down = across[low] * (1 - share)[:, None, None] + across[high] * share[:, None, None]
    return np.asarray(down.transpose(2, 0, 1))


def noise(seed: int, height: int, width: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def boxes(reach: int) -> st.SearchStrategy[Box]:
    """Boxes that lie inside, half out of and wholly outside a frame of up to `reach` pixels."""
    place = st.floats(-1.2 * reach, 1.2 * reach, width=32)
    length = st.floats(0.25, float(reach), width=32)
    return st.builds(lambda x, y, w, h: Box(x=x, y=y, w=w, h=h), place, place, length, length)


@settings(deadline=None, max_examples=120)
@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 160),
    width=st.integers(1, 160),
    box=boxes(160),
    size=st.sampled_from([32, 64]),
    margin=st.floats(1.0, 3.0, width=32),
    padding=st.sampled_from([0, 7, 128, 255]),
)
# Smaller than S; half out of the frame; wholly outside; a side that f does not divide; the same half out; 3 S exactly.
@example(seed=0, height=90, width=120, box=Box(x=30.5, y=20.25, w=11, h=9), size=32, margin=1.3, padding=0)
@example(seed=1, height=90, width=120, box=Box(x=-25, y=60, w=50, h=60), size=32, margin=1.5, padding=128)
@example(seed=2, height=90, width=120, box=Box(x=500, y=-300, w=40, h=40), size=32, margin=1.5, padding=7)
@example(seed=3, height=150, width=150, box=Box(x=20, y=20, w=103, h=90), size=32, margin=1.0, padding=255)
@example(seed=4, height=150, width=150, box=Box(x=90, y=80, w=103, h=90), size=32, margin=1.0, padding=255)
@example(seed=5, height=150, width=150, box=Box(x=20, y=20, w=96, h=96), size=32, margin=1.0, padding=0)
@example(seed=6, height=1, width=1, box=Box(x=0.2, y=0.2, w=0.3, h=0.1), size=32, margin=1.0, padding=9)
def test_the_tensor_is_the_contract_s(
    seed: int, height: int, width: int, box: Box, size: int, margin: float, padding: int
) -> None:
    image = noise(seed, height, width)

    found = preprocess(image, box, PreprocessSpec(size=size, margin=margin, padding=padding))

    assert found.dtype == np.float32
    expected = reference(image, box, size=size, margin=margin, padding=padding)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000),
    spare=st.tuples(*[st.integers(0, 70)] * 4),
    # In quarters of a pixel: moving the origin by whole pixels then loses nothing to rounding.
    quarters=st.tuples(*[st.integers(-300, 400)] * 2, *[st.integers(1, 320)] * 2),
)
def test_a_wider_crop_with_the_shifted_box_gives_the_same_tensor(
    seed: int, spare: tuple[int, ...], quarters: tuple[int, ...]
) -> None:
    frame = noise(seed, 100, 110)
    x, y, w, h = (quarter / 4 for quarter in quarters)
    box, spec = Box(x=x, y=y, w=w, h=h), PreprocessSpec(size=32, margin=1.4, padding=5)
    square = square_around(box, spec.margin)
    left, top = min(max(0, square.x0 - spare[0]), 109), min(max(0, square.y0 - spare[1]), 99)
    right = max(left + 1, square.x0 + square.side + spare[2])
    bottom = max(top + 1, square.y0 + square.side + spare[3])

    from_crop = preprocess(frame[top:bottom, left:right], box.shifted(-left, -top), spec)

    np.testing.assert_array_equal(from_crop, preprocess(frame, box, spec))


def padded_reference(image: Image, box: Box, *, size: int, margin: float, padding: int) -> npt.NDArray[np.float64]:
    """float64 [3, S, S]: the text of `fit: pad`, pixel by pixel."""
    side = max(1, math.floor(margin * max(box.w, box.h) + 0.5))
    x0 = math.floor(box.x + box.w / 2 - side / 2 + 0.5)
    y0 = math.floor(box.y + box.h / 2 - side / 2 + 0.5)
    corner = math.floor((side - size) / 2)
    out = np.full((3, size, size), float(padding))
    for y in range(size):
        for x in range(size):
            # In the square, and then in the frame.
            row, column = y + corner, x + corner
            in_square = 0 <= row < side and 0 <= column < side
            if in_square and 0 <= y0 + row < image.shape[0] and 0 <= x0 + column < image.shape[1]:
                out[:, y, x] = image[y0 + row, x0 + column]
    return out


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 100),
    width=st.integers(1, 100),
    box=boxes(100),
    size=st.sampled_from([32, 64]),
    margin=st.floats(1.0, 3.0, width=32),
    padding=st.sampled_from([0, 128]),
)
# One pixel less than S, one more, the same; half out of the frame.
@example(seed=0, height=90, width=90, box=Box(x=20, y=20, w=31, h=31), size=32, margin=1.0, padding=7)
@example(seed=1, height=90, width=90, box=Box(x=20, y=20, w=33, h=33), size=32, margin=1.0, padding=7)
@example(seed=2, height=90, width=90, box=Box(x=20, y=20, w=32, h=32), size=32, margin=1.0, padding=7)
@example(seed=3, height=90, width=90, box=Box(x=-20, y=60, w=50, h=40), size=32, margin=1.0, padding=7)
def test_a_padded_face_is_never_scaled(
    seed: int, height: int, width: int, box: Box, size: int, margin: float, padding: int
) -> None:
    image = noise(seed, height, width)
    spec = PreprocessSpec(size=size, margin=margin, padding=padding, fit="pad")

    found = preprocess(image, box, spec)

    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, padded_reference(image, box, size=size, margin=margin, padding=padding))


def test_a_padded_face_of_an_odd_side_stands_one_pixel_right_of_and_below_the_middle() -> None:
    white = np.full((31, 31, 3), 255, np.uint8)
    found = preprocess(white, Box(x=0, y=0, w=31, h=31), PreprocessSpec(size=32, margin=1.0, fit="pad"))
    assert not found[:, 0].any()
    assert not found[:, :, 0].any()
    assert np.all(found[:, 1:, 1:] == 255)


def test_a_uniform_frame_stays_uniform_and_outside_it_is_padding() -> None:
    image = np.full((64, 64, 3), 200, np.uint8)
    spec = PreprocessSpec(size=32, margin=1.0, padding=17)

    inside = preprocess(image, Box(x=3, y=3, w=41, h=41), spec)
    right_half_outside = preprocess(image, Box(x=32, y=0, w=64, h=64), spec)

    assert np.all(inside[:, :28, :28] == 200)
    assert np.all(right_half_outside[:, :, :16] == 200)
    assert np.all(right_half_outside[:, :, 16:] == 17)


def test_colours_stay_red_green_blue() -> None:
    image = np.empty((40, 40, 3), np.uint8)
    image[:] = (250, 120, 10)
    tensor = preprocess(image, Box(x=4, y=4, w=32, h=32), PreprocessSpec(size=32, margin=1.0))
    assert [set(channel.ravel().tolist()) for channel in tensor] == [{250.0}, {120.0}, {10.0}]


def test_halves_round_up_on_both_sides_of_zero() -> None:
    # margin * 5 = 7.5 -> 8; centre 2.5 - 4 = -1.5 -> floor(-1.0) = -1.
    square = square_around(Box(x=0, y=0.5, w=5, h=4), margin=1.5)
    assert (square.side, square.x0, square.y0) == (8, -1, -1)


def test_a_face_of_no_size_is_one_pixel() -> None:
    square = square_around(Box(x=7, y=9, w=0, h=0), margin=1.5)
    assert (square.side, square.x0, square.y0) == (1, 7, 9)


def test_cutting_keeps_type_and_pixels() -> None:
    depth = np.arange(12, dtype=np.uint16).reshape(3, 4) + 60_000
    found = cut(depth, square_around(Box(x=2, y=1, w=3, h=3), margin=1.0), padding=1)
    assert found.dtype == np.uint16
    assert found.tolist() == [[60_006, 60_007, 1], [60_010, 60_011, 1], [1, 1, 1]]


def test_resampling_does_not_round_between_steps() -> None:
    # A mean of 0.5 a block survives; rounded to bytes it would be 0 or 1.
    chequered = (np.indices((64, 64)).sum(axis=0) % 2).astype(np.uint8)
    assert np.all(resample(chequered, 32, 0) == 0.5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("size", 100, "multiple of 32"),
        ("size", 0, "greater than or equal to 32"),
        ("size", 2048, "less than or equal to 1024"),
        ("margin", 0.9, "greater than or equal to 1"),
        ("padding", 256, "less than or equal to 255"),
        ("fit", "stretch", "Input should be 'scale'"),
        ("sizes", 64, "Extra inputs are not permitted"),
    ],
)
def test_a_spec_that_cannot_be_met_is_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){field}.*{message}"):
        PreprocessSpec.model_validate({"size": 64, "margin": 1.5, field: value})


@pytest.mark.parametrize(
    ("other", "iou"),
    [
        (Box(x=0, y=0, w=4, h=2), 1.0),
        (Box(x=2, y=0, w=4, h=2), 4 / 12),
        (Box(x=1, y=1, w=2, h=3), 2 / 12),
        (Box(x=1, y=0.5, w=1, h=1), 1 / 8),
        (Box(x=4, y=0, w=4, h=2), 0.0),
        (Box(x=9, y=9, w=1, h=1), 0.0),
        (Box(x=1, y=1, w=0, h=0), 0.0),
    ],
)
def test_overlap_of_boxes(other: Box, iou: float) -> None:
    box = Box(x=0, y=0, w=4, h=2)
    assert box.iou(other) == other.iou(box) == pytest.approx(iou)


def test_two_boxes_of_no_size_do_not_overlap() -> None:
    assert Box(x=1, y=1, w=0, h=0).iou(Box(x=1, y=1, w=0, h=0)) == 0.0


def test_a_shifted_box_is_the_same_place_seen_from_elsewhere() -> None:
    box = Box(x=3, y=5, w=4, h=2)
    assert box.center == pytest.approx((5, 6))
    assert box.shifted(-3, 2) == Box(x=0, y=7, w=4, h=2)
