"""Networks that take images of one size only see a larger one tile by tile, and the overlapping outputs are blended."""

from functools import partial
from typing import Any, List  # noqa: UP035 -- TorchScript reads List

import torch
from torch import Tensor, nn

from . import loops
from .pad import mirror

__all__ = ["TiledNetwork", "overlap_of", "tile_starts"]


def overlap_of(tile: int) -> int:
    """Return how far neighbouring tiles overlap, in pixels: 50 for tiles of 256, and in proportion."""
    return tile * 50 // 256


def tile_starts(size: int, tile: int, device: torch.device) -> Tensor:
    """Return the first pixel of each tile along an axis.

    Tiles overlap by :func:`overlap_of`; the last one is moved back so that it ends where the image does. An image that
    is smaller than a tile has one, which starts at 0.

    Args:
        size: of the image, at least 1.
        tile: its length.
        device: where to put the result.

    Returns:
        (N,) int64, rising, N at least 1.
    """
    stride = tile - overlap_of(tile)
    # One candidate more than can be needed: an exporter would take a list of one for a list of always one.
    further = torch.arange(1, (size + stride - 1) // stride + 2, device=device) * stride
    # One more is needed where the one before it ends too early.
    reached = torch.nonzero(further - stride + tile < size).flatten()
    last = torch.full([1], size - tile, dtype=torch.int64, device=device)
    # Joined to a first one, so that an exporter sees that there is one.
    return torch.cat([torch.zeros_like(last), torch.minimum(further.index_select(0, reached), last)])


def blend(tiles: Tensor, dim: int, starts: Tensor, size: int, profile: Tensor) -> Tensor:
    """Join tiles that lie behind each other along an axis by a weighted mean of those that cover a pixel.

    Args:
        tiles: any shape; its axis ``dim`` has N tiles of S pixels.
        dim: that axis.
        starts: (N,) of :func:`tile_starts`.
        size: of the result along that axis.
        profile: (S,) weight of each pixel of a tile, above 0.

    Returns:
        the shape of ``tiles``, with ``size`` in the place of N * S.
    """
    tile = profile.shape[0]
    stride = tile - overlap_of(tile)
    place = torch.arange(size, device=tiles.device)
    last = torch.full([1], starts.shape[0] - 1, dtype=torch.int64, device=tiles.device)
    first = torch.minimum(torch.div((place - tile + stride).clamp(min=0), stride, rounding_mode="floor"), last)
    shape = [1] * tiles.dim()
    shape[dim] = size
    # Two regular tiles can cover a pixel, and the last one, which was moved back.
    sources: List[Tensor] = []  # noqa: UP006
    weights: List[Tensor] = []  # noqa: UP006
    for number in range(3):
        nth = torch.minimum(first + number, last)
        offset = place - starts.index_select(0, nth)
        covers = (first + number <= last) & (offset >= 0)
        inside = offset.clamp(min=0, max=tile - 1)
        sources.append(nth * tile + inside)
        weights.append(torch.where(covers, profile.index_select(0, inside), torch.zeros_like(profile[:1])))
    total = weights[0] + weights[1] + weights[2]
    joined = tiles.index_select(dim, sources[0]) * (weights[0] / total).view(shape)
    joined = joined + tiles.index_select(dim, sources[1]) * (weights[1] / total).view(shape)
    return joined + tiles.index_select(dim, sources[2]) * (weights[2] / total).view(shape)


class TiledNetwork(nn.Module):
    """Gives a network that takes images of one size the interface of one that takes any.

    Each tile goes through the network by itself, one at a time, so that the memory does not grow with their number
    except by their outputs. The mean is weighted with a Gaussian around the middle of each tile whose standard
    deviation is a quarter of the tile, as upstream weights its tiles (``SAM_UNet_inference``). An image smaller than a
    tile is mirrored at its lower and right border.

    Attributes:
        multiple: of the network.

    Args:
        network: with the attributes ``window``, the size that it takes, and ``multiple``.
    """

    multiple: int

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network: nn.Module = network
        self.multiple = int(network.multiple)
        self.tile = int(network.window)
        # Numbers, for a tensor would be taken for a weight of the network where a file is read back.
        self.profile: List[float] = torch.exp(-2.0 * torch.linspace(-1.0, 1.0, self.tile) ** 2).tolist()  # noqa: UP006

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, channels of the output, H, W)."""
        batch, height, width = image.shape[0], image.shape[2], image.shape[3]
        tops = tile_starts(height, self.tile, image.device)
        lefts = tile_starts(width, self.tile, image.device)
        shape = [batch, tops.shape[0], lefts.shape[0]]
        places = torch.stack(
            [
                torch.arange(batch, device=image.device)[:, None, None].expand(shape),
                tops[None, :, None].expand(shape),
                lefts[None, None, :].expand(shape),
            ],
            dim=3,
        )
        profile = torch.tensor(self.profile, dtype=torch.float32, device=image.device)
        outputs = self.run_tiles(image, places.flatten(0, 2))
        tiles = outputs.view(shape + list(outputs.shape[1:]))
        rows = blend(tiles.permute(0, 1, 3, 4, 2, 5).flatten(4), 4, lefts, width, profile)
        return blend(rows.transpose(1, 2).flatten(2, 3), 2, tops, height, profile)

    def run_tiles(self, image: Tensor, places: Tensor) -> Tensor:
        """Return the network's output (N, channels, tile, tile) for each place (image, top, left)."""
        if torch.jit.is_scripting():
            done: List[Tensor] = []  # noqa: UP006
            for i in range(places.shape[0]):
                done.append(self.run_tile(image, places[i]))
            return torch.stack(done)
        else:
            return loops.map_rows(partial(self.run_tile, image), places, self)

    def run_tile(self, image: Tensor, place: Tensor) -> Tensor:
        """Return the network's output (channels, tile, tile) for one place."""
        along = torch.arange(self.tile, device=image.device)
        rows = mirror(place[1] + along, image.shape[2])
        columns = mirror(place[2] + along, image.shape[3])
        features: Tensor = self.network(image.index_select(0, place[:1]).index_select(2, rows).index_select(3, columns))
        return features.squeeze(0)
