"""The int8 program of a module: ranges observed after training, or those that were trained."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from core.quantisation.placement import observe, places_of, prepared
from core.quantisation.rounding import Ranges, check_ranges


def quantised(
    module: nn.Module,
    calibration: Iterable[Tensor],
    *,
    float_parts: Sequence[str] = (),
    ranges: Ranges | None = None,
) -> nn.Module:
    """`module` (one input, `eval()` mode, fused) with int8 weights and activations.

    With `ranges`, of a `QuantisedTraining` of the same module, nothing is observed and the program rounds as training
    did; InputError where they are of other activations. Without, ranges are observed over `calibration`, inputs of the
    module's own shape, of which one is needed in any case. The submodules named in `float_parts` (`trunk.stages.3`)
    stay float32, whatever was trained, and so do `never_rounded` ones.
    """
    inputs = list(calibration)
    graph = prepared(module, inputs[0], float_parts=float_parts, observed=ranges is None)
    if ranges is None:
        observe(graph, inputs)
    else:
        # For the weights, whose ranges are their own.
        observe(graph, inputs[:1])
        _restore(graph, ranges, parts=float_parts)
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    converted: nn.Module = convert_pt2e(graph)
    return converted


def _restore(graph: torch.fx.GraphModule, ranges: Ranges, *, parts: Sequence[str]) -> None:
    places = {place.name: place for place in places_of(graph) if not place.is_weight}
    # What stays float has no place for the range that it was trained with.
    check_ranges({name: ranges[name] for name in ranges if name in places} if parts else ranges, places)
    for name, place in places.items():
        low, high = ranges[name]
        place.observer.min_val.fill_(low)
        place.observer.max_val.fill_(high)
