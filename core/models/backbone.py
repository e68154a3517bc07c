"""RepViT trunk over pixels (Wang et al., "RepViT: Revisiting Mobile CNN From ViT Perspective", CVPR 2024).

The weights and blocks are timm's. Ours is the edge: pixels come in as 0-255 and are normalised inside, by ImageNet's
mean and deviation, in a way that `fuse` can fold into the first convolution: on a device it costs nothing, and the
quantised input is the byte itself.
"""

from typing import Literal, cast

import timm
import torch
import torch.nn.functional as F
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.repvit import RepVit
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

TrunkName = Literal["repvit_m0_6", "repvit_m0_9", "repvit_m1_0", "repvit_m1_1"]
"""Each named by its authors for its latency on an iPhone 12 in ms."""


class Trunk(nn.Module):
    """RepViT without its classifier: one feature map a stage, at strides 4, 8, 16 and 32."""

    def __init__(self, name: TrunkName = "repvit_m0_9") -> None:
        """Random weights; `core.pretrained` has others."""
        super().__init__()
        model = _timm_model(name)
        self.name = name
        self.stem = cast(nn.Module, model.stem)
        self.stages = cast(nn.Sequential, model.stages)
        self.channels = tuple(level["num_chs"] for level in cast(list[dict[str, int]], model.feature_info))
        self.embed_dim = cast(int, model.num_features)
        self.fused = False
        self.register_buffer("mean", 255.0 * torch.tensor(IMAGENET_DEFAULT_MEAN), persistent=False)
        self.register_buffer("std", 255.0 * torch.tensor(IMAGENET_DEFAULT_STD), persistent=False)
        # The border is padded before normalisation (black, not mean grey): only then is folding the normalisation
        # into the convolution exact up to the last pixel.
        _first_convolution(self.stem).padding = (0, 0)

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        """Feature maps [B, C_i, S/4, S/4] ... [B, D, S/32, S/32] of `frame`: [B, 3, S, S], RGB, 0-255."""
        x = self.stem(self._normalised(frame))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return tuple(features)

    def _normalised(self, frame: Tensor) -> Tensor:
        if self.fused:
            return frame
        mean, std = cast(Tensor, self.mean), cast(Tensor, self.std)
        return (F.pad(frame, (1, 1, 1, 1)) - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)

    @torch.no_grad()
    def fuse(self) -> None:
        """Merge every batch-norm, parallel branch and ImageNet's normalisation into plain convolutions, in place.

        The outputs of `eval()` mode are unchanged but for float rounding; the parameters are not trainable as before.
        What is fused already stays as it is.
        """
        if self.fused:
            return
        self.stem = reparameterize_model(self.stem, inplace=True)
        self.stages = cast(nn.Sequential, reparameterize_model(self.stages, inplace=True))
        self._fold_normalisation()
        self.fused = True

    def _fold_normalisation(self) -> None:
        first = _first_convolution(self.stem)
        assert first.bias is not None
        mean, std = cast(Tensor, self.mean), cast(Tensor, self.std)
        first.weight.div_(std.view(1, 3, 1, 1))
        first.bias.sub_((first.weight * mean.view(1, 3, 1, 1)).sum(dim=(1, 2, 3)))
        first.padding = (1, 1)


def global_mean(features: Tensor) -> Tensor:
    """Mean over space: [B, C, H, W] -> [B, C]."""
    # keepdim, then flatten: XNNPACK has a kernel for the mean that keeps its axes, none for the one that drops them.
    return features.mean(dim=(2, 3), keepdim=True).flatten(1)


def _timm_model(name: TrunkName) -> nn.Module:
    if name == "repvit_m0_6":
        # The authors' smallest, which timm lacks: their 2, 2, 9 and 1 blocks of stride 1. timm counts the last block of
        # a stage that is followed by another as part of the step down to that one.
        return RepVit(embed_dim=(40, 80, 160, 320), depth=(1, 1, 8, 1), num_classes=0)
    return timm.create_model(name, pretrained=False, num_classes=0)


def _first_convolution(stem: nn.Module) -> nn.Conv2d:
    return next(module for module in stem.modules() if isinstance(module, nn.Conv2d))
