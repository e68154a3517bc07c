"""Light depth head on a trunk's features: a narrow feature pyramid (Lin et al., CVPR 2017) and one map."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.backbone import global_mean


class DepthHead(nn.Module):
    """Relative inverse depth at a quarter of the input's side, and an embedding of what the head itself saw."""

    def __init__(self, channels: Sequence[int], *, width: int, embed_dim: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, groups=width) for _ in channels)
        self.predict = nn.Conv2d(width, 1, 1)
        self.embed = nn.Linear(width * len(channels), embed_dim)

    def features(self, trunk_features: Sequence[Tensor]) -> list[Tensor]:
        """The head's own maps [B, width, H_i, W_i], finest first."""
        maps: list[Tensor] = []
        for level in reversed(range(len(trunk_features))):
            x = self.lateral[level](trunk_features[level])
            if maps:
                x = x + F.interpolate(maps[0], scale_factor=2.0, mode="bilinear", align_corners=False)
            maps.insert(0, F.relu(self.smooth[level](x)))
        return maps

    def forward(self, trunk_features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """(depth [B, 1, S/4, S/4], up to scale and shift; embedding [B, embed_dim])."""
        maps = self.features(trunk_features)
        pooled = torch.cat([global_mean(x) for x in maps], dim=1)
        return self.predict(maps[0]), self.embed(pooled)
