"""The Megatron reference: two RepViT streams, two temporal transformers, attention both ways, two logits."""

from typing import Literal

from torch import Tensor, nn

from core.models.backbone import Trunk, TrunkName, global_mean
from core.models.fusion import FusionConfig, TemporalFusion
from core.models.views import Looks, MeanOfViews, Views


class TeacherConfig(Looks):
    """Everything that rebuilds the architecture; the defaults are the reference's. Its looks are at RGB alone."""

    role: Literal["teacher"] = "teacher"
    trunk: TrunkName = "repvit_m0_9"
    fusion: FusionConfig = FusionConfig(width=384, heads=2, layers=1, feed_forward=1024, norm="layer")


class Teacher(nn.Module):
    """RGB and depth, each through a trunk of its own, fused over the window."""

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        self.config = config
        self.views, self.mean_of_views = Views(config), MeanOfViews(config.views)
        self.rgb_trunk = Trunk(config.trunk)
        self.depth_trunk = Trunk(config.trunk)
        self.fusion = TemporalFusion(self.rgb_trunk.embed_dim, config.fusion)

    @property
    def embed_dim(self) -> int:
        """D."""
        return self.rgb_trunk.embed_dim

    def encode_rgb(self, frame: Tensor) -> Tensor:
        """[B, D] of `frame` [B, 3, S, S], RGB, 0-255."""
        embedding: Tensor = self.mean_of_views(global_mean(self.rgb_trunk(self.views(frame))[-1]))
        return embedding

    def encode_depth(self, depth: Tensor) -> Tensor:
        """[B, D] of `depth` [B, 1, S, S]: relative inverse depth, 0-255 over the clip, shown to the trunk as grey."""
        return global_mean(self.depth_trunk(depth.expand(-1, 3, -1, -1))[-1])

    def classify(self, rgb: Tensor, depth: Tensor, face_valid: Tensor, depth_valid: Tensor) -> Tensor:
        """Logits [B, 2] (index 1 = fake) of embeddings [B, 20, D] and masks [B, 20], float 0 or 1."""
        logits: Tensor = self.fusion(rgb, depth, face_valid, depth_valid)
        return logits
