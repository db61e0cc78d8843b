"""Matching against a plain reading of the rules, nucleus by nucleus."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instanseg_export.stages.nuclei_to_cells import match_nuclei_to_cells
from support.scripted import agreed


def reference(nuclei: np.ndarray, cells: np.ndarray) -> np.ndarray:
    cell_of: dict[int, int] = {}
    for nucleus in np.unique(nuclei[nuclei > 0]):
        for cell in np.unique(cells[cells > 0]):
            covered = ((nuclei == nucleus) & (cells == cell)).sum()
            if covered / (nuclei == nucleus).sum() > 0.5:
                cell_of[nucleus] = cell
    result = cells.copy()
    for cell in np.unique(cells[cells > 0]):
        inside = [nucleus for nucleus, its_cell in cell_of.items() if its_cell == cell]
        if inside:
            # The largest nucleus is the cell's; max() keeps the first of equals, and the ids ascend.
            owner = max(inside, key=lambda nucleus: (nuclei == nucleus).sum())
            result[cells == cell] = owner
    for nucleus in np.unique(nuclei[nuclei > 0]):
        result[nuclei == nucleus] = nucleus
    return result


def matched(nuclei: np.ndarray, cells: np.ndarray) -> np.ndarray:
    numbers = int(max(nuclei.max(), cells.max())) + 1
    first, second = torch.from_numpy(nuclei), torch.from_numpy(cells)
    result: np.ndarray = agreed(match_nuclei_to_cells, first, second, numbers).numpy()
    return result


def check(nuclei: list[int], cells: list[int]) -> list[int]:
    first, second = np.array(nuclei), np.array(cells)
    result = matched(first, second)
    np.testing.assert_array_equal(result, reference(first, second))
    values: list[int] = result.tolist()
    return values


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 99_999),
    pixels=st.integers(1, 60),
    nuclei_count=st.integers(0, 6),
    cell_count=st.integers(0, 40),
    clumped=st.booleans(),
)
def test_equals_the_rules(seed: int, pixels: int, nuclei_count: int, cell_count: int, clumped: bool) -> None:
    rng = np.random.default_rng(seed)
    nuclei = rng.integers(0, nuclei_count + 1, pixels)
    cells = rng.integers(0, cell_count + 1, pixels)
    if clumped:
        nuclei, cells = np.sort(nuclei), np.roll(np.sort(cells), int(rng.integers(pixels)))
    # Nobody's number is used twice; cells come between and after the nuclei, as in a batch.
    nuclei, cells = 2 * nuclei, np.where(cells > 0, 2 * cells + 1, 0)
    np.testing.assert_array_equal(matched(nuclei, cells), reference(nuclei, cells))


def test_cell_takes_the_number_of_its_nucleus() -> None:
    assert check([0, 1, 1, 0, 0], [2, 2, 2, 2, 0]) == [1, 1, 1, 1, 0]


def test_half_of_a_nucleus_is_not_enough() -> None:
    assert check([1, 1, 0, 0], [0, 2, 2, 2]) == [1, 1, 2, 2]


def test_largest_nucleus_owns_the_cell_and_the_first_of_equals() -> None:
    assert check([1, 2, 2, 0, 0], [3, 3, 3, 3, 3]) == [1, 2, 2, 2, 2]
    assert check([2, 2, 1, 1, 0], [3, 3, 3, 3, 3]) == [2, 2, 1, 1, 1]


def test_nucleus_without_a_cell_becomes_one_and_cell_without_a_nucleus_stays() -> None:
    assert check([1, 1, 0, 0, 0], [0, 0, 0, 2, 2]) == [1, 1, 0, 2, 2]


def test_nucleus_takes_its_pixels_from_the_neighbouring_cell() -> None:
    assert check([1, 1, 1, 0, 0], [2, 2, 3, 3, 2]) == [1, 1, 1, 3, 1]


def test_no_nuclei_or_no_cells() -> None:
    assert check([0, 0, 0], [1, 1, 2]) == [1, 1, 2]
    assert check([1, 1, 2], [0, 0, 0]) == [1, 1, 2]
    assert check([0, 0], [0, 0]) == [0, 0]


def test_votes_over_many_small_pieces_elect_no_cell() -> None:
    # Every binary digit of 7 has a majority among 3, 5, 6, yet cell 7 does not touch the nucleus.
    nuclei = [0] * 3 + [8] * 3 + [0]
    assert check(nuclei, [0, 0, 0, 3, 5, 6, 7]) == [0, 0, 0, 8, 8, 8, 7]


def test_numbers_up_to_a_hundred_thousand() -> None:
    nuclei = np.arange(1, 100_001).repeat(2)
    cells = np.arange(100_001, 200_001).repeat(2)
    np.testing.assert_array_equal(matched(nuclei, cells), nuclei)
