"""Synthetic footage: a cut-out person moving before a drawn background, with the exact depth of every frame.

Everything about a scene is drawn once from its generator; a frame is then a pure function of the scene, the
person and the time, so that another person can be put into the same scene, moving the same way.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.forgery import wander
from core.portrait import Plane, Sprite
from core.preprocess import Box, DepthImage, Image

DEPTH_STEP = 64
"""Depth is stored in steps of 1/1024: finer digits would tell resampled depth from rendered depth."""

_SLACK_PX = 16
"""Border that the background is drawn with and may drift by."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A background, a light, a motion and a camera for a clip of T frames of side H = W = `side`."""

    side: int
    background: Plane
    """float32 [H + 2 * slack, W + 2 * slack, 3], 0-255."""
    background_depth: Plane
    """float32 [H + 2 * slack, W + 2 * slack], relative inverse depth 0-1."""
    drift: npt.NDArray[np.float64]
    """[T, 2]: shift of the background, px."""
    motion: npt.NDArray[np.float64]
    """[T, 6]: centre x and y (px), face width (px), roll (rad), yaw, pitch (face widths a unit of relief)."""
    light: npt.NDArray[np.float64]
    """[2]: how strongly surfaces that face right, and down, are lit."""
    ramp: npt.NDArray[np.float64]
    """[2]: change of exposure across and down the frame, as a share."""
    cast: npt.NDArray[np.float64]
    """[3]: gain of red, green and blue."""
    depth_range: tuple[float, float]
    """Gain and offset of relative depth, which has no scale of its own."""
    blur_px: float
    """Standard deviation of the lens's blur."""
    noise: float
    """Standard deviation of the sensor's noise, levels of 0-255."""


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """T frames before the sensor: what the scene looks like, without noise."""

    frames: list[Image]
    """T x uint8 [H, W, 3], RGB."""
    depths: list[DepthImage]
    """T x uint16 [H, W]."""
    boxes: list[Box]
    """T face boxes, known from the geometry; they are as dlib's detector would draw them."""


def make_scene(generator: np.random.Generator, *, side: int, length: int) -> Scene:
    """Draw a scene of `length` frames of `side` x `side` px."""
    background, background_depth = _background(generator, side + 2 * _SLACK_PX)

    def curve(amplitude: float) -> npt.NDArray[np.float64]:
        return amplitude * wander(length, generator, slowest=70, fastest=22)

    unit = side / 240
    drift = unit * np.stack([curve(generator.uniform(0, 5)), curve(generator.uniform(0, 3))], axis=1)
    centre_x = side / 2 + unit * (generator.uniform(-10, 10) + curve(7))
    centre_y = side / 2 + unit * (generator.uniform(2, 14) + curve(5))
    width = unit * generator.uniform(103, 119) * (1 + curve(0.03))
    roll = math.radians(generator.uniform(-3, 3)) + curve(math.radians(2.5))
    yaw, pitch = generator.uniform(-0.08, 0.08) + curve(0.12), generator.uniform(-0.04, 0.04) + curve(0.06)
    direction = generator.uniform(0, 2 * math.pi)
    return Scene(
        side=side,
        background=background,
        background_depth=background_depth,
        drift=drift,
        motion=np.stack([centre_x, centre_y, width, roll, yaw, pitch], axis=1),
        light=generator.uniform(0.05, 0.3) * np.array([math.cos(direction), math.sin(direction)]),
        ramp=generator.uniform(-0.12, 0.12, 2),
        cast=generator.uniform(0.85, 1.05) * generator.uniform(0.95, 1.05, 3),
        depth_range=(float(generator.uniform(0.7, 0.9)), float(generator.uniform(0.0, 0.08))),
        blur_px=float(generator.uniform(0.3, 0.55)),
        noise=float(generator.uniform(1.0, 3.0)),
    )


def render(scene: Scene, person: Sprite) -> Rendering:
    """`person` in `scene`."""
    lit = _lit(person, scene)
    relief_middle = float(person.relief.max()) - 0.15
    rows, columns = np.mgrid[0 : scene.side, 0 : scene.side].astype(np.float32)
    exposure = 1 + scene.ramp[0] * (columns / scene.side - 0.5) + scene.ramp[1] * (rows / scene.side - 0.5)
    gains = np.asarray(exposure[..., None] * scene.cast, dtype=np.float32)
    out = Rendering(frames=[], depths=[], boxes=[])
    for time in range(len(scene.motion)):
        map_x, map_y = _sampling(scene, person, time, relief_middle)
        layers = cv2.remap(lit, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = layers[..., 3]
        move = np.array([[1, 0, scene.drift[time, 0] - _SLACK_PX], [0, 1, scene.drift[time, 1] - _SLACK_PX]])
        size = (scene.side, scene.side)
        behind = cv2.warpAffine(scene.background, move, size, borderMode=cv2.BORDER_REFLECT)
        far = cv2.warpAffine(scene.background_depth, move, size, borderMode=cv2.BORDER_REFLECT)
        picture = (behind + (layers[..., :3] - behind) * alpha[..., None]) * gains
        seen = np.clip(cv2.GaussianBlur(picture, (0, 0), scene.blur_px), 0, 255)
        gain, offset = scene.depth_range
        near = person_depth(map_x, map_y, person)
        depth = offset + gain * (far + (near - far) * alpha)
        out.frames.append(np.rint(seen).astype(np.uint8))
        out.depths.append(np.rint(np.clip(depth, 0, 1) * 65535).astype(np.uint16))
        out.boxes.append(_face_box(scene, time))
    return out


def person_depth(map_x: Plane, map_y: Plane, person: Sprite) -> Plane:
    """The person's relative inverse depth in a frame, float32 [H, W], where the maps sample the sprite."""
    near = cv2.remap(person.relief, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(near, dtype=np.float32)


def sensed(frames: list[Image], noise: float, generator: np.random.Generator) -> list[Image]:
    """`frames` with the sensor's noise of standard deviation `noise` levels, T x uint8 [H, W, 3]."""
    height, width = frames[0].shape[:2]
    # One field, cut at another place for every frame: drawing fresh noise would take as long as rendering.
    field = generator.standard_normal((2 * height, 2 * width, 3), dtype=np.float32) * np.float32(noise)
    noisy = []
    for frame in frames:
        top, left = generator.integers(0, height), generator.integers(0, width)
        grain = field[top : top + height, left : left + width]
        noisy.append(np.rint(np.clip(frame + grain, 0, 255)).astype(np.uint8))
    return noisy


def stored_depth(depth: DepthImage) -> DepthImage:
    """`depth` in steps of `DEPTH_STEP`."""
    return np.asarray(depth // DEPTH_STEP * DEPTH_STEP, dtype=np.uint16)


def _sampling(scene: Scene, person: Sprite, time: int, relief_middle: float) -> tuple[Plane, Plane]:
    """Where in the sprite each pixel of frame `time` comes from: x and y, each float32 [H, W]."""
    centre_x, centre_y, width, roll, yaw, pitch = scene.motion[time]
    scale = person.face.w / width
    cos, sin = math.cos(roll) * scale, math.sin(roll) * scale
    rows, columns = np.mgrid[0 : scene.side, 0 : scene.side].astype(np.float32)
    across, down = columns - np.float32(centre_x), rows - np.float32(centre_y)
    face_x, face_y = person.face.center
    map_x = np.float32(cos) * across + np.float32(sin) * down + np.float32(face_x)
    map_y = np.float32(cos) * down - np.float32(sin) * across + np.float32(face_y)
    # Turning the head moves what is near one way and what is far the other; small enough to need no
    # occlusion.
    parallax = cv2.remap(person.relief, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) - relief_middle
    map_x -= np.float32(yaw * person.face.w) * parallax
    map_y -= np.float32(pitch * person.face.w) * parallax
    return np.asarray(map_x, dtype=np.float32), np.asarray(map_y, dtype=np.float32)


def _face_box(scene: Scene, time: int) -> Box:
    """The face box of frame `time`; the parallax of the face's middle is left out, as it is under 2 px."""
    centre_x, centre_y, width = scene.motion[time, :3]
    return Box(x=float(centre_x - width / 2), y=float(centre_y - width / 2), w=float(width), h=float(width))


def _lit(person: Sprite, scene: Scene) -> Plane:
    """The sprite under the scene's light, float32 [H, W, 4]: RGB 0-255 and alpha 0-1."""
    smooth = cv2.GaussianBlur(person.relief, (0, 0), 6)
    slope_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8) * person.face.w
    slope_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8) * person.face.w
    shade = 1 - np.float32(scene.light[0]) * slope_x - np.float32(scene.light[1]) * slope_y
    return np.dstack([person.rgb * np.clip(shade, 0.4, 1.6)[..., None], np.clip(person.alpha, 0, 1)])


def _background(generator: np.random.Generator, side: int) -> tuple[Plane, Plane]:
    """A smoothly coloured wall with soft shapes before it: RGB float32 [N, N, 3], depth float32 [N, N]."""
    cells = int(generator.integers(2, 5))
    tone = generator.uniform(50, 205) + generator.uniform(-35, 35, 3)
    base = tone + generator.uniform(-35, 35, (cells, cells, 3))
    colour = cv2.resize(base.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    corners = generator.uniform(0.04, 0.16, (2, 2)).astype(np.float32)
    depth = cv2.resize(corners, (side, side), interpolation=cv2.INTER_LINEAR)
    for _ in range(int(generator.integers(2, 7))):
        shape = np.zeros((side, side), dtype=np.float32)
        x, y = (int(value) for value in generator.integers(0, side, 2))
        across, down = (int(value) for value in generator.integers(side // 16, side // 3, 2))
        if generator.random() < 0.5:
            cv2.rectangle(shape, (x - across, y - down), (x + across, y + down), 1.0, cv2.FILLED)
        else:
            cv2.ellipse(shape, (x, y), (across, down), float(generator.uniform(0, 180)), 0, 360, 1.0, cv2.FILLED)
        soft = np.asarray(cv2.GaussianBlur(shape, (0, 0), generator.uniform(0.6, 5)), dtype=np.float32)
        tone = (generator.uniform(30, 225) + generator.uniform(-35, 35, 3)).astype(np.float32)
        share = soft[..., None] * np.float32(generator.uniform(0.3, 0.9))
        colour = colour * (1 - share) + tone * share
        depth = depth + soft * np.float32(generator.uniform(0.0, 0.04))
    grain = generator.standard_normal((side // 4, side // 4, 1)).astype(np.float32)
    plaster = cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC)[..., None]
    colour = colour + plaster * np.float32(generator.uniform(0, 8))
    return np.asarray(np.clip(colour, 0, 255), dtype=np.float32), np.asarray(depth, dtype=np.float32)
