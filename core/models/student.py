"""The student: one RepViT trunk over RGB gives both embeddings and the depth; a narrow fusion decides."""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from core.models.backbone import Trunk, TrunkName, global_mean
from core.models.depth_head import DepthHead
from core.models.fusion import FusionConfig, TemporalFusion
from core.models.views import FirstView, Looks, MeanOfViews, Views


class StudentConfig(Looks):
    """Everything that rebuilds the architecture; D, the width of an embedding, is the trunk's."""

    role: Literal["student"] = "student"
    trunk: TrunkName = "repvit_m0_9"
    depth_width: int = Field(default=32, gt=0)
    fusion: FusionConfig = FusionConfig()


StudentSize = Literal["m0_6", "m0_9", "m1_1"]

STUDENT_SIZES: dict[StudentSize, StudentConfig] = {
    "m0_6": StudentConfig(trunk="repvit_m0_6", depth_width=24, fusion=FusionConfig(width=96, feed_forward=144)),
    "m0_9": StudentConfig(),
    "m1_1": StudentConfig(trunk="repvit_m1_1", depth_width=40, fusion=FusionConfig(width=160, feed_forward=240)),
}
"""By the trunk's name; depth head and fusion grow with it. Multiply-adds are those of one view.

| size | D   | parameters: trunk | depth head | fusion  | fused, all | multiply-adds of `encode` at 224 px |
|------|-----|-------------------|------------|---------|------------|-------------------------------------|
| m0_6 | 320 | 2,165,652         | 46,521     | 322,562 | 2,516,155  | 0.39 G                              |
| m0_9 | 384 | 4,717,792         | 74,017     | 561,154 | 5,317,227  | 0.83 G                              |
| m1_1 | 512 | 7,774,864         | 122,633    | 885,762 | 8,739,707  | 1.35 G                              |
"""


class Student(nn.Module):
    """Two methods, exported together: `encode` once a frame, `classify` once a window."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        self.views = Views(config)
        self.mean_of_views, self.first_view = MeanOfViews(config.views), FirstView(config.views)
        self.trunk = Trunk(config.trunk)
        self.depth_head = DepthHead(self.trunk.channels, width=config.depth_width, embed_dim=self.trunk.embed_dim)
        self.fusion = TemporalFusion(self.trunk.embed_dim, config.fusion)

    @property
    def embed_dim(self) -> int:
        """D."""
        return self.trunk.embed_dim

    def encode(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(rgb_embedding [B, D], depth_embedding [B, D], depth [B, 1, S/4, S/4]) of frame [B, 3, S, S], RGB, 0-255.

        With two views both embeddings are means over them; depth is of the whole frame.
        """
        features = self.trunk(self.views(frame))
        depth, depth_embedding = self.depth_head(features)
        rgb_embedding = self.mean_of_views(global_mean(features[-1]))
        return rgb_embedding, self.mean_of_views(depth_embedding), self.first_view(depth)

    def classify(self, rgb: Tensor, depth: Tensor, face_valid: Tensor, depth_valid: Tensor) -> Tensor:
        """Logits [B, 2] (index 1 = fake) of embeddings [B, 20, D] and masks [B, 20], float 0 or 1."""
        logits: Tensor = self.fusion(rgb, depth, face_valid, depth_valid)
        return logits

    def fuse(self) -> None:
        """Turn the trunk into plain convolutions, in place, for inference."""
        self.trunk.fuse()
