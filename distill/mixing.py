"""Styles lent from one clip of a batch to another, so that no camera's style tells a trunk what is forged."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta

from core.models.backbone import Trunk
from distill.data import Batch

_EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class StyleMixing:
    """Mean and deviation of early feature maps, mixed with those of other clips (Zhou et al., "MixStyle", ICLR 2021).

    In them lies what a camera and a light make of a whole picture. Unlike in the paper, a real clip and its forged twin
    are changed by the same amounts, so that what they differ by stays between them, and only real clips lend.
    """

    share: float = 0.5
    """Of the times that a batch passes one of the two places."""
    concentration: float = 0.1
    """Of the Beta distribution that says how much of its own style a clip keeps: below 1 mostly nearly all or none."""

    @contextmanager
    def applied_to(self, trunk: Trunk, batch: Batch) -> Iterator[None]:
        """While it is open, `trunk` mixes after its stem and its first stage. Drawn from torch's CPU generator."""
        slots = batch.slots.shape[1]

        def mix(_module: object, _given: object, features: Tensor) -> Tensor | None:
            if torch.rand(()) >= self.share:
                return None
            owner, lender, kept = (_of_frames(row, slots).to(features.device) for row in self.drawn(batch))
            return mixed_style(features, owner=owner, lender=lender, kept=kept)

        handles = [place.register_forward_hook(mix) for place in (trunk.stem, trunk.stages[0])]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def drawn(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """(owner int64 [N], lender int64 [N], kept float32 [N]) of a batch's clips, as `mixed_style` takes them.

        A twin's owner is its original. Where no clip is real, each lends to itself.
        """
        clips = torch.arange(len(batch.is_fake))
        owner = clips.clone()
        originals, twins = batch.pairs.cpu().unbind(dim=1)
        owner[twins] = originals
        lenders = torch.nonzero(batch.is_fake.cpu() == 0).flatten()
        lender = lenders[torch.randint(len(lenders), clips.shape)][owner] if len(lenders) else owner
        kept = Beta(self.concentration, self.concentration).sample(clips.shape)[owner]
        return owner, lender, kept


def mixed_style(features: Tensor, *, owner: Tensor, lender: Tensor, kept: Tensor) -> Tensor:
    """`features` [N, C, H, W] with the mean and the deviation over space of each channel changed.

    A row is moved and stretched by what its `owner` [N] needs to reach `kept` [N] of its own style and the rest of
    that of its `lender` [N], both rows of `features`. No gradient goes through styles.
    """
    values = features.float()
    mean = values.detach().mean(dim=(2, 3), keepdim=True)
    deviation = (values.detach().var(dim=(2, 3), keepdim=True, correction=0) + _EPSILON).sqrt()
    share = kept.view(-1, 1, 1, 1)
    new_mean = torch.lerp(mean[lender], mean[owner], share)
    new_deviation = torch.lerp(deviation[lender], deviation[owner], share)
    # Both places give the sums of batch norms, not what an activation left: no channel of an original is dead.
    stretched = (values - mean[owner]) * (new_deviation / deviation[owner]) + new_mean
    return stretched.to(features.dtype)


def _of_frames(of_clips: Tensor, slots: int) -> Tensor:
    """From clips to their frames, `slots` of which stand one after the other: rows become rows, shares repeat."""
    if of_clips.is_floating_point():
        return of_clips.repeat_interleave(slots)
    return (of_clips[:, None] * slots + torch.arange(slots)).flatten()
