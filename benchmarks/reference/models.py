"""The reference's four models: true architectures, seeded random weights, which change no time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.models import Teacher, TeacherConfig
from core.runtimes import missing_extra

FACE_PX = 224
"""Side of what both RepViTs see."""
DEPTH_PX = 518
"""Side of what Depth Anything sees: its image processor's own."""
BRANCH_WEIGHT = 0.2
METHODS = ("depth", "encode_rgb", "encode_depth", "classify")
"""In the order of a frame."""


class ReferenceModels(nn.Module):
    """Depth Anything V2 Small, a RepViT-M0.9 each for RGB and depth, and the fusion of 20 frames."""

    def __init__(self, *, seed: int = 0) -> None:
        """The same weights for the same seed and versions. Raises InputError where transformers is not installed."""
        super().__init__()
        with torch.random.fork_rng(devices=[]), _without_chatter():
            torch.manual_seed(seed)
            self.depth_network = _depth_anything_v2_small()
            self.teacher = Teacher(TeacherConfig())
        for norm in self.teacher.modules():
            # timm starts the last norm of every branch at 0: the branch would count for nothing, and a runtime that
            # computed it wrongly, or not at all, would not be noticed.
            if isinstance(norm, nn.BatchNorm2d) and not norm.weight.any():
                nn.init.constant_(norm.weight, BRANCH_WEIGHT)
        self.eval()

    def depth(self, pixels: Tensor) -> Tensor:
        """Relative inverse depth [B, 518, 518] of normalised RGB [B, 3, 518, 518]."""
        depth: Tensor = self.depth_network(pixel_values=pixels).predicted_depth
        return depth

    def encode_rgb(self, frame: Tensor) -> Tensor:
        """See `Teacher.encode_rgb`."""
        return self.teacher.encode_rgb(frame)

    def encode_depth(self, depth: Tensor) -> Tensor:
        """See `Teacher.encode_depth`."""
        return self.teacher.encode_depth(depth)

    def classify(self, rgb: Tensor, depth: Tensor, face_valid: Tensor, depth_valid: Tensor) -> Tensor:
        """See `Teacher.classify`."""
        return self.teacher.classify(rgb, depth, face_valid, depth_valid)

    def fuse(self) -> None:
        """Turn both trunks into plain convolutions, in place; the outputs stay."""
        self.teacher.rgb_trunk.fuse()
        self.teacher.depth_trunk.fuse()


def _depth_anything_v2_small() -> nn.Module:
    """Yang et al., "Depth Anything V2", NeurIPS 2024; 24.8 M parameters, as the authors' configuration has them."""
    try:
        from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation
    except ImportError as error:
        raise missing_extra("depth", error) from error
    backbone = {
        "model_type": "dinov2",
        "hidden_size": 384,
        "num_attention_heads": 6,
        "num_hidden_layers": 12,
        "image_size": DEPTH_PX,
        "patch_size": 14,
        "out_indices": [3, 6, 9, 12],
        "apply_layernorm": True,
        "reshape_hidden_states": False,
    }
    config = DepthAnythingConfig(
        backbone_config=backbone,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
        reassemble_hidden_size=384,
    )
    model: nn.Module = DepthAnythingForDepthEstimation(config)
    return model


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Transformers imports torchao, of which torch warns: no news to who measures."""
    talk = logging.getLogger("torch.utils._pytree")
    level = talk.level
    talk.setLevel(logging.ERROR)
    try:
        yield
    finally:
        talk.setLevel(level)
