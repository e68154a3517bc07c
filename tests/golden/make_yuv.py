"""Golden vectors of YUV 4:2:0 to RGB by standard and range: `python -m tests.golden.make_yuv` writes them beside it.

`yuv/yuv.json` names the files, each of plain bytes: the planes y [H, W], u and v [ceil(H/2), ceil(W/2)], and one
picture [H, W, 3] for each conversion. Both sides are odd. Each chroma sample colours its two by two pixels.
"""

import json
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

FOLDER: Final = Path(__file__).resolve().parent / "yuv"
HEIGHT, WIDTH = 61, 75
SEED = 20

Bytes = npt.NDArray[np.uint8]


class Conversion(NamedTuple):
    """How Y'CbCr becomes R'G'B': the weights of red and blue in luma, and whether luma is 16..235."""

    name: str
    red: float
    blue: float
    limited: bool


CONVERSIONS: Final = (
    Conversion("bt601_limited", 0.299, 0.114, True),
    Conversion("bt601_full", 0.299, 0.114, False),
    Conversion("bt709_limited", 0.2126, 0.0722, True),
    Conversion("bt709_full", 0.2126, 0.0722, False),
)


def planes() -> tuple[Bytes, Bytes, Bytes]:
    """(y, u, v): every level occurs, also those that no picture in limited range has, and every kind of clipping."""
    generator = np.random.default_rng(SEED)
    luma = generator.permutation(np.arange(HEIGHT * WIDTH) % 256).reshape(HEIGHT, WIDTH)
    half = ((HEIGHT + 1) // 2, (WIDTH + 1) // 2)
    u, v = (generator.permutation(np.arange(half[0] * half[1]) % 256).reshape(half) for _ in range(2))
    return luma.astype(np.uint8), u.astype(np.uint8), v.astype(np.uint8)


def convert(y: Bytes, u: Bytes, v: Bytes, by: Conversion) -> Bytes:
    """uint8 [H, W, 3], RGB: the equations of ITU-R BT.601-7 and BT.709-6 in float64, rounded once."""
    height, width = y.shape
    cb, cr = (np.repeat(np.repeat(plane, 2, 0), 2, 1)[:height, :width].astype(np.float64) - 128 for plane in (u, v))
    luma = y.astype(np.float64)
    if by.limited:
        luma, cb, cr = (luma - 16) * 255 / 219, cb * 255 / 224, cr * 255 / 224
    red = luma + 2 * (1 - by.red) * cr
    blue = luma + 2 * (1 - by.blue) * cb
    green = (luma - by.red * red - by.blue * blue) / (1 - by.red - by.blue)
    return np.floor(np.stack([red, green, blue], axis=-1).clip(0, 255) + 0.5).astype(np.uint8)


def documents() -> dict[str, bytes]:
    """Every file by its name."""
    y, u, v = planes()
    pictures = {f"rgb_{one.name}.u8": convert(y, u, v, one).tobytes() for one in CONVERSIONS}
    index = {
        "width": WIDTH,
        "height": HEIGHT,
        "planes": {"y": "y.u8", "u": "u.u8", "v": "v.u8"},
        "pictures": {one.name: f"rgb_{one.name}.u8" for one in CONVERSIONS},
    }
    text = json.dumps(index, indent=2) + "\n"
    return {"y.u8": y.tobytes(), "u.u8": u.tobytes(), "v.u8": v.tobytes(), **pictures, "yuv.json": text.encode()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in documents().items():
        (FOLDER / name).write_bytes(content)
