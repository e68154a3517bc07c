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
    module's own shape, of which one is needed in any case. The submodules named in `float_parts` (`trunk.stages.3`,
    `trunk.*.token_mixer`) stay float32, whatever was trained, and so do `never_rounded` ones.
    """
    inputs = list(calibration)
    graph = prepared(module, inputs[0], float_parts=float_parts, observed=ranges is None)
    if ranges is None:
        observe(graph, inputs)
    else:
        # For the weights, whose ranges are their own.
        observe(graph, inputs[:1])
        whole = prepared(module, inputs[0], observed=False) if float_parts else graph
        _restore(graph, _of_every_value(ranges, whole))
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    converted: nn.Module = convert_pt2e(graph)
    return converted


def _of_every_value(ranges: Ranges, whole: torch.fx.GraphModule) -> dict[str, tuple[float, float]]:
    """`ranges`, which are those of `whole`, by every value: where several share one, it has the first one's name."""
    places = [place for place in places_of(whole) if not place.is_weight]
    check_ranges(ranges, [place.name for place in places])
    return {value: ranges[place.name] for place in places for value in place.values}


def _restore(graph: torch.fx.GraphModule, ranges: Ranges) -> None:
    for place in places_of(graph):
        if not place.is_weight:
            low, high = ranges[place.name]
            place.observer.min_val.fill_(low)
            place.observer.max_val.fill_(high)
