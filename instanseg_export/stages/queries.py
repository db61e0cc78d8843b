"""Object queries: how certain the network is of each, and which of them are kept."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from . import loops
from .exact import exp, sigmoid
from .sentinels import huge

__all__ = ["Queries", "inside_image", "keep_queries", "suppress_duplicates"]


class Queries(NamedTuple):
    """The N queries that are kept, image by image, and in each by falling score.

    Attributes:
        image: (N,) int64, place in the batch.
        query: (N,) int64.
        label: (N,) int64, the class.
        score: (N,) float32.
        logits: (N, pixels) float32, of their masks, at the network's resolution.
    """

    image: Tensor
    query: Tensor
    label: Tensor
    score: Tensor
    logits: Tensor


def inside_image(masks: Tensor, height: int, width: int) -> Tensor:
    """Flatten masks at a quarter of the resolution and take what lies in the padding out of them.

    Args:
        masks: (B, Q, h, w) float32 logits of a padded image.
        height: of the image, at most 4 h.
        width: of the image, at most 4 w.

    Returns:
        (B, Q, h * w); pixels of which nothing lies in the image have -huge().
    """
    columns = masks.shape[3]
    place = torch.arange(masks.shape[2] * columns, device=masks.device)
    row = torch.div(place, columns, rounding_mode="floor")
    inside = (row * 4 < height) & ((place - row * columns) * 4 < width)
    flat = masks.flatten(2)
    return torch.where(inside, flat, torch.full_like(flat, -huge()))


def class_probabilities(classes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the probability of each query's likeliest class by softmax, and that class; "no object" is none.

    Args:
        classes: (B, Q, K + 1) float32 logits, the last for "no object".

    Returns:
        (B, Q) float32 and (B, Q) int64; of equal logits the first counts.
    """
    kinds = classes.shape[2] - 1
    best = classes[:, :, 0]
    label = torch.zeros_like(best, dtype=torch.int64)
    for kind in range(1, kinds):
        better = classes[:, :, kind] > best
        best = torch.where(better, classes[:, :, kind], best)
        label = torch.where(better, torch.full_like(label, kind), label)
    largest = torch.maximum(best, classes[:, :, kinds])
    # Term by term, for the order of a reduction differs between runtimes.
    total = exp(classes[:, :, 0] - largest)
    for kind in range(1, kinds + 1):
        total = total + exp(classes[:, :, kind] - largest)
    return exp(best - largest) / total, label


def maskness(logits: Tensor, threshold: Tensor) -> Tensor:
    """Return the mean probability of each mask's own pixels (Cheng et al. 2022, which IAUNet's equation 17 cites).

    Equation 17 divides by the whole image, which would rank masks by their area. Probabilities are rounded to 1/65536,
    so that their sum has no order.

    Args:
        logits: (N, pixels) float32.
        threshold: scalar; pixels above this logit are in the mask.

    Returns:
        (N,) float32; 0 for an empty mask.
    """
    inside = (logits > threshold).to(torch.int64)
    steps = torch.round(sigmoid(logits) * 65536.0).to(torch.int64) * inside
    total, area = steps.sum(dim=1), inside.sum(dim=1)
    return total.to(torch.float32) / (area * 65536).clamp(min=1).to(torch.float32)


def _descending(image: Tensor, score: Tensor, query: Tensor, queries: int) -> Tensor:
    """Return the order by image, falling score and query; scores lie in [0, 1]."""
    whole = 1099511627776  # 2 ** 40
    steps = whole - (score * 1099511627776.0).to(torch.int64)
    # Unique keys, for no runtime promises an order among equal ones.
    return torch.argsort((image * (whole + 1) + steps) * queries + query)


def keep_queries(masks: Tensor, classes: Tensor, score_threshold: Tensor, threshold: Tensor) -> Queries:
    """Score the queries by class probability times maskness (IAUNet, equation 18) and keep the certain ones.

    A mask's mean probability is at most 1, so what fails by its class alone is dropped before any mask is looked at.

    Args:
        masks: (B, Q, pixels) float32 logits.
        classes: (B, Q, K + 1) float32 logits, the last for "no object".
        score_threshold: scalar that a score must exceed.
        threshold: scalar; pixels above this logit are in a mask.
    """
    queries = masks.shape[1]
    probability, label = class_probabilities(classes)
    hopeful = torch.nonzero(probability.flatten() > score_threshold)[:, 0]
    logits = masks.flatten(0, 1).index_select(0, hopeful)
    score = probability.flatten().index_select(0, hopeful) * maskness(logits, threshold)
    certain = torch.nonzero((score > score_threshold) & (score > 0.0))[:, 0]
    place = hopeful.index_select(0, certain)
    image = torch.div(place, queries, rounding_mode="floor")
    order = _descending(image, score.index_select(0, certain), place - image * queries, queries)
    place = place.index_select(0, order)
    image = image.index_select(0, order)
    certain = certain.index_select(0, order)
    return Queries(
        image=image,
        query=place - image * queries,
        label=label.flatten().index_select(0, place),
        score=score.index_select(0, certain),
        logits=logits.index_select(0, certain),
    )


def _yield_to_kept(rivals: Tensor, kept: Tensor, changes: Tensor) -> tuple[Tensor, Tensor]:
    beaten = (rivals * kept[:, None]).sum(dim=0)
    remaining = (beaten == 0).to(torch.float32)
    return remaining, (remaining != kept).to(torch.int64).sum()


def _any_change(kept: Tensor, changes: Tensor) -> Tensor:
    return changes > 0


def suppress_duplicates(found: Queries, threshold: Tensor, overlap_threshold: Tensor) -> Queries:
    """Drop a mask that overlaps a kept one of the same class and a higher score: non-maximum suppression of masks.

    Each mask's fate depends on those before it alone, so repeating the rule for all at once until nothing changes
    gives what a pass from the best to the last would.

    Args:
        found: of :func:`keep_queries`.
        threshold: scalar; pixels above this logit are in a mask.
        overlap_threshold: scalar; a mask is a duplicate when their IoU exceeds it. From 1 on there are none.
    """
    bits = (found.logits > threshold).to(torch.float32)
    # Sums of zeros and ones are exact in any order.
    shared = torch.matmul(bits, bits.t())
    area = bits.sum(dim=1)
    union = area[:, None] + area[None] - shared
    place = torch.arange(bits.shape[0], device=bits.device)
    rivals = (
        (shared > overlap_threshold * union)
        & (found.image[:, None] == found.image[None])
        & (found.label[:, None] == found.label[None])
        & (place[:, None] < place[None])
    ).to(torch.float32)
    kept = torch.ones_like(area)
    changes = torch.ones([], dtype=torch.int64, device=bits.device)
    if torch.jit.is_scripting():
        while bool(_any_change(kept, changes)):
            kept, changes = _yield_to_kept(rivals, kept, changes)
    else:
        kept, changes = loops.while_true(_any_change, partial(_yield_to_kept, rivals), (kept, changes))
    rest = torch.nonzero(kept)[:, 0]
    return Queries(
        image=found.image.index_select(0, rest),
        query=found.query.index_select(0, rest),
        label=found.label.index_select(0, rest),
        score=found.score.index_select(0, rest),
        logits=found.logits.index_select(0, rest),
    )
