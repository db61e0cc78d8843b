"""Seeds against torch's max-pooling with indices, whose first index of the maximum decides ties."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instanseg_export.stages.seeds import pick_seeds
from support.scripted import agreed


def by_pooling(seed_map: Tensor, radius: int, threshold: float) -> Tensor:
    height, width = seed_map.shape[1:]
    size = 2 * radius + 1
    _, where = F.max_pool2d(seed_map[:, None], size, 1, radius, return_indices=True)
    place = torch.arange(height * width).view(1, height, width)
    return torch.nonzero((where[:, 0] == place) & (seed_map > threshold))


def picked(seed_map: Tensor, radius: int, threshold: float) -> Tensor:
    seeds: Tensor = agreed(pick_seeds, seed_map, torch.tensor(radius), torch.tensor(threshold))
    return seeds


@settings(max_examples=150, deadline=None)
@given(
    planes=st.integers(1, 3),
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    radius=st.integers(1, 7),
    levels=st.sampled_from([1, 2, 3, 5, 1000]),
    seed=st.integers(0, 999),
)
def test_equals_max_pooling(planes: int, height: int, width: int, radius: int, levels: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    seed_map = torch.randint(0, levels, (planes, height, width), generator=generator) / levels
    # Pooling takes a window no larger than twice the image.
    radius = min(radius, max(height, width) - 1, 7) or 1
    assert torch.equal(picked(seed_map, radius, 0.25), by_pooling(seed_map, radius, 0.25))


@pytest.mark.parametrize("radius", [1, 5, 20, 64])
def test_constant_map_has_a_seed_wherever_no_earlier_pixel_is_in_reach(radius: int) -> None:
    seed_map = torch.ones(2, 130, 150)
    assert torch.equal(picked(seed_map, radius, 0.5), torch.tensor([[0, 0, 0], [1, 0, 0]]))


def test_smooth_map_of_real_size() -> None:
    noise = torch.rand(1, 1, 300, 410, generator=torch.Generator().manual_seed(1))
    seed_map = F.avg_pool2d(noise, 9, 1, 4)[0]
    seeds = picked(seed_map, 5, 0.5)
    assert len(seeds) > 100
    assert torch.equal(seeds, by_pooling(seed_map, 5, 0.5))


@pytest.mark.parametrize("radius", [1, 7])
def test_ties_in_tall_maps(radius: int) -> None:
    # PyTorch looks at 256 rows at a time.
    seed_map = torch.randint(0, 3, (2, 530, 40), generator=torch.Generator().manual_seed(2)) / 3
    assert torch.equal(picked(seed_map, radius, 0.25), by_pooling(seed_map, radius, 0.25))


def test_threshold_must_be_exceeded() -> None:
    seed_map = torch.zeros(1, 9, 9)
    seed_map[0, 4, 4] = 0.5
    assert len(picked(seed_map, 2, 0.5)) == 0
    assert picked(seed_map, 2, 0.49).tolist() == [[0, 4, 4]]


def test_seeds_are_further_apart_than_the_peak_distance() -> None:
    seed_map = torch.randint(0, 99, (1, 60, 60), generator=torch.Generator().manual_seed(3)) / 99.0
    for radius in (1, 3, 9):
        places = picked(seed_map, radius, 0.1)[:, 1:]
        distance = (places[:, None] - places[None]).abs().amax(dim=2) + 999 * torch.eye(len(places), dtype=torch.int64)
        assert len(places) > 1
        assert int(distance.min()) > radius


def test_radius_larger_than_the_image() -> None:
    seed_map = torch.full((1, 3, 4), -1e29)
    seed_map[0, 2, 3] = 1.0
    assert picked(seed_map, 64, 0.5).tolist() == [[0, 2, 3]]
