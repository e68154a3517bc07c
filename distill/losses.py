"""The terms of the distillation: small float32 functions over batches."""

import torch
import torch.nn.functional as F
from torch import Tensor


def label_loss(logits: Tensor, is_fake: Tensor, smoothing: float = 0.05) -> Tensor:
    """Cross-entropy of logits [N, 2] against labels int64 [N] (1 = fake), with label smoothing."""
    return F.cross_entropy(logits.float(), is_fake, label_smoothing=smoothing)


def soft_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of softened logits [N, 2] (Hinton et al., 2015, "Distilling the Knowledge ...")."""
    student = F.log_softmax(logits.float() / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits.float() / temperature, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


def embedding_loss(embeddings: Tensor, teacher_embeddings: Tensor, valid: Tensor) -> Tensor:
    """1 - cosine between embeddings [N, D], averaged over the rows where `valid` [N] is 1; 0 where none is."""
    distance = 1 - F.cosine_similarity(embeddings.float(), teacher_embeddings.float(), dim=1)
    return (distance * valid).sum() / valid.sum().clamp(min=1.0)


def depth_loss(depth: Tensor, target: Tensor, valid: Tensor, scales: int = 3) -> Tensor:
    """Scale-and-shift-invariant depth error plus gradient matching, averaged over valid clips.

    `depth` and `target` are [N, T, H, W] (T maps of one clip share one scale and shift), `valid` [N] is 0 or 1.
    After Ranftl et al., "Towards Robust Monocular Depth Estimation", TPAMI 2022: both maps are brought to zero median
    and unit mean absolute deviation, then compared by mean absolute error and by the gradients of their difference.
    """
    difference = _normalised(depth.float()) - _normalised(target.float())
    loss = difference.abs().mean(dim=(1, 2, 3))
    for scale in range(scales):
        step = difference[..., :: 2**scale, :: 2**scale]
        across = (step[..., :, 1:] - step[..., :, :-1]).abs().mean(dim=(1, 2, 3))
        down = (step[..., 1:, :] - step[..., :-1, :]).abs().mean(dim=(1, 2, 3))
        loss = loss + 0.5 * (across + down) / scales
    return (loss * valid).sum() / valid.sum().clamp(min=1.0)


def _normalised(depth: Tensor) -> Tensor:
    flat = depth.flatten(1)
    centred = flat - flat.median(dim=1, keepdim=True).values
    spread = centred.abs().mean(dim=1, keepdim=True).clamp(min=1e-6)
    return (centred / spread).view_as(depth)


def depth_target(depth: Tensor, size: int) -> Tensor:
    """Average maps [..., S, S] down to [..., size, size]; S is a multiple of `size`."""
    flat = depth.reshape(-1, 1, *depth.shape[-2:]).float()
    return torch.nn.functional.avg_pool2d(flat, depth.shape[-1] // size).view(*depth.shape[:-2], size, size)
