"""The PT2E set-up that quantisation-aware training and export share: int8, static, one scale a channel."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.runtimes import missing_extra


def quantised(module: nn.Module, calibration: Iterable[Tensor], *, float_parts: Sequence[str] = ()) -> nn.Module:
    """`module` (one input, `eval()` mode, fused) with int8 weights and activations.

    Activation ranges are observed over `calibration`, inputs of the module's own shape. Symmetric per channel for
    weights, affine per tensor for activations: what XNNPACK has kernels for. The submodules
    named in `float_parts` (`trunk.stages.3`) stay float32.
    """
    with warnings.catch_warnings():
        # torchao and ExecuTorch warn of their own imports.
        warnings.simplefilter("ignore")
        try:
            from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
                XNNPACKQuantizer,
                get_symmetric_quantization_config,
            )
            from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        except ImportError as error:
            raise missing_extra("executorch", error) from error

    class Quantiser(XNNPACKQuantizer):  # type: ignore[misc]
        """XNNPACK's, which cannot leave a module out by itself."""

        def annotate(self, model: Any) -> Any:
            """Annotate every operator but those of the float parts."""
            model = super().annotate(model)
            _leave_out(model, float_parts)
            return model

    inputs = list(calibration)
    graph = torch.export.export(module, (inputs[0],), strict=True).module()
    quantiser = Quantiser().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(graph, quantiser)
    with torch.no_grad():
        for frame in inputs:
            prepared(frame)
    converted: nn.Module = convert_pt2e(prepared)
    return converted


def _leave_out(model: Any, parts: Sequence[str]) -> None:
    """Take the annotations of `parts` away, and of every operator that shares its scale with one of them."""
    for node in model.graph.nodes:
        paths = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
        if any(f"{part}." in f"{path}." for part in parts for path in paths):
            node.meta.pop("quantization_annotation", None)
    # A sharing operator may itself be shared with: repeat until none is left without its partner.
    while dangling := [node for node in model.graph.nodes if _partner_is_gone(node)]:
        for node in dangling:
            del node.meta["quantization_annotation"]


def _partner_is_gone(node: Any) -> bool:
    from torchao.quantization.pt2e.quantizer import SharedQuantizationSpec

    annotation = node.meta.get("quantization_annotation")
    if annotation is None:
        return False
    for spec in (annotation.output_qspec, *annotation.input_qspec_map.values()):
        if isinstance(spec, SharedQuantizationSpec):
            partner = spec.edge_or_node[1] if isinstance(spec.edge_or_node, tuple) else spec.edge_or_node
            if partner is not node and "quantization_annotation" not in partner.meta:
                return True
    return False
