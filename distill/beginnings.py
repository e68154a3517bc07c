"""What a fusion begins with, where single frames were judged before it."""

from typing import cast

import torch
from torch import Tensor, nn

from core.models.fusion import Block, TemporalFusion


@torch.no_grad()
def begin_as_mean(fusion: TemporalFusion, head: nn.Linear) -> None:
    """Set the weights so that a window's logits are the mean of what `head` says of its valid RGB embeddings.

    `head` is [2, D]: its verdicts take two places of the RGB stream, whose positions differ by less than 0.005 from
    slot to slot at the widths of our models. Without a valid slot the logits are its bias. What attention, feed-forward
    and depth add begins at zero, and is learned from there (after Zhang et al., *Fixup Initialization*, ICLR 2019).
    """
    assert head.weight.shape == (2, fusion.rgb.project.in_features)
    for block in fusion.modules():
        if isinstance(block, Block):
            last = cast(nn.Linear, block.feed_forward[-1])
            for weights in (block.attention.output.weight, last.weight, last.bias):
                nn.init.zeros_(weights)
    # The slowest sinusoids.
    width = fusion.rgb.project.out_features
    real, fake = width - 2, width - 1
    fusion.rgb.project.weight[[real, fake]] = head.weight
    fusion.rgb.project.bias[[real, fake]] = -cast(Tensor, fusion.rgb.position)[:, [real, fake]].mean(dim=0)
    nn.init.zeros_(fusion.head.weight)
    fusion.head.weight[0, real] = fusion.head.weight[1, fake] = 1.0
    fusion.head.bias.copy_(head.bias)
