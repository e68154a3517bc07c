"""Programs of a few operators, for tests of what a program asks of its runtime."""

import torch

from core.runtimes.executorch import without_chatter


def lowered(module: torch.nn.Module, *, delegated: bool = True) -> bytes:
    """A `.pte` of `module` on float32 [1, 4], inside XNNPACK or wholly outside of any delegate."""
    with without_chatter():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        program = torch.export.export(module.eval(), (torch.ones(1, 4),))
        partitioner = [XnnpackPartitioner()] if delegated else []
        return bytes(to_edge_transform_and_lower(program, partitioner=partitioner).to_executorch().buffer)
