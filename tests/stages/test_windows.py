"""Windows, pixel by pixel."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import agreed

from instanseg_export.stages.windows import WindowGrid, chunk_seeds, open_windows, window_corners


@settings(max_examples=80, deadline=None)
@given(data=st.data(), half=st.integers(1, 6), height=st.integers(1, 20), width=st.integers(1, 20))
def test_window_holds_its_seed_and_stays_in_the_image(data: st.DataObject, half: int, height: int, width: int) -> None:
    rows = st.tuples(st.integers(0, 2), st.integers(0, height - 1), st.integers(0, width - 1), st.integers(0, 1))
    chunk = torch.tensor(data.draw(st.lists(rows, min_size=1, max_size=5)))
    windows = agreed(open_windows, chunk, WindowGrid(half, height, width))
    size = 2 * half
    pixels = windows.pixel.view(-1, size, size)
    for n, (plane, y, x, real) in enumerate(chunk.tolist()):
        top = min(max(y - half, 0), max(height - size, 0))
        left = min(max(x - half, 0), max(width - size, 0))
        seeds_here = 0
        for i in range(size):
            for j in range(size):
                row, column = top + i, left + j
                in_image = row < height and column < width
                assert bool(windows.inside[n, 0, i, j]) == (in_image and real == 1)
                if in_image:
                    assert pixels[n, i, j] == (plane * height + row) * width + column
                assert 0 <= pixels[n, i, j] < 3 * height * width
                assert windows.from_seed_x[n, 0, j] == column - x
                assert windows.from_seed_y[n, i, 0] == row - y
                if windows.from_seed_y[n, i, 0] == 0 and windows.from_seed_x[n, 0, j] == 0:
                    seeds_here += 1
                    assert (row, column) == (y, x)
        assert seeds_here == 1
        assert windows.seed_pixel[n] == (plane * height + y) * width + x


@pytest.mark.parametrize(
    ("seed", "corner"),
    [((0, 0), (0, 0)), ((99, 119), (36, 56)), ((50, 60), (18, 28)), ((31, 88), (0, 56)), ((33, 87), (1, 55))],
)
def test_windows_of_64_at_the_border_of_100_by_120(seed: tuple[int, int], corner: tuple[int, int]) -> None:
    top, left = agreed(window_corners, torch.tensor([[0, *seed]]), WindowGrid(32, 100, 120))
    assert (top.item(), left.item()) == corner


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 40])
def test_chunks_keep_all_seeds_in_order_and_mark_the_filling(count: int) -> None:
    seeds = torch.arange(3 * count).view(count, 3)
    chunks = agreed(chunk_seeds, seeds, 16)
    assert chunks.shape == (count // 16 + 1, 16, 4)
    flat = chunks.flatten(0, 1)
    assert torch.equal(flat[:count, :3], seeds)
    assert flat[:, 3].tolist() == [1] * count + [0] * (len(flat) - count)
