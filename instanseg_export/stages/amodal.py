"""Masks that may overlap, and the label map in which the higher score wins."""

from functools import partial
from typing import List, NamedTuple  # noqa: UP035 -- TorchScript reads these

import torch
from torch import Tensor

from . import loops
from .queries import Queries
from .sentinels import no_owner
from .upsample import enlarge

__all__ = ["Instances", "full_masks", "label_instances"]


class Instances(NamedTuple):
    """What was found, image by image, and in each in the order of the labels.

    Attributes:
        labels: (B, H, W) int64; 0 is background.
        masks: (N, H, W) uint8, 0 and 1, whole: where they overlap too.
        score: (N,) float32.
        label: (N,) int64, the class.
        image: (N,) int64, place in the batch.
    """

    labels: Tensor
    masks: Tensor
    score: Tensor
    label: Tensor
    image: Tensor


def _masks_of_chunk(logits: Tensor, height: int, width: int, threshold: Tensor, chunk: Tensor) -> Tensor:
    rows = logits.index_select(0, chunk[:, 0])
    mask = enlarge(rows, height, width) > threshold
    return (mask & (chunk[:, 1] > 0)[:, None, None]).to(torch.uint8)


def full_masks(logits: Tensor, height: int, width: int, threshold: Tensor, length: int = 8) -> Tensor:
    """Enlarge masks to the image's size, a few at a time: only their bits are kept.

    Args:
        logits: (N, h, w) float32.
        height: of the image, at most 4 h.
        width: of the image, at most 4 w.
        threshold: scalar; pixels above this logit are in a mask.
        length: how many are in work at a time.

    Returns:
        (N, height, width) uint8.
    """
    count = logits.shape[0]
    # One map of nothing fills up the last chunk, which exists even when there are no masks.
    padded = torch.cat([logits, torch.zeros([1, logits.shape[1], logits.shape[2]], device=logits.device)])
    place = torch.arange((count // length + 1) * length, device=logits.device)
    chunks = torch.stack([place.clamp(max=count), (place < count).to(torch.int64)], dim=1).view(-1, length, 2)
    if torch.jit.is_scripting():
        done: List[Tensor] = []  # noqa: UP006
        for i in range(chunks.shape[0]):
            done.append(_masks_of_chunk(padded, height, width, threshold, chunks[i]))
        return torch.cat(done)[:count]
    else:
        step = partial(_masks_of_chunk, padded, height, width, threshold)
        return loops.map_rows(step, chunks).flatten(0, 1)[:count]


def _first_pixels(instance: Tensor, pixel: Tensor, count: int, width: int) -> Tensor:
    """Return where each instance's first pixel in raster order lies in its image; beyond all pixels if it has none.

    Args:
        instance: (M,) int64, of each pixel.
        pixel: (M,) int64, in the image.
        count: of instances.
        width: of the image.
    """
    # By row, then column: float32 holds those exactly, and integers are not reduced alike everywhere.
    nowhere = torch.full([count], no_owner(), device=instance.device)
    row = torch.div(pixel, width, rounding_mode="floor")
    top = nowhere.scatter_reduce(0, instance, row.to(torch.float32), "amin", include_self=True)
    in_top = row.to(torch.float32) == top.index_select(0, instance)
    column = torch.where(in_top, (pixel - row * width).to(torch.float32), torch.full_like(top[:1], no_owner()))
    left = nowhere.scatter_reduce(0, instance, column, "amin", include_self=True)
    return top.to(torch.int64) * width + torch.where(left < no_owner(), left, torch.zeros_like(left)).to(torch.int64)


def label_instances(found: Queries, masks: Tensor, batch: int, min_size: Tensor) -> Instances:
    """Paint the masks into label maps, the best on top, and number the instances.

    In each image the labels run from 1 without gaps, in raster order of the first pixel that shows in the label map.
    Instances that lie wholly under better ones have masks and scores too; they come after those that show, in raster
    order of their masks' first pixels, so that row r always belongs to label r + 1.

    Args:
        found: in the order of falling scores in each image.
        masks: (N, H, W) uint8.
        batch: how many images there are.
        min_size: scalar; instances whose masks have fewer pixels are dropped, and empty ones.
    """
    count, height, width = masks.shape[0], masks.shape[1], masks.shape[2]
    pixels = height * width
    device = masks.device
    flat = masks.flatten(1)
    pairs = torch.nonzero(flat)
    instance, pixel = pairs[:, 0], pairs[:, 1]
    none = torch.zeros([count], device=device)
    area = none.scatter_add(0, instance, torch.ones_like(instance, dtype=torch.float32))
    large = (area >= min_size) & (area > 0.0)

    place = found.image.index_select(0, instance) * pixels + pixel
    rank = instance.to(torch.float32)
    claim = torch.where(large.index_select(0, instance), rank, torch.full_like(rank, no_owner()))
    unowned = torch.full([batch * pixels], no_owner(), device=device)
    owner = unowned.scatter_reduce(0, place, claim, "amin", include_self=True)
    shows = torch.nonzero(owner.index_select(0, place) == rank)[:, 0]

    first_shown = _first_pixels(instance.index_select(0, shows), pixel.index_select(0, shows), count, width)
    first = _first_pixels(instance, pixel, count, width)
    shown = none.scatter_add(0, instance.index_select(0, shows), torch.ones_like(shows, dtype=torch.float32)) > 0.0
    layer = found.image * 2 + torch.where(shown, torch.zeros_like(found.image), torch.ones_like(found.image))
    # Images have at most 2**30 pixels, and all together at most 2**20 instances.
    kept = torch.nonzero(large)[:, 0]
    key = (layer * pixels + torch.where(shown, first_shown, first)) * (count + 1) + torch.arange(count, device=device)
    order = kept.index_select(0, torch.argsort(key.index_select(0, kept)))

    image = found.image.index_select(0, order)
    per_image = torch.zeros([batch], device=device).scatter_add(0, image, torch.ones_like(image, dtype=torch.float32))
    before = (per_image.cumsum(0) - per_image).to(torch.int64)
    number = torch.arange(1, order.shape[0] + 1, device=device) - before.index_select(0, image)
    number_of = none.scatter_add(0, order, number.to(torch.float32))
    # The first entry stands for background.
    number_of = torch.cat([torch.zeros([1], device=device), number_of]).to(torch.int64)
    painted = torch.where(owner < no_owner(), owner + 1.0, torch.zeros_like(owner)).to(torch.int64)
    return Instances(
        labels=number_of.index_select(0, painted).view(batch, height, width),
        masks=masks.index_select(0, order),
        score=found.score.index_select(0, order),
        label=found.label.index_select(0, order),
        image=image,
    )
