"""Trunk weights that were trained elsewhere: timm's own, from the model hub or a local file.

Everything is safetensors: nothing is ever unpickled.
"""

from pathlib import Path
from typing import Literal

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import InputError
from core.models.backbone import Trunk, TrunkName

TrunkWeights = Literal["scratch", "hub"] | Path
"""`scratch` keeps the random weights; `hub` fetches timm's ImageNet weights; a path names a safetensors file that holds
`timm.create_model(...).state_dict()`, as the hub's own `model.safetensors` does."""

HUB_FILE = "model.safetensors"
CLASSIFIERS = frozenset(
    f"{head}.{tensor}"
    for head in ("head.head", "head.head_dist")
    for tensor in (
        *("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"),
        *("l.weight", "l.bias"),
    )
)
"""What timm's RepViT has beyond a trunk, and all that is ignored in a file."""


def load_trunks(model: nn.Module, weights: TrunkWeights) -> None:
    """Fill every trunk in `model` (one of a student, both of a teacher), in place; `scratch` changes nothing.

    Raises InputError where the hub cannot be reached or has no such trunk, and for a file that is missing, damaged, or
    of another architecture; `model` is then as it was.
    """
    if weights == "scratch":
        return
    trunks = [module for module in model.modules() if isinstance(module, Trunk)]
    # A model's trunks are of one architecture.
    tensors = _trunk_tensors(trunks[0], _from_hub(trunks[0].name) if weights == "hub" else weights)
    for trunk in trunks:
        trunk.load_state_dict(tensors)


def _trunk_tensors(trunk: Trunk, file: Path) -> dict[str, Tensor]:
    """What `file` holds of a trunk like `trunk`."""
    assert not trunk.fused
    ask = f"give safetensors of a {trunk.name} in timm's naming, hub or scratch"
    if not file.is_file():
        raise InputError(f"{file}: no such file; {ask}")
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file}: truncated or not safetensors ({' '.join(str(error).split())}); {ask}") from error
    expected = trunk.state_dict()
    for name, tensor in expected.items():
        shape = tuple(tensor.shape)
        if name not in tensors:
            raise InputError(f"{file}: not a {trunk.name}: lacks {name} {shape}; {ask}")
        if tensors[name].shape != tensor.shape:
            raise InputError(f"{file}: not a {trunk.name}: {name} is {tuple(tensors[name].shape)}, not {shape}; {ask}")
    unknown = sorted(set(tensors) - set(expected) - CLASSIFIERS)
    if unknown:
        raise InputError(f"{file}: not a {trunk.name}: has {unknown[0]}, which is unknown there; {ask}")
    return {name: tensors[name] for name in expected}


def _from_hub(name: TrunkName) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    known = timm.models.get_pretrained_cfg(name)
    if known is None or known.hf_hub_id is None:
        raise InputError(f"{name}: the hub has no weights for it; give a safetensors file or scratch")
    try:
        return Path(hf_hub_download(known.hf_hub_id, HUB_FILE))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"{known.hf_hub_id}: cannot be fetched from the hub ({type(error).__name__}); give a local copy of its "
            f"{HUB_FILE}, or scratch"
        ) from error
