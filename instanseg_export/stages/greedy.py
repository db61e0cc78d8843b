"""Cluster foreground greedily around its best pixels, as EmbedSeg does (Lalit et al. 2022, section 3.4)."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from . import loops
from .exact import exp, logit, sigmoid, tanh
from .sentinels import nobody

__all__ = ["Clusters", "Points", "cluster_greedily", "read_points"]


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


class Clusters(NamedTuple):
    """The instances.

    Attributes:
        number: (N,) float32, the instance of each point, 0 for none; numbers start from 1, in the order of decisions.
        seed: (N,) float32, the instance whose seed the point is, 0 for none.
    """

    number: Tensor
    seed: Tensor


def _cell_size() -> int:
    """Pixels along an edge of a cell: small against objects, so that a run holds little else than members."""
    return 4


def _block_length() -> int:
    """How many candidates are walked through at a time."""
    return 1024


def _most_seeds() -> int:
    """How many seeds collect their members at a time: a bound of memory where each of them collects everything."""
    return 32


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


def _rank(points: Points, seed_threshold: Tensor) -> Tensor:
    """Return the points that may become seeds, the best first, and among equal ones the first in raster order.

    Returns:
        (C,) int64, filled up by a block of zeros.
    """
    candidates = torch.nonzero(points.score >= seed_threshold)[:, 0]
    # A score of float32 is a whole number of 2^-30 from 2^-6 on; smaller ones are cut, which only makes them equal.
    worse = 1073741824 - (points.score.index_select(0, candidates) * 1073741824.0).to(torch.int64)
    pixel = points.pixel.index_select(0, candidates)
    order = torch.sort(worse * 2147483648 + pixel)[1]
    filling = torch.zeros([_block_length()], dtype=torch.int64, device=order.device)
    return torch.cat([candidates.index_select(0, order), filling])


def _are_members(
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


class _Block(NamedTuple):
    """A block of candidates, the best first; see :class:`Points`."""

    plane: Tensor
    place: Tensor
    offset: Tensor
    scale: Tensor
    step: Tensor


def _first_open(done: Tensor) -> Tensor:
    """Return the place (1,) of the first that is not done, or the length if all are."""
    length = torch.ones_like(done, dtype=torch.int64).sum().reshape(1)
    places = torch.where(done, length, torch.arange(done.shape[0], device=done.device))
    return places.amin(dim=0, keepdim=True)


def _is_open(done: Tensor, chosen: Tensor, count: Tensor) -> Tensor:
    return ((~done).to(torch.int64).sum() > 0) & (count < _most_seeds())


def _choose(block: _Block, done: Tensor, chosen: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Make the first open candidate a seed; it and the candidates that belong to it are done."""
    seed = _first_open(done)
    members = _are_members(
        block.step,
        block.place,
        block.offset,
        block.place.index_select(1, seed),
        block.offset.index_select(1, seed),
        block.scale.index_select(1, seed),
    )
    members = members & (block.plane == block.plane.index_select(0, seed))
    is_seed = torch.arange(done.shape[0], device=done.device) == seed
    return done | members | is_seed, chosen | is_seed, count + 1


def _choose_seeds(block: _Block, done: Tensor) -> tuple[Tensor, Tensor]:
    """Choose seeds in a block.

    Returns:
        (B,) bool, the seeds; and (B,) bool, what is done: all before the first open one are decided.
    """
    chosen = torch.zeros_like(done)
    count = torch.zeros([], dtype=torch.int64, device=done.device)
    if torch.jit.is_scripting():
        while bool(_is_open(done, chosen, count)):
            done, chosen, count = _choose(block, done, chosen, count)
    else:
        done, chosen, count = loops.while_true(_is_open, partial(_choose, block), (done, chosen, count))
    return chosen, done


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
    last = points.cells[: points.step.shape[0], None] - 1
    low = torch.minimum(torch.floor(((centre - radius) / size).clamp(min=0)).to(torch.int64), last)
    high = torch.minimum(torch.floor(((centre + radius) / size).clamp(min=0, max=1e6)).to(torch.int64), last)

    # Along x the cells are one run: a run for each y and z.
    plane = points.plane.index_select(0, seeds)
    along_y = high[1] - low[1] + 1
    runs = along_y
    if points.step.shape[0] == 3:
        runs = runs * (high[2] - low[2] + 1)
    seed = torch.repeat_interleave(torch.arange(seeds.shape[0], device=seeds.device), runs)
    place = torch.arange(seed.shape[0], device=seed.device) - (runs.cumsum(0) - runs).index_select(0, seed)
    layer = torch.div(place, along_y.index_select(0, seed), rounding_mode="floor")
    y = low[1].index_select(0, seed) + place - layer * along_y.index_select(0, seed)
    row = plane.index_select(0, seed) * points.cells[2] + layer
    if points.step.shape[0] == 3:
        row = row + low[2].index_select(0, seed)
    row = (row * points.cells[1] + y) * points.cells[0]
    start = points.first.index_select(0, row + low[0].index_select(0, seed))
    length = points.first.index_select(0, row + high[0].index_select(0, seed) + 1) - start

    run = torch.repeat_interleave(torch.arange(length.shape[0], device=length.device), length)
    point = torch.arange(run.shape[0], device=run.device) + (start - (length.cumsum(0) - length)).index_select(0, run)
    return seed.index_select(0, run), point


def _members(points: Points, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """List the members of each seed; arguments and result as of :func:`_runs`."""
    seed, point = _runs(points, seeds)
    of_pair = seeds.index_select(0, seed)
    found = _are_members(
        points.step,
        points.place.index_select(1, point),
        points.offset.index_select(1, point),
        points.place.index_select(1, of_pair),
        points.offset.index_select(1, of_pair),
        points.scale.index_select(1, of_pair),
    )
    pairs = torch.nonzero(found)[:, 0]
    return seed.index_select(0, pairs), point.index_select(0, pairs)


def _any_left(
    ranked: Tensor, start: Tensor, taken: Tensor, number: Tensor, is_seed: Tensor, instances: Tensor
) -> Tensor:
    return start < torch.ones_like(ranked).sum() - _block_length()


def _decide(
    points: Points,
    ranked: Tensor,
    min_size: Tensor,
    start: Tensor,
    taken: Tensor,
    number: Tensor,
    seed_of: Tensor,
    instances: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Choose seeds in the next block of candidates, and decide which of them become instances.

    Args:
        points: the foreground.
        ranked: of :func:`_rank`.
        min_size: see :func:`cluster_greedily`.
        start: scalar, place of the first undecided candidate.
        taken: (N,) bool, points that a seed has collected.
        number: (N,) float32, see :class:`Clusters`.
        seed_of: (N,) float32, likewise.
        instances: scalar float32, how many there are.
    """
    along = torch.arange(_block_length(), device=start.device)
    candidates = ranked.index_select(0, start + along)
    beyond = start + along >= torch.ones_like(ranked).sum() - _block_length()
    block = _Block(
        points.plane.index_select(0, candidates),
        points.place.index_select(1, candidates),
        points.offset.index_select(1, candidates),
        points.scale.index_select(1, candidates),
        points.step,
    )
    chosen, done = _choose_seeds(block, beyond | taken.index_select(0, candidates))
    seeds = candidates.index_select(0, torch.nonzero(chosen)[:, 0])
    seed, point = _members(points, seeds)

    # A point counts for the first seed that collects it. A seed does not count for itself.
    order = seed.to(torch.float32)
    collector = torch.full_like(number, nobody()).scatter_reduce(0, point, order, "amin", include_self=True)
    counts = (collector.index_select(0, point) == order) & ~taken.index_select(0, point)
    counts = counts & (point != seeds.index_select(0, seed))
    none = torch.zeros_like(seeds, dtype=torch.float32)
    area = none.scatter_add(0, seed, torch.ones_like(order))
    fresh = none.scatter_add(0, seed, counts.to(torch.float32))
    kept = (area > min_size) & (fresh + fresh > area)
    new = (kept.to(torch.int64).cumsum(0).to(torch.float32) + instances) * kept.to(torch.float32)
    number = number.scatter_reduce(0, point, new.index_select(0, seed), "amax", include_self=True)
    seed_of = seed_of.scatter_reduce(0, seeds, new, "amax", include_self=True)
    taken = taken | (collector < nobody())
    return start + _first_open(done).sum(), taken, number, seed_of, instances + kept.to(torch.float32).sum()


def cluster_greedily(points: Points, seed_threshold: Tensor, min_size: Tensor) -> Clusters:
    """Cluster the foreground.

    The best point that nobody has collected becomes a seed and collects all points around its embedding, also those
    that others have collected. It becomes an instance if they are more than ``min_size`` and more than half of them
    were free, and then owns them all; free or not, they are no longer. This goes on while the score reaches the
    threshold.

    Which points become seeds depends on better candidates only, and what a seed collects on itself only. So the
    candidates are walked through in blocks, in which only they are compared with each other, and the members of a
    block's seeds are then collected at once from the cells around them.

    Args:
        points: of :func:`read_points`.
        seed_threshold: scalar in (0, 1); a seed's score must reach it.
        min_size: scalar; an instance has more points than this.
    """
    ranked = _rank(points, seed_threshold)
    start = torch.zeros([], dtype=torch.int64, device=ranked.device)
    number = torch.zeros_like(points.score)
    state = (start, torch.zeros_like(number, dtype=torch.bool), number, number.clone(), start.to(torch.float32))
    if torch.jit.is_scripting():
        while bool(_any_left(ranked, state[0], state[1], state[2], state[3], state[4])):
            state = _decide(points, ranked, min_size, state[0], state[1], state[2], state[3], state[4])
    else:
        state = loops.while_true(partial(_any_left, ranked), partial(_decide, points, ranked, min_size), state)
    return Clusters(number=state[2], seed=state[3])
