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
    return _valid_mean(distance, valid)


def relation_loss(embeddings: Tensor, teacher_embeddings: Tensor, valid: Tensor) -> Tensor:
    """How far embeddings [N, D] lie to one another otherwise than the teacher's [N, D'] do; the widths may differ.

    The distance-wise term plus twice the angle-wise term over the rows where `valid` [N] is 1 (Park et al., "Relational
    Knowledge Distillation", CVPR 2019). A pair takes 2 rows and an angle 3: with fewer the term is 0. Memory grows with
    the number of rows cubed.
    """
    rows = valid > 0
    student, teacher = embeddings.float()[rows], teacher_embeddings.float()[rows]
    return distance_relation_loss(student, teacher) + 2.0 * angle_relation_loss(student, teacher)


def distance_relation_loss(embeddings: Tensor, teacher_embeddings: Tensor) -> Tensor:
    """Huber loss between the distances of all pairs of rows [N, D] and [N, D'], each over their mean."""
    if len(embeddings) < 2:
        return 0.0 * embeddings.sum()
    return F.huber_loss(_relative_distances(embeddings), _relative_distances(teacher_embeddings))


def angle_relation_loss(embeddings: Tensor, teacher_embeddings: Tensor) -> Tensor:
    """Huber loss between the cosines of the angles in all triplets of rows [N, D] and [N, D']."""
    count = len(embeddings)
    if count < 3:
        return 0.0 * embeddings.sum()
    apart = ~torch.eye(count, dtype=torch.bool, device=embeddings.device)
    triplets = apart.triu() & apart.unsqueeze(1) & apart.unsqueeze(2)
    return F.huber_loss(_cosines(embeddings)[triplets], _cosines(teacher_embeddings)[triplets])


def _relative_distances(rows: Tensor) -> Tensor:
    first, second = torch.triu_indices(len(rows), len(rows), offset=1, device=rows.device)
    distances: Tensor = torch.linalg.vector_norm(rows[first] - rows[second], dim=1)
    return distances / distances.mean().clamp(min=1e-6)


def _cosines(rows: Tensor) -> Tensor:
    """[N, N, N]: at [j, i, k] the cosine of the angle at row j between rows i and k; 0 where one of them is row j."""
    arms = rows.unsqueeze(0) - rows.unsqueeze(1)
    # The bound keeps gradients finite where two rows coincide and the arm between them has no direction.
    directions = arms / torch.linalg.vector_norm(arms, dim=2, keepdim=True).clamp(min=1e-6)
    with torch.autocast(rows.device.type, enabled=False):
        cosines: Tensor = torch.bmm(directions, directions.transpose(1, 2))
    return cosines


def ranking_loss(fake_scores: Tensor, real_scores: Tensor) -> Tensor:
    """softplus(real - fake), averaged over P pairs; 0 where there is none.

    Scores [P] are logit 1 minus logit 0, of a fake and of the real frame that it is to be ranked above (Burges et al.,
    "Learning to Rank using Gradient Descent", ICML 2005).
    """
    return F.softplus(real_scores.float() - fake_scores.float()).sum() / max(1, len(fake_scores))


def forged_area_loss(logits: Tensor, masks: Tensor, valid: Tensor) -> Tensor:
    """Binary cross-entropy of where a face was forged, averaged over the valid frames; 0 where none is.

    `logits` are [N, T, h, w]; `masks` [N, T, H, W] (0 = untouched, any unit; H a multiple of h) are averaged over each
    cell and brought to a largest value of 1 over a clip's valid frames, so that a faint forgery counts as much as a
    strong one; a real clip's stay 0. `valid` [N, T] is 1 where the mask is known ([N] for single frames, T = 1). The
    idea is Li et al., "Face X-ray for More General Face Forgery Detection", CVPR 2020.
    """
    assert masks.shape[-1] % logits.shape[-1] == 0
    known = valid.float().view(*logits.shape[:2], 1, 1)
    share = F.adaptive_avg_pool2d(masks.float(), (logits.shape[2], logits.shape[3])) * known
    wanted = share / share.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
    entropy = F.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none").mean(dim=(2, 3))
    return _valid_mean(entropy, known.flatten(1))


def depth_loss(depth: Tensor, target: Tensor, valid: Tensor, scales: int = 3) -> Tensor:
    """Scale-and-shift-invariant depth error plus gradient matching, averaged over the clips with a valid frame.

    `depth` and `target` are [N, T, H, W], T maps of one clip; `valid` [N, T] is 0 or 1, and what stands in an invalid
    map counts nowhere. After Ranftl et al., "Towards Robust Monocular Depth Estimation", TPAMI 2022: each clip is
    brought to zero median and unit mean absolute deviation; then half of the mean absolute difference counts, and half
    of the mean gradients of the difference, across and down, summed over `scales` of which each halves the one before.
    """
    assert min(depth.shape[-2:]) > 2 ** (scales - 1), "the coarsest map has no gradient"
    difference = _normalised(depth.float(), valid) - _normalised(target.float(), valid)
    loss = 0.5 * _clip_mean(difference.abs(), valid)
    for scale in range(scales):
        step = difference[..., :: 2**scale, :: 2**scale]
        across = (step[..., :, 1:] - step[..., :, :-1]).abs()
        down = (step[..., 1:, :] - step[..., :-1, :]).abs()
        loss = loss + 0.5 * (_clip_mean(across, valid) + _clip_mean(down, valid))
    return loss.sum() / valid.amax(dim=1).sum().clamp(min=1.0)


def _normalised(depth: Tensor, valid: Tensor) -> Tensor:
    """Each clip of [N, T, H, W] at zero median and unit mean absolute deviation over its valid frames."""
    shown = (valid > 0)[:, :, None, None]
    depth = torch.where(shown, depth, 0.0)
    # Sorted, since no backend but the CPU's and CUDA's has a median that leaves values out.
    ordered = torch.where(shown, depth, torch.inf).flatten(1).sort(dim=1).values
    count = shown.sum(dim=(1, 2, 3)) * depth.shape[2] * depth.shape[3]
    median = ordered.gather(1, (count.unsqueeze(1) - 1).clamp(min=0) // 2)
    centred = depth - torch.where(count.unsqueeze(1) > 0, median, 0.0)[:, :, None, None]
    spread = _clip_mean(centred.abs(), valid).clamp(min=1e-6)
    return centred / spread[:, None, None, None]


def _clip_mean(maps: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid frames of each clip: [N, T, H, W], [N, T] -> [N]; 0 where no frame is valid."""
    return (maps.mean(dim=(2, 3)) * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1.0)


def _valid_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of `values` where `valid`, of the same shape, is 1; 0 where none is."""
    return (values * valid).sum() / valid.sum().clamp(min=1.0)


def depth_target(depth: Tensor, size: int) -> Tensor:
    """Average maps [..., S, S] down to [..., size, size]; S is a multiple of `size`."""
    flat = depth.reshape(-1, 1, *depth.shape[-2:]).float()
    return F.avg_pool2d(flat, depth.shape[-1] // size).view(*depth.shape[:-2], size, size)
