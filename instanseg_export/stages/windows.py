"""Windows: the square around each seed in which its instance is sought."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["WindowGrid", "Windows", "chunk_seeds", "open_windows", "window_corners"]


class WindowGrid(NamedTuple):
    """The planes that windows lie on, and their size; in pixels.

    Attributes:
        half: half a window's width.
        height: of a plane.
        width: of a plane.
    """

    half: int
    height: int
    width: int


class Windows(NamedTuple):
    """A chunk of N windows of S x S pixels.

    Attributes:
        pixel: (N, S * S) int64, where each window's pixels lie in the flattened planes (P * H * W).
        inside: (N, 1, S, S) bool, False beyond the border of an image smaller than a window.
        seed_pixel: (N,) int64, where the seed lies in the flattened planes.
        from_seed_x: (N, 1, S) float32, columns from the seed.
        from_seed_y: (N, S, 1) float32, rows from the seed.
    """

    pixel: Tensor
    inside: Tensor
    seed_pixel: Tensor
    from_seed_x: Tensor
    from_seed_y: Tensor


def chunk_seeds(seeds: Tensor, length: int = 32) -> Tensor:
    """Arrange seeds (K, 3) in chunks (N, length, 4), at least one.

    Args:
        seeds: int64 plane, row, column.
        length: how many windows are in work at a time: as many as a processor's cache holds.

    Returns:
        int64 plane, row, column, and 1; the last chunk is filled up with zeros.
    """
    count = seeds.shape[0]
    chunks = count // length + 1
    marked = torch.cat([seeds, torch.ones_like(seeds[:, :1])], dim=1)
    filling = torch.zeros([chunks * length - count, 4], dtype=torch.int64, device=seeds.device)
    return torch.cat([marked, filling]).view(-1, length, 4)


def _corner(centre: Tensor, half: int, size: int) -> Tensor:
    largest = torch.full([1], size - 2 * half, dtype=torch.int64, device=centre.device).clamp(min=0)
    return torch.minimum((centre - half).clamp(min=0), largest)


def window_corners(seeds: Tensor, grid: WindowGrid) -> tuple[Tensor, Tensor]:
    """Return the first row and the first column of each seed's window: centred on it, moved into the image.

    Args:
        seeds: (..., 3 or more) int64 plane, row, column.
        grid: the windows' size and that of a plane.

    Returns:
        Two (...) int64.
    """
    return _corner(seeds[..., 1], grid.half, grid.height), _corner(seeds[..., 2], grid.half, grid.width)


def open_windows(chunk: Tensor, grid: WindowGrid) -> Windows:
    """Lay a window over each seed of a chunk, centred on the seed and moved into the image.

    Args:
        chunk: (N, 4) int64 plane, row, column, and 1 (0 for filling).
        grid: the windows' size and that of a plane.
    """
    size, height, width = 2 * grid.half, grid.height, grid.width
    plane, y, x = chunk[:, 0], chunk[:, 1], chunk[:, 2]
    top, left = window_corners(chunk, grid)
    along = torch.arange(size, device=chunk.device)
    rows = top[:, None] + along
    columns = left[:, None] + along
    base = plane[:, None] * height + rows.clamp(max=height - 1)
    pixel = base[:, :, None] * width + columns.clamp(max=width - 1)[:, None, :]
    inside = (rows < height)[:, :, None] & (columns < width)[:, None, :] & (chunk[:, 3] > 0)[:, None, None]
    from_seed_x = (columns - x[:, None])[:, None, :]
    from_seed_y = (rows - y[:, None])[:, :, None]
    return Windows(
        pixel=pixel.flatten(1),
        inside=inside[:, None],
        seed_pixel=(plane * height + y) * width + x,
        from_seed_x=from_seed_x.to(torch.float32),
        from_seed_y=from_seed_y.to(torch.float32),
    )
