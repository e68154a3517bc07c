"""Preprocessing in Kotlin beside the same in Python, which is OpenCV's, on one thread and on the same frames."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from android_demo.assembly.compiling import CLASS_PATH, app_jars
from android_demo.assembly.parts import gather
from android_demo.assembly.places import CLASSES, DEMO, TEST_CLASSES
from android_demo.assembly.resources import link_resources
from android_demo.assembly.tools import maven_class_path, require_tools, run
from core.preprocess import Box, Image, PreprocessSpec, preprocess
from core.products import product_named

WIDTH, HEIGHT = 1920, 1080
WIDTHS_PX: Final = (90, 160, 240, 320, 420, 560)
"""Of the faces: smaller than the input, and up to more than half the picture's height."""
ROUNDS = 150
ALLOWED = 6.0
"""How many times OpenCV's time Kotlin may take."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One way of reading a frame; milliseconds are medians over calls, bytes are of all calls together."""

    reads: str
    kotlin_ms: float
    opencv_ms: float
    calls: int
    allocated_bytes: int

    @property
    def ratio(self) -> float:
        """Kotlin's time over OpenCV's."""
        return self.kotlin_ms / self.opencv_ms


def measure_preprocessing() -> list[Speed]:
    """Time both on 1080p frames, in turns of a few seconds. Raises InputError where a tool is missing."""
    require_tools(("java", "javac", "mvn", "aapt2"))
    link_resources(gather())
    maven_class_path("test-compile", "-DincludeScope=runtime", to=CLASS_PATH, folder=DEMO)
    spec = product_named("faceforensics").preprocess
    pictures, boxes = _pictures(), _boxes()
    class_path = ":".join(map(str, (CLASSES, TEST_CLASSES, *app_jars())))
    with tempfile.TemporaryDirectory() as folder:
        planes = _write(Path(folder), pictures, boxes, spec)
        said = run("java", "-cp", class_path, "org.megatron.mobile.measure.PreprocessingSpeedKt", folder)
        kotlin = json.loads(said)
    opencv = _opencv(pictures, planes, boxes, spec)
    return [
        Speed(
            reads=reads,
            kotlin_ms=float(np.median(kotlin[reads]["ms"])),
            opencv_ms=float(np.median(opencv[reads])),
            calls=len(kotlin[reads]["ms"]),
            allocated_bytes=kotlin[reads]["allocated_bytes"],
        )
        for reads in ("rgb", "yuv")
    ]


def _opencv(
    pictures: Sequence[Image], planes: Sequence[npt.NDArray[np.uint8]], boxes: Sequence[Box], spec: PreprocessSpec
) -> dict[str, list[float]]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        times: dict[str, list[float]] = {"rgb": [], "yuv": []}
        for counts in [False] * 10 + [True] * ROUNDS:
            for picture, plane, box in zip(pictures, planes, boxes, strict=True):
                start = perf_counter()
                preprocess(picture, box, spec)
                read = perf_counter()
                preprocess(np.asarray(cv2.cvtColor(plane, cv2.COLOR_YUV2RGB_I420), np.uint8), box, spec)
                end = perf_counter()
                if counts:
                    times["rgb"].append(1000 * (read - start))
                    times["yuv"].append(1000 * (end - read))
        return times
    finally:
        cv2.setNumThreads(threads)


def _pictures() -> list[Image]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in WIDTHS_PX]


def _boxes() -> list[Box]:
    return [Box(x=700.0 + 31 * index, y=200.0 - 17 * index, w=width, h=width) for index, width in enumerate(WIDTHS_PX)]


def _write(
    folder: Path, pictures: Sequence[Image], boxes: Sequence[Box], spec: PreprocessSpec
) -> list[npt.NDArray[np.uint8]]:
    """Frames as plain bytes for Kotlin; their planes."""
    planes = [np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8) for picture in pictures]
    for index, (picture, plane) in enumerate(zip(pictures, planes, strict=True)):
        (folder / f"{index}.rgb").write_bytes(picture.tobytes())
        (folder / f"{index}.i420").write_bytes(plane.tobytes())
    plan = {
        "width": WIDTH, "height": HEIGHT, "size": spec.size, "margin": spec.margin, "rounds": ROUNDS,
        "boxes": [{"x": box.x, "y": box.y, "w": box.w, "h": box.h} for box in boxes],
    }  # fmt: skip
    (folder / "plan.json").write_text(json.dumps(plan))
    return planes
