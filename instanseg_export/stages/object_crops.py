"""Objects of a label map, and a crop of the image around each one with the object's mask as its last channel."""

from typing import NamedTuple

import torch
from torch import Tensor

from .number import largest_label
from .sentinels import huge

__all__ = ["Objects", "chunk_objects", "crop_objects", "list_objects", "pixel_table", "rows_of_images"]


class Objects(NamedTuple):
    """The objects of a batch of label maps.

    Attributes:
        table: (K, 4) int64: image, label, and row and column of the centre; by image, then by label.
        place: (B, N) int64, where each label from 1 to N lies in ``table``; 0 where the image has no such object.
        present: (B, N) bool, whether it has.
    """

    table: Tensor
    place: Tensor
    present: Tensor


def list_objects(labels: Tensor) -> Objects:
    """Find every object of a batch of label maps and its centre of mass, rounded down to a pixel.

    Args:
        labels: (B, H, W) float32, integer-valued: 0 is background, ids run from 1.
    """
    batch, height, width = labels.shape
    device = labels.device
    slots = largest_label(labels) + 1
    image = torch.arange(batch, device=device)[:, None, None] * slots
    slot = (labels.to(torch.int64) + image).flatten()
    zeros = torch.zeros([batch * slots], device=device)
    area = zeros.scatter_add(0, slot, torch.ones_like(slot, dtype=torch.float32))
    pixels = area.clamp(min=1.0).to(torch.int64)
    row = torch.arange(height, device=device).to(torch.float32)[:, None].expand(batch, height, width).flatten()
    column = torch.arange(width, device=device).to(torch.float32).expand(batch, height, width).flatten()
    centre = []
    for position in (row, column):
        first = torch.full_like(zeros, huge()).scatter_reduce(0, slot, position, "amin", include_self=True)
        # Sums from the object's own first row stay whole numbers that float32 holds.
        beyond = zeros.scatter_add(0, slot, position - first.index_select(0, slot))
        first = torch.where(area > 0, first, zeros)
        centre.append(first.to(torch.int64) + torch.div(beyond.to(torch.int64), pixels, rounding_mode="floor"))

    present = (area.view(batch, slots) > 0)[:, 1:]
    found = torch.nonzero(present)
    slot = found[:, 0] * slots + found[:, 1] + 1
    table = torch.stack(
        [found[:, 0], found[:, 1] + 1, centre[0].index_select(0, slot), centre[1].index_select(0, slot)], dim=1
    )
    place = (present.flatten().to(torch.int64).cumsum(0) - 1).clamp(min=0).view(batch, slots - 1)
    return Objects(table, place, present)


def chunk_objects(table: Tensor, length: int) -> Tensor:
    """Arrange objects (K, 4) in chunks (N, length, 4), at least one; the last is filled up with zeros."""
    count = table.shape[0]
    chunks = count // length + 1
    filling = torch.zeros([chunks * length - count, 4], dtype=torch.int64, device=table.device)
    return torch.cat([table, filling]).view(-1, length, 4)


def pixel_table(image: Tensor, labels: Tensor) -> Tensor:
    """Arrange images and label maps by pixel, the order in which gathering crops is fastest.

    Args:
        image: (B, C, H, W) float32.
        labels: (B, H, W) float32.

    Returns:
        (B * H * W, C + 1), the label last.
    """
    return torch.cat([image, labels[:, None]], dim=1).permute(0, 2, 3, 1).flatten(0, 2)


def _corner(centre: Tensor, size: int, length: int) -> Tensor:
    room = torch.full([1], length - size, dtype=torch.int64, device=centre.device)
    corner = torch.minimum(torch.maximum(centre - size // 2, room.clamp(max=0)), room.clamp(min=0))
    return corner


def crop_objects(table: Tensor, chunk: Tensor, size: int, height: int, width: int) -> Tensor:
    """Cut a crop around each object of a chunk.

    A crop is centred on its object and moved as little as it takes to lie inside of the image, as when InstanSeg's
    classifiers are trained. Around an image smaller than a crop there are zeros.

    Args:
        table: (B * H * W, C + 1) of :func:`pixel_table`.
        chunk: (n, 4) int64: image, label, and row and column of the centre.
        size: rows and columns of a crop.
        height: of the image.
        width: of the image.

    Returns:
        (n, C + 1, size, size) float32, channels last in memory: the image, then 1 where the object is.
    """
    along = torch.arange(size, device=chunk.device)
    rows = _corner(chunk[:, 2], size, height)[:, None] + along
    columns = _corner(chunk[:, 3], size, width)[:, None] + along
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    row = chunk[:, 0:1] * height + rows.clamp(min=0, max=height - 1)
    pixel = row[:, :, None] * width + columns.clamp(min=0, max=width - 1)[:, None, :]
    values = table.index_select(0, pixel.flatten()).view(-1, size, size, table.shape[1])
    mask = (values[:, :, :, -1:] == chunk[:, 1].to(torch.float32)[:, None, None, None]).to(torch.float32)
    crops = torch.cat([values[:, :, :, :-1], mask], dim=3) * inside[:, :, :, None].to(torch.float32)
    return crops.permute(0, 3, 1, 2)


def rows_of_images(values: Tensor, objects: Objects) -> Tensor:
    """Arrange what was computed per object by image and label.

    Args:
        values: (at least max(K, 1), F), row k for object k.
        objects: of :func:`list_objects`.

    Returns:
        (B, N, F): row r of an image belongs to its label r + 1, and is 0 where the image has no such label.
    """
    batch, count = objects.place.shape
    rows = values.index_select(0, objects.place.flatten()).view(batch, count, values.shape[1])
    return rows * objects.present[:, :, None].to(values.dtype)
