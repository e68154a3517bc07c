"""The int8 program of a module: ranges observed after training, or those that were trained."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from core.errors import InputError
from core.quantisation.placement import observe, places_of, prepared

Ranges = Mapping[str, tuple[float, float]]
"""(lowest, highest) value of an activation by the name of the graph's node that makes it."""


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
    stay float32; there are none where ranges were trained.
    """
    assert ranges is None or not float_parts
    inputs = list(calibration)
    graph = prepared(module, inputs[0], float_parts=float_parts, observed=ranges is None)
    if ranges is None:
        observe(graph, inputs)
    else:
        # For the weights, whose ranges are their own.
        observe(graph, inputs[:1])
        _restore(graph, ranges)
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    converted: nn.Module = convert_pt2e(graph)
    return converted


def _restore(graph: torch.fx.GraphModule, ranges: Ranges) -> None:
    places = {place.name: place for place in places_of(graph) if not place.is_weight}
    for name in sorted({*places, *ranges}):
        low, high = ranges.get(name, (math.nan, math.nan))
        if name not in places or not -math.inf < low <= high < math.inf:
            fault = "lacks a range" if name not in ranges else f"has {low:g} to {high:g}"
            what = f"activation {name} {fault}" if name in places else f"the model has no activation {name}"
            raise InputError(f"activation ranges: {what}; the run was made by another version, train it again")
        places[name].observer.min_val.fill_(low)
        places[name].observer.max_val.fill_(high)
