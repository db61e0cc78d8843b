"""Keep one connected part of each instance after numbering: matching and another pixel size can leave several."""

import torch
from torch import Tensor

from .number import largest_label
from .parts import find_parts, largest_parts

__all__ = ["connected_cells", "connected_labels"]


def connected_cells(nuclei: Tensor, cells: Tensor, count: int, min_size: Tensor, enabled: Tensor) -> Tensor:
    """Take from each cell what is not connected to its nucleus, or to its largest part if it has none.

    Nuclei are written over cells, and so one can cut its neighbour's cell in two.

    Args:
        nuclei: (B, H, W) int64, 0 for background, each connected.
        cells: (B, H, W) int64, likewise; a cell has the number of its nucleus, and holds it. A number is found in one
            image only.
        count: exceeds the largest number.
        min_size: scalar; cells of which fewer pixels are left are dropped.
        enabled: bool scalar; False leaves all cells.

    Returns:
        (B, H, W) cells, int64.
    """
    parts = find_parts(cells.to(torch.int32))
    kept = largest_parts(parts, count, (nuclei == cells) & (nuclei > 0))
    area = (parts.after - parts.first_pixel).to(torch.float32) * kept.to(torch.float32)
    area = torch.zeros([count], device=cells.device).scatter_add(0, parts.instance, area)
    kept = kept & (area >= min_size).index_select(0, parts.instance)
    number = parts.instance * (kept | ~enabled).to(torch.int64)
    return number.index_select(0, parts.run).view(cells.shape)


def connected_labels(labels: Tensor, matched: Tensor, enabled: Tensor) -> Tensor:
    """Take from each instance of a finished label map what is not connected to its largest part.

    Args:
        labels: (B, T, H, W) float32, integer-valued, 0 for background; T is 1 or 2, nuclei before cells.
        matched: bool scalar, whether a cell has the number of its nucleus, to which it stays connected.
        enabled: bool scalar; False leaves the labels alone.

    Returns:
        (B, T, H, W) float32, with gaps where instances were lost.
    """
    batch, structures = labels.shape[0], labels.shape[1]
    slots = largest_label(labels) + 1
    image = torch.arange(batch, device=labels.device) * slots
    number = (labels.to(torch.int64) + image[:, None, None, None]) * (labels > 0).to(torch.int64)
    none = torch.zeros([], dtype=torch.int64, device=labels.device)
    kept = connected_cells(torch.zeros_like(number[:, 0]), number[:, 0], batch * slots, none, enabled)[:, None]
    if structures == 2:
        # Unmatched, a number says nothing of the other structure.
        nuclei = kept[:, 0] * matched.to(torch.int64)
        cells = connected_cells(nuclei, number[:, 1], batch * slots, none, enabled)
        kept = torch.stack([kept[:, 0], cells], dim=1)
    return labels * (kept > 0).to(torch.float32)
