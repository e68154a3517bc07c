"""Where an int8 program rounds: XNNPACK's quantiser on a module's graph, and the names of what it observes."""

import warnings
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from core.models.views import OfViews
from core.quantisation.rounding import HIGHEST, LEAST_SCALE, LEAST_WEIGHT_SCALE, LOWEST
from core.runtimes import missing_extra

_SUMS_AND_PRODUCTS = frozenset(
    {torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor, torch.ops.aten.mul.Tensor, torch.ops.aten.mul_.Tensor}
)


def prepared(
    module: nn.Module, example: Tensor, *, float_parts: Sequence[str] = (), observed: bool = True, batches: bool = False
) -> torch.fx.GraphModule:
    """The graph of `module`, which is fused, with an observer wherever its int8 program rounds."""
    float_parts = (*float_parts, *never_rounded(module))
    with warnings.catch_warnings():
        # torchao and ExecuTorch warn of their own imports.
        warnings.simplefilter("ignore")
        try:
            from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
                XNNPACKQuantizer,
                get_symmetric_quantization_config,
            )
            from torchao.quantization.pt2e import MinMaxObserver, PerChannelMinMaxObserver
            from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e
        except ImportError as error:
            raise missing_extra("executorch", error) from error

    class Quantiser(XNNPACKQuantizer):  # type: ignore[misc]
        """XNNPACK's, which cannot leave a module out by itself."""

        # What is fused has no batch norm; to look for one, a dozen examples of it are traced first, each time.
        SUPPORTED_PATTERNS = tuple(
            pattern for pattern in XNNPACKQuantizer.SUPPORTED_PATTERNS if "bn" not in pattern.name.split("_")
        )

        def annotate(self, model: Any) -> Any:
            """Annotate every operator but those of the float parts."""
            model = super().annotate(model)
            left = left_out(model.graph, float_parts)
            for node in model.graph.nodes:
                if node.name in left:
                    node.meta.pop("quantization_annotation", None)
            return model

    config = get_symmetric_quantization_config(is_per_channel=True)
    observers = {"weight": PerChannelMinMaxObserver.with_args(eps=LEAST_WEIGHT_SCALE)}
    if not observed:
        plain = MinMaxObserver.with_args(eps=LEAST_SCALE)
        observers |= {"input_activation": plain, "output_activation": plain}
    config = replace(
        config,
        **{
            what: replace(getattr(config, what), observer_or_fake_quant_ctr=observer)
            for what, observer in observers.items()
        },
    )
    shapes = ({0: torch.export.Dim("batch")},) if batches else None
    graph = torch.export.export(module, (example,), dynamic_shapes=shapes).module()
    prepared: torch.fx.GraphModule = prepare_pt2e(graph, Quantiser().set_global(config))
    return prepared


def never_rounded(module: nn.Module) -> tuple[str, ...]:
    """Submodules that stay float: views, whose matrices in 8 bits would show another picture, and what joins or drops
    them at the end, since what leaves a program is float."""
    return tuple(name for name, part in module.named_modules() if isinstance(part, OfViews))


@dataclass(frozen=True)
class Place:
    """One observer of a prepared graph. Nodes that share a scale share it."""

    name: str
    calls: list[torch.fx.Node]
    observer: Any

    @property
    def values(self) -> list[str]:
        """Names of the nodes that it observes."""
        return [str(call.args[0]) for call in self.calls]

    @property
    def is_weight(self) -> bool:
        return bool(self.observer.qscheme == torch.per_channel_symmetric)

    def observed_range(self) -> tuple[float, float]:
        """Ends of the grid that calibration chose."""
        scale, zero_point = (float(value) for value in self.observer.calculate_qparams())
        return (LOWEST - zero_point) * scale, (HIGHEST - zero_point) * scale

    def replace(self, graph: torch.fx.GraphModule, module: nn.Module) -> None:
        """Call `module` instead, under one name: safetensors refuses a tensor that has several."""
        graph.add_submodule(rounded_name(self.name), module)
        for call in self.calls:
            graph.delete_submodule(str(call.target))
            call.target = rounded_name(self.name)


_ROUNDED = "rounded_"


def rounded_name(place: str) -> str:
    """Of the submodule that rounds in an observer's place."""
    return f"{_ROUNDED}{place}"


def is_rounding(node: torch.fx.Node) -> bool:
    """Whether `node` calls what rounds in an observer's place."""
    return node.op == "call_module" and str(node.target).startswith(_ROUNDED)


def places_of(graph: torch.fx.GraphModule) -> list[Place]:
    modules = dict(graph.named_modules(remove_duplicate=False))
    places: dict[int, Place] = {}
    for node in graph.graph.nodes:
        observer = modules.get(str(node.target)) if node.op == "call_module" else None
        if hasattr(observer, "calculate_qparams"):
            place = places.setdefault(id(observer), Place(node.args[0].name, [], observer))
            place.calls.append(node)
    return list(places.values())


@torch.no_grad()
def observe(graph: torch.fx.GraphModule, inputs: Iterable[Tensor]) -> None:
    for frame in inputs:
        graph(frame)


def paths_of(node: torch.fx.Node) -> list[str]:
    """The submodules that `node` belongs to, from the outermost in, as in `trunk.stages.3`."""
    return [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]


def lies_in(paths: Iterable[str], parts: Sequence[str]) -> bool:
    """Whether any of `paths` is one of the submodules `parts`, or within it; `*` stands for anything, dots too."""
    return any(fnmatchcase(path, part) or fnmatchcase(path, f"{part}.*") for part in parts for path in paths)


def left_out(graph: torch.fx.Graph, parts: Sequence[str]) -> set[str]:
    """Names of all nodes that round nothing where `parts` stay float.

    Those are what never rounds, what lies in `parts`, and what cannot round without that: whatever shares its scale
    with one of those, and sums and products with such a term. To round that term for them would lose what it was kept
    for, and they cost next to nothing.
    """
    rounding = [node for node in graph.nodes if _annotation(node) is not None]
    left = {node.name for node in rounding if lies_in(paths_of(node), parts)}
    # What is left out may itself be shared with, or summed: repeat until nothing follows from it.
    while following := {n.name for n in rounding if n.name not in left and (_partners(n) | _terms(n)) & left}:
        left |= following
    return left | {node.name for node in graph.nodes if _annotation(node) is None}


def rounds(value: torch.fx.Node, user: torch.fx.Node, left: Container[str]) -> bool:
    """Whether `user` is given `value` rounded, where what is in `left` rounds nothing: by its maker, or for itself."""
    if value.name not in left and _annotation(value).output_qspec is not None:
        return True
    return user.name not in left and value.name in _inputs(user)


def _annotation(node: torch.fx.Node) -> Any:
    """What the quantiser wrote on an operator; None on one that rounds nothing. It outlives the placement.

    In a copy of a graph it speaks of the nodes of the first one, which have the same names.
    """
    return node.meta.get("quantization_annotation")


def _inputs(node: torch.fx.Node) -> set[str]:
    """Names of what an operator rounds for itself, where its maker does not."""
    return {value.name for value in _annotation(node).input_qspec_map}


def _terms(node: torch.fx.Node) -> set[str]:
    """Names of what a sum or a product is of; nothing of any other operator."""
    return _inputs(node) if node.target in _SUMS_AND_PRODUCTS else set()


def _partners(node: torch.fx.Node) -> set[str]:
    """Names of the operators whose scales `node` shares."""
    from torchao.quantization.pt2e.quantizer import SharedQuantizationSpec

    annotation = _annotation(node)
    shared = [
        spec.edge_or_node
        for spec in (annotation.output_qspec, *annotation.input_qspec_map.values())
        if isinstance(spec, SharedQuantizationSpec)
    ]
    return {(found[1] if isinstance(found, tuple) else found).name for found in shared} - {node.name}
