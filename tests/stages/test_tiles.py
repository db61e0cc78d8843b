"""Tiles: where they lie, and that what they give is joined by the weights that the docstrings state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from instanseg_export.stages.tiles import TiledNetwork, overlap_of, tile_starts
from support.scripted import agreed

CPU = torch.device("cpu")


@settings(max_examples=200, deadline=None)
@given(size=st.integers(1, 3000), tile=st.sampled_from([1, 16, 32, 100, 256]))
def test_tiles_cover_the_image_and_overlap_as_stated(size: int, tile: int) -> None:
    starts = tile_starts(size, tile, CPU).tolist()
    stride = tile - overlap_of(tile)
    assert starts[0] == 0
    assert starts[-1] == max(size - tile, 0)
    assert np.all(np.diff(starts[:-1]) == stride)
    if len(starts) > 1:
        assert 0 < starts[-1] - starts[-2] <= stride
        assert starts[-2] + tile < size  # else the last one were not needed


def test_upstreams_tile_overlaps_as_upstreams() -> None:
    assert overlap_of(256) == 50
    assert agreed(tile_starts, 700, 256, CPU).tolist() == [0, 206, 412, 444]


class Ramp(nn.Module):
    """Adds to each pixel its place in the tile, so that every pixel of every tile is told apart."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window
        self.multiple = 1

    def forward(self, tile: Tensor) -> Tensor:
        rows = torch.arange(self.window, dtype=torch.float32)
        return torch.cat([tile, tile + rows[:, None], tile + 2.0 * rows], dim=1)


def reference(image: np.ndarray, window: int) -> np.ndarray:
    """The same by loops over tiles, in double precision."""
    batch, channels, height, width = image.shape
    tall, wide = max(height, window), max(width, window)
    padded = np.pad(image, ((0, 0), (0, 0), (0, tall - height), (0, wide - width)), mode="reflect")
    total, weights = np.zeros((batch, 3 * channels, tall, wide)), np.zeros((tall, wide))
    along = np.linspace(-1, 1, window)
    weight = np.exp(-(along[:, None] ** 2 + along**2) / (2 * 0.5**2))
    ramp = np.arange(window)
    for top in tile_starts(height, window, CPU).tolist():
        for left in tile_starts(width, window, CPU).tolist():
            tile = padded[:, :, top : top + window, left : left + window]
            outputs = np.concatenate([tile, tile + ramp[:, None], tile + 2 * ramp], axis=1)
            total[:, :, top : top + window, left : left + window] += outputs * weight
            weights[top : top + window, left : left + window] += weight
    return np.asarray((total / weights)[:, :, :height, :width])


@pytest.mark.parametrize(
    ("window", "shape"),
    [(32, (1, 1, 32, 32)), (32, (2, 1, 85, 60)), (16, (1, 2, 5, 47)), (20, (1, 1, 1, 1)), (16, (3, 1, 16, 17))],
    ids=str,
)
def test_outputs_are_joined_by_a_gaussian_mean(window: int, shape: tuple[int, ...]) -> None:
    image = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    tiled = TiledNetwork(Ramp(window))
    found = tiled(image)
    np.testing.assert_allclose(found, reference(image.double().numpy(), window), rtol=0, atol=2e-5)
    assert torch.equal(torch.jit.script(tiled)(image), found)


def test_an_image_of_the_size_of_a_tile_comes_back_to_the_bit() -> None:
    image = torch.randn(2, 3, 32, 32)
    assert torch.equal(TiledNetwork(Ramp(32))(image), Ramp(32)(image))
