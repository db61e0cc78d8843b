"""Views of images and windows, pixel by pixel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scripted import agreed

from instanseg_export.stages.augment import undo_view, view, view_count, view_windows
from instanseg_export.stages.windows import WindowGrid, open_windows

VIEWS = pytest.mark.parametrize("index", range(view_count()))


def test_the_sixteen_combinations_of_the_paper_are_these_views_each_of_them_twice() -> None:
    image = torch.arange(12).view(3, 4)
    ours = [view(image, index).numpy().tolist() for index in range(view_count())]
    assert ours[0] == image.tolist()
    combinations = []
    for across, down, turns in itertools.product((False, True), (False, True), range(4)):
        array = image.numpy()
        array = array[:, ::-1] if across else array
        array = array[::-1] if down else array
        combinations.append(np.rot90(array, turns).tolist())
    assert len(combinations) == 16
    assert [combinations.count(one) for one in ours] == [2] * 8


@VIEWS
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (4, 4), (1, 1, 1, 6)], ids=str)
def test_a_view_is_undone(index: int, shape: tuple[int, ...]) -> None:
    image = torch.rand(shape)
    there = agreed(view, image, index)
    assert there.shape[-2:] == (shape[:-3:-1] if index >= 4 else shape[-2:])
    assert torch.equal(agreed(undo_view, there, index), image)


@VIEWS
@pytest.mark.parametrize(("height", "width", "half"), [(20, 31, 6), (40, 9, 8), (3, 4, 5)])
def test_windows_show_the_same_pixels_in_the_order_of_the_view(index: int, height: int, width: int, half: int) -> None:
    chunk = torch.tensor([[0, 0, 0, 1], [1, height - 1, width - 1, 1], [1, height // 2, width // 2, 1], [0, 0, 0, 0]])
    windows = open_windows(chunk, WindowGrid(half, height, width))
    seen = agreed(view_windows, windows, index)
    assert torch.equal(seen.seed_pixel, windows.seed_pixel)
    assert torch.equal(undo_view(seen.inside, index), windows.inside)
    size = 2 * half
    assert (seen.from_seed_x.shape, seen.from_seed_y.shape) == ((4, 1, size), (4, size, 1))

    # Where each pixel of the image lies in the view.
    place = view(torch.arange(height * width).view(height, width), index)
    row_of, column_of = torch.empty(height * width, dtype=torch.int64), torch.empty(height * width, dtype=torch.int64)
    rows, columns = torch.meshgrid(torch.arange(place.shape[0]), torch.arange(place.shape[1]), indexing="ij")
    row_of[place.flatten()], column_of[place.flatten()] = rows.flatten(), columns.flatten()
    pixel = seen.pixel.view(-1, size, size) % (height * width)
    seed = seen.seed_pixel % (height * width)
    right = column_of[pixel] - column_of[seed][:, None, None]
    down = row_of[pixel] - row_of[seed][:, None, None]
    inside = seen.inside[:, 0]
    assert torch.equal(seen.from_seed_x.expand_as(inside)[inside], right[inside].float())
    assert torch.equal(seen.from_seed_y.expand_as(inside)[inside], down[inside].float())
    assert inside[:3].flatten(1).any(dim=1).all()
