"""Models in torch itself: the reference of every other runtime."""

from typing import cast

import torch
from torch import nn

from core.runtimes import Array, as_float32


class TorchRuntime:
    """Wraps a student, or any module with such methods, in `eval()` mode on its own device."""

    name = "torch"

    def __init__(self, model: nn.Module) -> None:
        self.version = str(torch.__version__)
        self._model = model.eval()
        self._device = next(model.parameters()).device

    def run(self, method: str, *inputs: Array) -> tuple[Array, ...]:
        """See `core.runtimes.Runtime`."""
        with torch.inference_mode():
            outputs = getattr(self._model, method)(*(torch.from_numpy(array).to(self._device) for array in inputs))
        tensors = outputs if isinstance(outputs, tuple) else (cast(torch.Tensor, outputs),)
        return tuple(as_float32(tensor.cpu()) for tensor in tensors)
