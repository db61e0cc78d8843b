"""Greedy clustering in blocks against the definition: one object per turn, over all pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instanseg_export.stages.embedding import Points, are_members
from instanseg_export.stages.greedy import Clusters, cluster_greedily, number_clusters
from support.embedseg_fields import drawn_fields, noise_fields, points_of
from support.scripted import agreed


def one_by_one(points: Points, seed_threshold: float, min_size: int) -> tuple[Tensor, Tensor]:
    """Return the instance of each point, and of each seed, as EmbedSeg's loop finds them in each plane."""
    number, seed_of = torch.zeros(len(points.pixel)), torch.zeros(len(points.pixel))
    free = torch.ones(len(points.pixel), dtype=torch.bool)
    best_first = np.lexsort((points.pixel.numpy(), -points.score.numpy()))
    count = 0
    for seed in best_first.tolist():
        if points.score[seed] < seed_threshold:
            break
        if not free[seed]:
            continue
        free[seed] = False
        here = [field[:, seed, None] for field in (points.place, points.offset, points.scale)]
        members = are_members(points.step, points.place, points.offset, *here) & (points.plane == points.plane[seed])
        if members.sum() > min_size and free[members].sum() / members.sum() > 0.5:
            count += 1
            number[members], seed_of[seed] = count, count
        free &= ~members
    return number, seed_of


def check(fields: np.ndarray, seed_threshold: float = 0.9, min_size: int = 5) -> Clusters:
    points = points_of(torch.from_numpy(fields))
    clusters: Clusters = agreed(cluster_greedily, points, torch.tensor(seed_threshold), torch.tensor(min_size))
    number, seed = one_by_one(points, float(torch.tensor(seed_threshold)), min_size)
    assert torch.equal(clusters.seed > 0, seed > 0)
    # Numbers follow the order of decisions; in a batch that of all planes together.
    assert torch.equal(clusters.number, number)
    assert torch.equal(clusters.seed, seed)
    return clusters


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 999), volume=st.booleans(), noise=st.booleans(), threshold=st.sampled_from([0.3, 0.9, 0.999])
)
def test_is_the_greedy_loop(seed: int, volume: bool, noise: bool, threshold: float) -> None:
    size = (7, 18, 21) if volume else (45, 50)
    check(noise_fields(size, seed, 2) if noise else drawn_fields(size, 8, 10, seed), threshold, seed % 40)


def test_more_candidates_than_a_block_and_more_seeds_than_collect_at_a_time() -> None:
    clusters = check(drawn_fields((128, 128), 120, 7), min_size=3)
    assert clusters.number.max() > 64


def test_one_seed_that_collects_everything() -> None:
    fields = drawn_fields((40, 40), 5, 9)
    fields[:, 2:4] = -1.0
    fields[:, 4] = 5.0
    assert check(fields).number.unique().tolist() == [1.0]


@pytest.mark.parametrize("value", [-3.0, 1.0])
def test_no_candidates(value: float) -> None:
    fields = drawn_fields((20, 20), 3, 5)
    fields[:, 4] = value
    assert not check(fields).number.any()


def test_numbers_follow_the_seeds_in_raster_order_through_the_planes() -> None:
    fields = torch.from_numpy(np.concatenate([drawn_fields((50, 60), 9, 9, seed) for seed in (1, 2)]))
    points = points_of(fields)
    clusters = cluster_greedily(points, torch.tensor(0.9), torch.tensor(5))
    labels, plane, seeds = agreed(number_clusters, points, clusters, 2, 3000)
    assert len(seeds) > 8
    assert torch.equal(seeds, seeds.sort()[0])
    assert torch.equal(plane[1:], seeds // 3000)
    assert torch.equal(labels > 0, torch.zeros(6000).index_copy(0, points.pixel, clusters.number) > 0)
    for number, seed in enumerate(seeds.tolist(), start=1):
        decided = clusters.seed[points.pixel == seed]
        assert set(points.pixel[clusters.number == decided].tolist()) == set(
            torch.nonzero(labels == number)[:, 0].tolist()
        )
