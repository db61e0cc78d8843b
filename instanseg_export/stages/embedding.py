"""Pixels as points in the space of their embeddings, and which of them lie around a seed (EmbedSeg)."""

from typing import NamedTuple

import torch
from torch import Tensor

from .exact import exp, logit, sigmoid, tanh

__all__ = ["Points", "are_members", "list_members_of_seeds", "read_points"]


class Points(NamedTuple):
    """The foreground pixels, sorted by where their embedding lies.

    The embedding of a pixel is its place plus its offset. The space is cut into cells, and pixels whose embeddings
    share a cell lie one after another: what a seed can collect are a few runs of them, however far the pixels are
    apart in the image.

    Attributes:
        pixel: (N,) int64, in the flattened planes.
        plane: (N,) int64.
        place: (A, N) float32, coordinates x, y(, z) in pixels.
        offset: (A, N) float32 in (-1, 1), in units of the grid.
        scale: (A, N) float32, exp(10 sigma): the weight of a squared distance along each axis.
        score: (N,) float32, the seed map.
        first: (cells + 1,) int64, the number of points before each cell.
        cells: (3,) int64, cells along x, y and z.
        step: (A,) float32, how much the grid grows from pixel to pixel.
    """

    pixel: Tensor
    plane: Tensor
    place: Tensor
    offset: Tensor
    scale: Tensor
    score: Tensor
    first: Tensor
    cells: Tensor
    step: Tensor


def _cell_size() -> int:
    """Pixels along an edge of a cell: small against objects, so that a run holds little else than members."""
    return 4


def _reach() -> float:
    """Members have exp(-distance) > 0.5."""
    return 0.69314718


def _whole(number: int, device: torch.device) -> Tensor:
    return torch.full([1], number, dtype=torch.int64, device=device)


def read_points(features: Tensor, step: Tensor, fg_threshold: Tensor) -> Points:
    """Read the network's output where there is foreground.

    Args:
        features: (P, 2A + 1, D, H, W) float32, raw: the offset along x, y(, z), a tenth of the logarithm of each axis'
            weight, and the logit of the seed map. D is 1 for images.
        step: (A,) float32, how much the grid grows from pixel to pixel along x, y(, z).
        fg_threshold: scalar; pixels whose seed map exceeds it are foreground.
    """
    axes = step.shape[0]
    index = torch.nonzero(features[:, 2 * axes] > logit(fg_threshold))
    planes, depth, height, width = features.shape[0], features.shape[2], features.shape[3], features.shape[4]
    pixel = ((index[:, 0] * depth + index[:, 1]) * height + index[:, 2]) * width + index[:, 3]
    rows = features.permute(0, 2, 3, 4, 1).flatten(0, 3).index_select(0, pixel)
    offset = tanh(rows[:, :axes])
    place = index[:, 1:].flip(1)[:, :axes].to(torch.float32)

    size = _cell_size()
    nx, ny, nz = width // size + 1, height // size + 1, depth // size + 1
    cells = torch.cat([_whole(nx, rows.device), _whole(ny, rows.device), _whole(nz, rows.device)])
    embedding = (place + offset / step) / float(size)
    cell = torch.minimum(torch.floor(embedding).to(torch.int64).clamp(min=0), cells[:axes] - 1)
    key = index[:, 0]
    if axes == 3:
        key = key * nz + cell[:, 2]
    key = (key * ny + cell[:, 1]) * nx + cell[:, 0]

    # Made unique, for runtimes order equal keys differently.
    count = torch.ones_like(key).sum()
    order = torch.sort(key * count + torch.arange(key.shape[0], device=key.device))[1]
    inside = torch.zeros([planes * nz * ny * nx], device=key.device).scatter_add(0, key, torch.ones_like(rows[:, 0]))
    first = torch.cat([torch.zeros_like(cells[:1]), inside.to(torch.int64).cumsum(0)])
    rows = rows.index_select(0, order)
    return Points(
        pixel=pixel.index_select(0, order),
        plane=index[:, 0].index_select(0, order),
        place=place.index_select(0, order).t().contiguous(),
        offset=offset.index_select(0, order).t().contiguous(),
        scale=exp(rows[:, axes : 2 * axes] * 10.0).t().contiguous(),
        score=sigmoid(rows[:, 2 * axes]),
        first=first,
        cells=cells,
        step=step,
    )


def are_members(
    step: Tensor, place: Tensor, offset: Tensor, seed_place: Tensor, seed_offset: Tensor, seed_scale: Tensor
) -> Tensor:
    """Tell which points belong to a seed, (A, M) against (A, M) or (A, 1).

    Places and offsets are subtracted apart, so that nothing large is taken from something large.
    """
    distance = torch.zeros_like(place[0])
    for axis in range(place.shape[0]):
        difference = (offset[axis] - seed_offset[axis]) + (place[axis] - seed_place[axis]) * step[axis]
        distance = distance + difference * difference * seed_scale[axis]
    return distance < _reach()


def _repeat(lengths: Tensor) -> Tensor:
    """Return place i as often as ``lengths[i]`` says, in order: (K,) int64 to (sum,) int64.

    As torch.repeat_interleave, whose translation to ONNX compares each result with each length.
    """
    ends = lengths.cumsum(0)
    if torch.jit.is_scripting():
        total = int(lengths.sum().item())
    else:
        # Not made an integer: of what is captured, nobody knows the number.
        total = lengths.sum().item()  # type: ignore[assignment]
        torch._check(total >= 0)
    passed = torch.zeros([total + 1], dtype=torch.int64, device=lengths.device)
    return passed.scatter_add(0, ends, torch.ones_like(ends)).cumsum(0)[:-1]


def _runs(points: Points, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """List the points in the cells that each seed's members can lie in.

    Args:
        points: the foreground.
        seeds: (K,) int64, places in the points.

    Returns:
        Two (M,) int64: for each pair of a seed and a point, the place in ``seeds``, and the point.
    """
    step = points.step[:, None]
    centre = points.place.index_select(1, seeds) + points.offset.index_select(1, seeds) / step
    # A thousandth more than what the arithmetic of members can come to.
    radius = torch.sqrt(_reach() / points.scale.index_select(1, seeds)) / step * 1.001 + 0.01
    size = float(_cell_size())
    last = (points.cells[: points.step.shape[0], None] - 1).to(torch.float32)
    low = torch.minimum(torch.floor((centre - radius) / size).clamp(min=0.0), last).to(torch.int64)
    high = torch.minimum(torch.floor((centre + radius) / size).clamp(min=0.0), last).to(torch.int64)

    # Along x the cells are one run: a run for each y and z.
    plane = points.plane.index_select(0, seeds)
    along_y = high[1] - low[1] + 1
    runs = along_y
    if points.step.shape[0] == 3:
        runs = runs * (high[2] - low[2] + 1)
    seed = _repeat(runs)
    place = torch.arange(seed.shape[0], device=seed.device) - (runs.cumsum(0) - runs).index_select(0, seed)
    layer = torch.div(place, along_y.index_select(0, seed), rounding_mode="floor")
    y = low[1].index_select(0, seed) + place - layer * along_y.index_select(0, seed)
    row = plane.index_select(0, seed) * points.cells[2] + layer
    if points.step.shape[0] == 3:
        row = row + low[2].index_select(0, seed)
    row = (row * points.cells[1] + y) * points.cells[0]
    start = points.first.index_select(0, row + low[0].index_select(0, seed))
    length = points.first.index_select(0, row + high[0].index_select(0, seed) + 1) - start

    run = _repeat(length)
    point = torch.arange(run.shape[0], device=run.device) + (start - (length.cumsum(0) - length)).index_select(0, run)
    return seed.index_select(0, run), point


def list_members_of_seeds(points: Points, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """List the members of each seed; arguments and result as of :func:`_runs`."""
    seed, point = _runs(points, seeds)
    of_pair = seeds.index_select(0, seed)
    found = are_members(
        points.step,
        points.place.index_select(1, point),
        points.offset.index_select(1, point),
        points.place.index_select(1, of_pair),
        points.offset.index_select(1, of_pair),
        points.scale.index_select(1, of_pair),
    )
    pairs = torch.nonzero(found)[:, 0]
    return seed.index_select(0, pairs), point.index_select(0, pairs)
