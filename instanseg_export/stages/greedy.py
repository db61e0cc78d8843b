"""Cluster foreground greedily around its best pixels, as EmbedSeg does (Lalit et al. 2022, section 3.4)."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from . import loops
from .embedding import Points, are_members, list_members_of_seeds
from .sentinels import no_owner

__all__ = ["Clusters", "cluster_greedily", "number_clusters"]


class Clusters(NamedTuple):
    """The instances.

    Attributes:
        number: (N,) float32, the instance of each point, 0 for none; numbers start from 1, in the order of decisions.
        seed: (N,) float32, the instance whose seed the point is, 0 for none.
    """

    number: Tensor
    seed: Tensor


def _block_length() -> int:
    """How many candidates are walked through at a time."""
    return 1024


def _most_seeds() -> int:
    """How many seeds collect their members at a time: a bound of memory where each of them collects everything."""
    return 32


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
    members = are_members(
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


def _any_left(
    ranked: Tensor, start: Tensor, taken: Tensor, number: Tensor, seed_of: Tensor, instances: Tensor
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
    seed, point = list_members_of_seeds(points, seeds)

    # A point counts for the first seed that collects it. A seed does not count for itself.
    order = seed.to(torch.float32)
    collector = torch.full_like(number, no_owner()).scatter_reduce(0, point, order, "amin", include_self=True)
    counts = (collector.index_select(0, point) == order) & ~taken.index_select(0, point)
    counts = counts & (point != seeds.index_select(0, seed))
    none = torch.zeros_like(seeds, dtype=torch.float32)
    area = none.scatter_add(0, seed, torch.ones_like(order))
    fresh = none.scatter_add(0, seed, counts.to(torch.float32))
    kept = (area > min_size) & (fresh + fresh > area)
    new = (kept.to(torch.int64).cumsum(0).to(torch.float32) + instances) * kept.to(torch.float32)
    number = number.scatter_reduce(0, point, new.index_select(0, seed), "amax", include_self=True)
    seed_of = seed_of.scatter_reduce(0, seeds, new, "amax", include_self=True)
    taken = taken | (collector < no_owner())
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
    taken, seed_of, instances = torch.zeros_like(number, dtype=torch.bool), number.clone(), start.to(torch.float32)
    if torch.jit.is_scripting():
        while bool(_any_left(ranked, start, taken, number, seed_of, instances)):
            start, taken, number, seed_of, instances = _decide(
                points, ranked, min_size, start, taken, number, seed_of, instances
            )
    else:
        state = (start, taken, number, seed_of, instances)
        condition, step = partial(_any_left, ranked), partial(_decide, points, ranked, min_size)
        _, _, number, seed_of, _ = loops.while_true(condition, step, state)
    return Clusters(number=number, seed=seed_of)


def number_clusters(points: Points, clusters: Clusters, planes: int, pixels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Number the instances in raster order of their seeds, and paint them.

    Args:
        points: the foreground.
        clusters: of :func:`cluster_greedily`.
        planes: how many there are.
        pixels: of a plane.

    Returns:
        (planes * pixels,) int64, numbers that go on from plane to plane, 0 for background; (K + 1,) int64, the plane of
        each number, 0 for that of background; and (K,) int64, the seed of each instance, a pixel of the flattened
        planes.
    """
    empty = torch.zeros([planes * pixels], device=points.pixel.device)
    # Every point is a pixel of its own, so that a sum is that of one.
    seed_of = empty.scatter_add(0, points.pixel, clusters.seed)
    seeds = torch.nonzero(seed_of > 0)[:, 0]
    decided = seed_of.index_select(0, seeds).to(torch.int64)
    raster = torch.arange(seeds.shape[0], device=seeds.device) + 1
    number = torch.zeros([seeds.shape[0] + 1], device=seeds.device).scatter_add(0, decided, raster.to(torch.float32))
    painted = empty.scatter_add(0, points.pixel, clusters.number).to(torch.int64)
    plane = torch.cat([torch.zeros_like(painted[:1]), torch.div(seeds, pixels, rounding_mode="floor")])
    return number.to(torch.int64).index_select(0, painted), plane, seeds
