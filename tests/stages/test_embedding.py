"""Which pixels a seed can reach: runs of cells against a search through all of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instanseg_export.stages.embedding import Points, list_members_of_seeds
from support.embedseg_fields import drawn_fields, noise_fields, points_of
from support.scripted import agreed, same


def all_members(points: Points, seed: int) -> Tensor:
    """Decide in float64, for every point; those so near the limit that float32 may differ are left out."""
    place, offset, step = points.place.double(), points.offset.double(), points.step.double()[:, None]
    difference = (offset - offset[:, seed, None]) + (place - place[:, seed, None]) * step
    distance = (difference**2 * points.scale.double()[:, seed, None]).sum(dim=0)
    return torch.where(points.plane == points.plane[seed], distance, torch.full_like(distance, 9.0))


@pytest.mark.parametrize("fields", [drawn_fields((60, 90), 12, 11), noise_fields((40, 33), batch=2)], ids=["", "noise"])
def test_points_are_the_foreground(fields: object) -> None:
    raw = torch.as_tensor(fields)
    points = points_of(raw)
    foreground = torch.nonzero(torch.sigmoid(raw[:, 4].flatten().double()) > 0.5)[:, 0]
    assert torch.equal(points.pixel.sort()[0], foreground)
    flat = raw.permute(1, 0, 2, 3).flatten(1)[:, points.pixel].double()
    torch.testing.assert_close(points.offset.double(), torch.tanh(flat[:2]), rtol=0, atol=5e-7)
    torch.testing.assert_close(points.scale.double(), torch.exp(flat[2:4] * 10), rtol=2e-6, atol=0)
    torch.testing.assert_close(points.score.double(), torch.sigmoid(flat[4]), rtol=0, atol=2e-7)
    width = raw.shape[3]
    assert torch.equal(points.place[0], (points.pixel % width).float())
    assert torch.equal(points.plane, points.pixel // (width * raw.shape[2]))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), volume=st.booleans(), noise=st.booleans())
def test_members_are_those_of_a_search_through_all_points(seed: int, volume: bool, noise: bool) -> None:
    size = (7, 18, 21) if volume else (45, 50)
    fields = noise_fields(size, seed, 2) if noise else drawn_fields(size, 8, 10, seed)
    points = points_of(torch.from_numpy(fields))
    seeds = torch.arange(seed % 7, len(points.pixel), 41)
    of, point = agreed(list_members_of_seeds, points, seeds)
    assert len(seeds) == 0 or len(of) >= len(seeds), "each seed is a member of its own"
    for place, chosen in enumerate(seeds.tolist()):
        distance = all_members(points, chosen)
        limit = torch.log(torch.tensor(2.0, dtype=torch.float64))
        found = torch.zeros(len(distance), dtype=torch.bool)
        found[point[of == place]] = True
        sure = (distance - limit).abs() > 1e-4
        assert torch.equal(found[sure], (distance < limit)[sure])


def test_no_foreground_and_no_seeds() -> None:
    points = points_of(torch.full((2, 5, 9, 11), -3.0))
    assert len(points.pixel) == 0
    nothing = torch.zeros(0, dtype=torch.int64)
    assert same(agreed(list_members_of_seeds, points, nothing), (nothing, nothing))
