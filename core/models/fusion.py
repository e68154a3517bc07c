"""Temporal fusion of two masked streams: self-attention in each, attention across both ways, one pair of logits.

After the reference's parallel transformers and bidirectional cross-attention, with the residuals and masks that it
lacks. Attention is Vaswani et al. (2017); pre-norm; RMSNorm is Zhang and Sennrich (2019).

Attention is written out instead of `nn.MultiheadAttention`: of that module most operators stay outside a mobile
delegate, of this one none. For the same reason heads are folded into the batch for `torch.bmm` (a four-dimensional
product leaves an expand for each operand), the norm is RMSNorm by default (LayerNorm does not delegate to XNNPACK),
and masks multiply where they can.
"""

import math
from typing import Literal, cast

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from core.decision import WINDOW


class FusionConfig(BaseModel):
    """Widths of the temporal fusion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=128, gt=0)
    heads: int = Field(default=4, gt=0)
    layers: int = Field(default=1, ge=1)
    feed_forward: int = Field(default=192, gt=0)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    norm: Literal["rms", "layer"] = "rms"


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the last axis; written out, so that each step has a delegated kernel."""

    def __init__(self, width: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        # A tensor: Core ML's converter fails on a scalar that is added to a linear operator.
        self.register_buffer("epsilon", torch.full((1,), epsilon), persistent=False)
        # XNNPACK has no mean over the last axis of a sequence; a product with 1/W is one, and is delegated.
        self.register_buffer("average", torch.full((1, width), 1.0 / width), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        mean_square = F.linear(x * x, cast(Tensor, self.average))
        normed: Tensor = x * torch.rsqrt(mean_square + cast(Tensor, self.epsilon)) * self.weight
        return normed


class Attention(nn.Module):
    """Multi-head attention of [B, T, W] queries over [B, T, W] keys, of which only valid ones count."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of {heads} heads")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        # Without biases a stream that is wholly invalid contributes exactly nothing: 0 in, 0 out.
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, source: Tensor, source_valid: Tensor) -> Tensor:
        """[B, T, W]; `source_valid` is [B, T, 1], 0 or 1."""
        batch, slots, width = x.shape
        query, key = self._folded(self.query(x)), self._folded(self.key(source))
        value = self._folded(self.value(source) * source_valid)
        scores = torch.bmm(query * (width // self.heads) ** -0.5, key.transpose(1, 2))
        weights = masked_softmax(scores, self._mask(source_valid))
        mixed = torch.bmm(self.dropout(weights), value)
        mixed = mixed.view(batch, self.heads, slots, width // self.heads).transpose(1, 2)
        out: Tensor = self.output(mixed.reshape(batch, slots, width))
        return out

    def _folded(self, x: Tensor) -> Tensor:
        """[B, T, W] -> [B * heads, T, W / heads]."""
        batch, slots, width = x.shape
        split = x.view(batch, slots, self.heads, width // self.heads).transpose(1, 2)
        return split.reshape(batch * self.heads, slots, width // self.heads)

    def _mask(self, valid: Tensor) -> Tensor:
        """[B, T, 1] -> [B * heads, 1, T], or [1, 1, T] where one clip's mask serves every head."""
        batch, slots, _ = valid.shape
        row = valid.view(batch, 1, slots)
        return row if batch == 1 else row.repeat_interleave(self.heads, dim=0)


def masked_softmax(scores: Tensor, valid: Tensor) -> Tensor:
    """Softmax over the last axis of `scores` among the entries where `valid` (broadcastable, 0 or 1) is 1.

    Where nothing is valid the weights are finite and meaningless; the caller's values are 0 there.
    """
    # Adding -1e4 underflows to an exact 0 after the exponential as long as one entry is valid.
    return torch.softmax(scores + (valid - 1.0) * 1e4, dim=-1)


class Block(nn.Module):
    """Pre-norm attention and feed-forward, both with a residual. With `cross`, keys come from the other stream."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        norm = RMSNorm if config.norm == "rms" else nn.LayerNorm
        self.attention_norm = norm(config.width)
        self.attention = Attention(config.width, config.heads, config.dropout)
        self.feed_forward = nn.Sequential(
            norm(config.width),
            nn.Linear(config.width, config.feed_forward),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, config.width),
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, source: Tensor | None, source_valid: Tensor) -> Tensor:
        """[B, T, W] -> [B, T, W]; `source` None attends within `x`."""
        query = self.attention_norm(x)
        keys = query if source is None else self.attention_norm(source)
        x = x + self.dropout(self.attention(query, keys, source_valid))
        out: Tensor = x + self.dropout(self.feed_forward(x))
        return out


class Stream(nn.Module):
    """Projects one stream's embeddings, marks their place in time, lets its valid slots see one another."""

    def __init__(self, embed_dim: int, config: FusionConfig) -> None:
        super().__init__()
        self.project = nn.Linear(embed_dim, config.width)
        self.register_buffer("position", sinusoids(WINDOW, config.width), persistent=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))

    def forward(self, embeddings: Tensor, valid: Tensor) -> Tensor:
        """[B, T, D] and [B, T, 1] -> [B, T, W]."""
        x: Tensor = self.project(embeddings * valid) + self.position
        for block in self.blocks:
            x = block(x, None, valid)
        return x


class TemporalFusion(nn.Module):
    """Two streams of T embeddings and their validity -> 2 logits, index 1 = fake."""

    def __init__(self, embed_dim: int, config: FusionConfig) -> None:
        super().__init__()
        self.rgb = Stream(embed_dim, config)
        self.depth = Stream(embed_dim, config)
        self.rgb_from_depth = Block(config)
        self.depth_from_rgb = Block(config)
        self.head = nn.Linear(2 * config.width, 2)

    def forward(self, rgb: Tensor, depth: Tensor, face_valid: Tensor, depth_valid: Tensor) -> Tensor:
        """Logits [B, 2] of embeddings [B, T, D] and masks [B, T] (float, 0 or 1).

        What stands in an invalid slot (any finite value) never changes a logit.
        """
        rgb_mask, depth_mask = face_valid.unsqueeze(2), depth_valid.unsqueeze(2)
        rgb_slots, depth_slots = self.rgb(rgb, rgb_mask), self.depth(depth, depth_mask)
        pooled = torch.cat(
            [
                masked_mean(self.rgb_from_depth(rgb_slots, depth_slots, depth_mask), rgb_mask),
                masked_mean(self.depth_from_rgb(depth_slots, rgb_slots, rgb_mask), depth_mask),
            ],
            dim=1,
        )
        logits: Tensor = self.head(pooled)
        return logits


def masked_mean(x: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid slots: [B, T, W], [B, T, 1] -> [B, W]; 0 where no slot is valid."""
    # Products sum the slots: XNNPACK has them, and has no sum over the middle axis.
    row = valid.transpose(1, 2)
    total, count = torch.bmm(row, x), torch.bmm(row, valid)
    return (total / count.clamp(min=1.0)).flatten(1)


def sinusoids(slots: int, width: int) -> Tensor:
    """Sinusoidal positions [slots, width] (Vaswani et al., 2017, section 3.5)."""
    time = torch.arange(slots, dtype=torch.float32).unsqueeze(1)
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    out = torch.zeros(slots, width)
    out[:, 0::2] = torch.sin(time * rate)
    out[:, 1::2] = torch.cos(time * rate)
    return out
