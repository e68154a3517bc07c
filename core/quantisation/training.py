"""Training that rounds: what quantisation-aware fine-tuning trains."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.quantisation.placement import (
    is_rounding,
    left_out,
    observe,
    places_of,
    prepared,
    rounded_name,
    rounds,
)
from core.quantisation.rounding import Ranges, RoundedActivation, RoundedWeight, check_ranges


class QuantisedTraining(nn.Module):
    """A copy of a fused module that rounds weights and activations as its int8 program will, and can be trained.

    Takes batches of any size. Its parameters are the float weights; rounding passes gradients straight through
    (Jacob et al., CVPR 2018). Ranges start where calibration puts them and, in `train()` mode, follow what is seen
    until `freeze_ranges`; in `eval()` mode nothing is observed. They are part of `state_dict()`.
    """

    def __init__(self, module: nn.Module, calibration: Iterable[Tensor]) -> None:
        """`module` has one input [B, C, H, W] and no batch-norm left; `calibration` are batches for it, float32."""
        super().__init__()
        assert not any(isinstance(part, nn.BatchNorm2d) for part in module.modules()), "fuse it first"
        self._weights = tuple(module.state_dict())
        inputs = list(calibration)
        # A batch of one would be taken for a constant of the graph.
        example = inputs[0][:1].expand(2, -1, -1, -1).contiguous()
        graph = prepared(copy.deepcopy(module).eval(), example, batches=True)
        observe(graph, inputs)
        self._activations = []
        for place in places_of(graph):
            if place.is_weight:
                place.replace(graph, RoundedWeight())
            else:
                place.replace(graph, RoundedActivation(*place.observed_range()))
                self._activations.append(place.name)
        graph.recompile()
        self.graph = graph.requires_grad_()
        self.train()

    def forward(self, frame: Tensor) -> Any:
        """What the module returns of `frame`: [B, C, H, W], any B, float32 whatever the trainer's precision."""
        # 255 levels need more than bfloat16's 8 bits.
        with torch.autocast(frame.device.type, enabled=False):
            return self.graph(frame.float())

    def train(self, mode: bool = True) -> "QuantisedTraining":
        """See `nn.Module`. A graph refuses it, since batch-norm and dropout are recorded for one mode: here is none."""
        for module in self.modules():
            module.training = mode
        return self

    def freeze_ranges(self) -> None:
        """From here on ranges stay as they are, and only weights are trained."""
        for activation in self._rounded().values():
            activation.follows = False

    def restore(self, ranges: Ranges) -> None:
        """Round to ranges that were trained; InputError where they are of other activations."""
        rounded = self._rounded()
        check_ranges(ranges, rounded)
        for name, activation in rounded.items():
            activation.bounds.copy_(torch.tensor(ranges[name]))

    def with_float(self, parts: Sequence[str]) -> nn.Module:
        """Its graph with the submodules `parts` in float32, to see what they cost.

        It shares weights, ranges and mode: ask it in `eval()`, of float32 outside autocast.
        """
        whole = self.graph.graph
        left = left_out(whole, parts)
        graph = copy.deepcopy(whole)
        copies = dict(zip(whole.nodes, graph.nodes, strict=True))
        for node in whole.nodes:
            if not is_rounding(node):
                continue
            value = node.args[0]
            for user in node.users:
                if not rounds(value, user, left):
                    copies[user].replace_input_with(copies[node], copies[value])
            if not copies[node].users:
                graph.erase_node(copies[node])
        return torch.fx.GraphModule(self.graph, graph)

    def weights(self) -> dict[str, Tensor]:
        """The trained float weights under the names of the module that was copied, for its `load_state_dict`."""
        state = self.graph.state_dict()
        return {name: state[name].detach() for name in self._weights}

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Every activation's range, by name; what `quantised` takes. Ready for JSON."""
        return {name: activation.range() for name, activation in self._rounded().items()}

    def _rounded(self) -> dict[str, RoundedActivation]:
        found = {}
        for name in self._activations:
            activation = self.graph.get_submodule(rounded_name(name))
            assert isinstance(activation, RoundedActivation)
            found[name] = activation
        return found
