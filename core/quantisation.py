"""The PT2E set-up that quantisation-aware training and export share: int8, static, one scale a channel."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from core.runtimes import missing_extra


def quantised(module: nn.Module, calibration: Iterable[Tensor]) -> nn.Module:
    """`module` (one input, `eval()` mode, fused) with int8 weights and activations.

    Activation ranges are observed over `calibration`, inputs of the module's own shape. Symmetric per channel for
    weights, affine per tensor for activations: what XNNPACK has kernels for.
    """
    try:
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    except ImportError as error:
        raise missing_extra("executorch", error) from error
    inputs = list(calibration)
    graph = torch.export.export(module, (inputs[0],), strict=True).module()
    quantiser = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(graph, quantiser)
    with torch.no_grad():
        for frame in inputs:
            prepared(frame)
    converted: nn.Module = convert_pt2e(prepared)
    return converted
