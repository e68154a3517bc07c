"""Looks lent from one clip of a batch to another, so that no look tells a trunk what is forged."""

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

    In them lies what a camera and a light make of a whole picture. A real clip and its forged twin are changed by the
    same amounts, so that what they differ by stays between them.
    """

    share: float = 0.5
    """Of the times that a batch passes one of the two places."""
    concentration: float = 0.1
    """Of the Beta distribution that says how much is lent: below 1 mostly nearly nothing or nearly all."""

    @contextmanager
    def of(self, trunk: Trunk, batch: Batch) -> Iterator[None]:
        """While it is open, `trunk` mixes after its stem and its first stage. Drawn from torch's generator."""
        count, slots = batch.slots.shape
        owner = torch.arange(count)
        originals, twins = batch.pairs.cpu().unbind(dim=1)
        owner[twins] = originals
        lenders = torch.nonzero(batch.is_fake.cpu() == 0).flatten()

        def mix(_module: object, _given: object, features: Tensor) -> Tensor | None:
            if not len(lenders) or torch.rand(()) >= self.share:
                return None
            lender = lenders[torch.randint(len(lenders), (count,))][owner]
            kept = Beta(self.concentration, self.concentration).sample((count,))[owner]
            return mixed_style(
                features,
                owner=_frames(owner, slots).to(features.device),
                lender=_frames(lender, slots).to(features.device),
                kept=kept.repeat_interleave(slots).to(features.device),
            )

        handles = [place.register_forward_hook(mix) for place in (trunk.stem, trunk.stages[0])]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def mixed_style(features: Tensor, *, owner: Tensor, lender: Tensor, kept: Tensor) -> Tensor:
    """`features` [N, C, H, W] with each channel moved and stretched as it takes to give the owner's a mixed look.

    The look of a row is the mean and the deviation of each channel over space; it becomes `kept` [N] of that of row
    `owner` [N] and the rest of that of row `lender` [N]. No gradient goes through looks.
    """
    values = features.float()
    mean = values.detach().mean(dim=(2, 3), keepdim=True)
    deviation = (values.detach().var(dim=(2, 3), keepdim=True, correction=0) + _EPSILON).sqrt()
    share = kept.view(-1, 1, 1, 1)
    new_mean = torch.lerp(mean[lender], mean[owner], share)
    new_deviation = torch.lerp(deviation[lender], deviation[owner], share)
    stretched = (values - mean[owner]) * (new_deviation / deviation[owner]) + new_mean
    return stretched.to(features.dtype)


def _frames(clips: Tensor, slots: int) -> Tensor:
    """The rows of each clip's frames, where `slots` of them stand one after the other."""
    return (clips[:, None] * slots + torch.arange(slots)).flatten()
