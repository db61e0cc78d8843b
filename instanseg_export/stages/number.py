"""Number the instances: keep one part of each, drop the small ones and close the gaps."""

import torch
from torch import Tensor

from .parts import find_parts, largest_parts
from .sentinels import no_owner

__all__ = ["close_gaps", "close_gaps_of_images", "largest_label", "number_instances"]


def number_instances(
    owner: Tensor, root: Tensor, planes: int, height: int, width: int, min_size: Tensor, connected: Tensor
) -> tuple[Tensor, Tensor]:
    """Turn owners into instances, numbered from 1 through all planes in raster order of their first seeds.

    Args:
        owner: (P * H * W,) float32 of :func:`stages.paint.paint`.
        root: (K,) int64 of :func:`stages.merge.merge_overlapping`.
        planes: P.
        height: H.
        width: W.
        min_size: scalar; instances of which fewer pixels are left are dropped.
        connected: bool scalar, whether to take from each instance what is not connected to its largest part: where
            masks overlap the more certain one cuts pieces off the others.

    Returns:
        (P * H * W,) int64, 0 for background; and (K + 1,) int64, the place of the first seed of each number.
    """
    count = root.shape[0]
    # The last entry stands for background.
    first = torch.cat([root + 1, torch.zeros_like(root[:1])]).to(torch.int32)
    seed = torch.where(owner < no_owner(), owner, torch.full([1], count, dtype=torch.float32, device=owner.device))
    instance = first.index_select(0, seed.to(torch.int32))
    parts = find_parts(instance.view(planes, height, width))
    left = (largest_parts(parts, count + 1) | ~connected) & (parts.instance > 0)

    area = (parts.after - parts.first_pixel).to(torch.float32) * left.to(torch.float32)
    area = torch.zeros([count + 1], device=owner.device).scatter_add(0, parts.instance, area)
    kept = ((area >= min_size) & (area > 0)).to(torch.int64)
    number = kept.cumsum(0) * kept
    labels = (number.index_select(0, parts.instance) * left.to(torch.int64)).index_select(0, parts.run)
    # Dropped seeds all write to number 0, which nobody reads; the maximum makes the result independent of their order.
    place = (torch.arange(count + 1, device=owner.device) - 1).clamp(min=0)
    first_seed = torch.zeros([count + 1], dtype=torch.float32, device=owner.device)
    first_seed = first_seed.scatter_reduce(0, number, place.to(torch.float32), "amax", include_self=True)
    return labels, first_seed.to(torch.int64)


def close_gaps(labels: Tensor, group_of: Tensor, groups: int) -> Tensor:
    """Renumber instances from 1 without gaps within each group, in the order that they have.

    Args:
        labels: (pixels,) int64, 0 for background; a number belongs to one group only, and rises with the group.
        group_of: (N,) int64, the group of each number; N exceeds the largest number.
        groups: how many groups there are.

    Returns:
        (pixels,) int64.
    """
    count = torch.zeros([group_of.shape[0]], device=labels.device)
    count = count.scatter_add(0, labels, (labels > 0).to(torch.float32))
    present = (count > 0).to(torch.int64)
    in_group = torch.zeros([groups], device=labels.device).scatter_add(0, group_of, present.to(torch.float32))
    before_group = (in_group.cumsum(0) - in_group).to(torch.int64)
    number = (present.cumsum(0) - before_group.index_select(0, group_of)) * present
    return number.index_select(0, labels)


def close_gaps_of_images(labels: Tensor) -> Tensor:
    """Renumber instances from 1 without gaps in each image, in the order that they have, after some were lost.

    Args:
        labels: (B, T, H, W) float32, integer-valued, 0 for background.

    Returns:
        (B, T, H, W) float32; an id is counted over all structures together.
    """
    batch = labels.shape[0]
    slots = largest_label(labels) + 1
    image = torch.arange(batch, device=labels.device)
    number = labels.to(torch.int64)
    number = (number + image[:, None, None, None] * slots) * (number > 0).to(torch.int64)
    group_of = image[:, None].expand(batch, slots).flatten()
    return close_gaps(number.flatten(), group_of, batch).to(torch.float32).view(labels.shape)


def largest_label(labels: Tensor) -> int:
    """Return the largest value of a label map with at least one pixel, as a size that tensors can have."""
    if torch.jit.is_scripting():
        return int(labels.max().item())
    else:
        # Not int(...), which would fix the size at export.
        size = labels.max().to(torch.int64).item()
        torch._check(size >= 0)
        return size  # type: ignore[return-value]
