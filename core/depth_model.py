"""Depth Anything V2 on face crops: relative inverse depth, one scale and shift a clip.

Yang et al., "Depth Anything V2", NeurIPS 2024. The network gives every image a scale and a shift of its own; left as
they are, depth would flicker. So all maps of a clip are brought to one, by least squares, as in Ranftl et al.,
"Towards Robust Monocular Depth Estimation", TPAMI 2022.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.preprocess import DepthImage, Image
from core.runtimes import missing_extra

HUB_MODEL = "depth-anything/Depth-Anything-V2-Small-hf"
PATCH_PX = 14
BATCH = 8
CONFIG, WEIGHTS = "config.json", "model.safetensors"
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)

DepthMap = npt.NDArray[np.float32]
"""float32 [h, w], relative inverse depth: larger is nearer."""


def model_folder(source: str) -> Path:
    """The local folder of a depth model: `hub` fetches Depth Anything V2 Small, anything else is a folder's path.

    Raises InputError where the hub cannot be reached and for a folder without `config.json` and `model.safetensors`.
    """
    folder = _from_hub() if source == "hub" else Path(source)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(
                f"--depth {source}: no {name} in it; give the folder of a Depth Anything model saved with "
                "`save_pretrained`, or hub, beside or none"
            )
    return folder


def weights_id(folder: Path) -> str:
    """Hex digest of a model's configuration and weights."""
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        try:
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(f"{folder / name}: cannot be read ({error.strerror}); give another --depth") from error
    return digest.hexdigest()[:32]


class DepthModel:
    """A Depth Anything network on square crops."""

    def __init__(self, folder: Path, *, input_px: int) -> None:
        """Load the weights in `folder`; crops are seen at `input_px`, a multiple of 14.

        Raises InputError where the folder holds no Depth Anything model.
        """
        from safetensors import SafetensorError

        try:
            from transformers import DepthAnythingForDepthEstimation
            from transformers.utils import logging
        except ImportError as error:
            raise missing_extra("depth", error) from error

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        assert input_px % PATCH_PX == 0, input_px
        try:
            # safetensors alone, and nothing from a network: a folder's files are never unpickled.
            loaded: Any = DepthAnythingForDepthEstimation.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{folder}: not a Depth Anything model ({reason}); give another --depth") from error
        model, report = loaded
        if report["missing_keys"] or report["mismatched_keys"]:
            raise InputError(f"{folder}: its weights are not those of its architecture; give another --depth")
        self._model = model.eval()
        self._input_px = input_px

    def maps(self, crops: Iterable[Image]) -> Iterator[DepthMap]:
        """A map [input_px, input_px] of each crop (uint8 [N, N, 3], RGB; sides may differ), batch by batch."""
        import torch

        waiting = iter(crops)
        while batch := [network_input(crop, self._input_px) for crop in islice(waiting, BATCH)]:
            pixels = np.stack(batch)
            # One thread, in a worker or not: sums in another order would give other depth.
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                with torch.inference_mode():
                    depth = self._model(pixel_values=torch.from_numpy(pixels)).predicted_depth
            finally:
                torch.set_num_threads(threads)
            yield from np.asarray(depth.float().numpy(), np.float32)


def network_input(crop: Image, input_px: int) -> npt.NDArray[np.float32]:
    """What a Depth Anything network sees of `crop` (uint8 [N, N, 3], RGB): float32 [3, input_px, input_px]."""
    interpolation = cv2.INTER_AREA if crop.shape[0] > input_px else cv2.INTER_CUBIC
    pixels = cv2.resize(crop, (input_px, input_px), interpolation=interpolation)
    normal = (pixels.astype(np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(normal.transpose(2, 0, 1), np.float32)


def check_model(folder: Path, *, input_px: int) -> None:
    """Load the model once; raises InputError where that fails."""
    loaded_model(folder, input_px)


@cache
def loaded_model(folder: Path, input_px: int) -> DepthModel:
    """The model of this process: loaded once, whatever the number of videos."""
    return DepthModel(folder, input_px=input_px)


def aligned(maps: Sequence[DepthMap]) -> list[DepthMap]:
    """`maps` [h, w] of one clip at one scale and shift.

    Each is fitted by least squares to the clip's middle: the median over the maps after each was brought to median 0
    and mean absolute deviation 1. A map that does not vary, or runs against the others, is the middle itself: it
    tells nothing.
    """
    if not maps:
        return []
    normal = [_normalised(depth) for depth in maps]
    middle = np.median(np.stack(normal), axis=0)
    wanted = middle - middle.mean()
    out = []
    for depth in normal:
        centred = depth - depth.mean()
        power = float((centred * centred).mean())
        gain = float((centred * wanted).mean()) / power if power > 0 else 0.0
        fitted = gain * centred + middle.mean() if gain > 0 else middle
        out.append(np.asarray(fitted, np.float32))
    return out


def quantised(depth: DepthMap, low: float, high: float, side: int) -> DepthImage:
    """`depth` as uint16 [side, side]: `low` is 1 and `high` 65535, since 0 means nothing anywhere."""
    scaled = cv2.resize(depth, (side, side), interpolation=cv2.INTER_LINEAR)
    levels = 1 + (scaled - low) * (65534 / max(high - low, 1e-6))
    return np.asarray(np.rint(np.clip(levels, 1, 65535)), np.uint16)


def _normalised(depth: DepthMap) -> DepthMap:
    shifted = depth - np.median(depth)
    return np.asarray(shifted / max(float(np.abs(shifted).mean()), 1e-6), np.float32)


def _from_hub() -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(HUB_MODEL, allow_patterns=[CONFIG, WEIGHTS]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"--depth hub: {HUB_MODEL} cannot be fetched ({type(error).__name__}); give the folder of a copy, or "
            "beside or none"
        ) from error
