"""Lightning's checkpoints as safetensors and JSON: nothing is ever unpickled.

A checkpoint is two files, `NAME.safetensors` with every tensor and `NAME.json` with everything else, written in that
order: the document names the tensors' sha256, so a checkpoint whose document exists is whole.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from core.errors import InputError
from core.manifest import sha256_of
from core.runs import misfit, read_tensors, write_json, write_tensors

FORMAT = 1
ADVICE = "remove the file to train that stage from its beginning, or give another --run"


class SafetensorsCheckpointIO(CheckpointIO):
    """Writes and reads `path`.safetensors and `path`.json."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Both files, each under a temporary name first. TypeError for a value that JSON cannot hold."""
        assert storage_options is None
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        tensors: dict[str, Tensor] = {}
        document = {"format": FORMAT, "checkpoint": _plain(checkpoint, "", tensors)}
        file = place.with_name(place.name + ".safetensors")
        write_tensors(file, tensors)
        write_json(place.with_name(place.name + ".json"), {**document, "sha256": sha256_of(file)})

    def load_checkpoint(self, path: str | Path, map_location: Any = None, weights_only: bool | None = None) -> Any:
        """What was saved. InputError names the file that is missing, damaged or of another format."""
        place = Path(path)
        file, document_file = (place.with_name(place.name + suffix) for suffix in (".safetensors", ".json"))
        try:
            document = json.loads(document_file.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"{document_file}: not a readable checkpoint ({error}); {ADVICE}") from error
        found = document.get("format") if isinstance(document, dict) else None
        if found != FORMAT:
            raise InputError(f"{document_file}: checkpoint format {found!r}, this version reads {FORMAT}; {ADVICE}")
        tensors = read_tensors(file)
        if sha256_of(file) != document.get("sha256"):
            raise InputError(f"{file}: not the tensors that {document_file.name} was written for; {ADVICE}")
        try:
            return _restored(document["checkpoint"], tensors)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{document_file}: not a checkpoint of this version ({error!r}); {ADVICE}") from error

    def remove_checkpoint(self, path: str | Path) -> None:
        """Both files, the document first."""
        place = Path(path)
        for suffix in (".json", ".safetensors"):
            place.with_name(place.name + suffix).unlink(missing_ok=True)


def newest_checkpoint(folder: Path) -> Path | None:
    """The whole checkpoint in `folder` whose name is the largest number; None where there is none."""
    numbers = [int(file.stem) for file in folder.glob("*.json") if file.stem.isdigit()]
    return folder / str(max(numbers)) if numbers else None


def _plain(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON; its tensors are put into `tensors` and named in their places."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        # As pairs, since JSON would turn the optimiser's whole numbers into text.
        return {"pairs": [[key, _plain(part, f"{name}/{key}", tensors)] for key, part in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_plain(part, f"{name}/{place}", tensors) for place, part in enumerate(value)]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{name}: a checkpoint cannot hold a {type(value).__name__}")


def _restored(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "pairs":
        return {key: _restored(part, tensors) for key, part in content}
    if kind not in ("list", "tuple"):
        raise ValueError(f"unknown kind {kind!r}")
    parts = [_restored(part, tensors) for part in content]
    return parts if kind == "list" else tuple(parts)


def refuse_misfit(module: torch.nn.Module, tensors: dict[str, Tensor], file: Path) -> None:
    """InputError where `tensors` are not the weights of `module`'s architecture; it names the first that is wrong."""
    wrong = misfit(module, tensors)
    if wrong is not None:
        raise InputError(f"{file}: weights of another architecture ({wrong}); {ADVICE}")
