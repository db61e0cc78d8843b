"""Fields against the sigmoids and coordinate maps that they are defined by."""

from __future__ import annotations

import pytest
import torch

from instanseg_export.stages.fields import coordinate_step, read_fields
from support.scripted import agreed

HALF = torch.tensor(0.5)


@pytest.mark.parametrize(("dim_coords", "n_sigma"), [(2, 2), (3, 1), (4, 3), (2, 0)])
def test_one_seed_channel(dim_coords: int, n_sigma: int) -> None:
    features = torch.randn(3, dim_coords + n_sigma + 1, 20, 30) * 5
    fields = agreed(read_fields, features, dim_coords, n_sigma, 1, HALF)
    offset = (torch.sigmoid(features[:, :dim_coords].double()) - 0.5) * 8
    torch.testing.assert_close(fields.offset.double(), offset, rtol=0, atol=2e-6)
    assert torch.equal(fields.sigma, features[:, dim_coords:-1])
    assert torch.equal(fields.seed_map, features[:, -1] / 15 + 0.5)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_second_seed_channel_is_the_foreground(threshold: float) -> None:
    features = torch.randn(1, 6, 40, 40) * 3
    fields = agreed(read_fields, features, 2, 2, 2, torch.tensor(threshold))
    foreground = torch.sigmoid(features[:, -1]) > threshold
    assert torch.equal(fields.seed_map, torch.where(foreground, features[:, -2] / 15 + 0.5, 0.0))


@pytest.mark.parametrize("size", [1, 2, 3, 100, 257, 4096])
def test_coordinates_run_to_a_quarter_of_the_size(size: int) -> None:
    step = agreed(coordinate_step, size, torch.device("cpu"))
    expected = torch.linspace(0, size * 64 / 256, size, dtype=torch.float64)
    torch.testing.assert_close(torch.arange(size) * step.double(), expected, rtol=1e-6, atol=0)
