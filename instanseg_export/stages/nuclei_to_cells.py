"""Match nuclei and cells, so that one id means one cell in both label maps."""

from functools import partial
from typing import Tuple  # noqa: UP035 -- TorchScript reads it

import torch
from torch import Tensor

from . import loops
from .sentinels import no_owner

__all__ = ["match_nuclei_to_cells"]


def _vote(
    nucleus: Tensor, cell: Tensor, half_area: Tensor, cell_of: Tensor, power: Tensor, rest: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Decide one binary digit of each nucleus's cell by majority of its pixels."""
    digit = torch.div(cell, power, rounding_mode="floor") % 2
    votes = torch.zeros_like(half_area).scatter_add(0, nucleus, digit.to(torch.float32))
    won = (votes > half_area).to(torch.int64)
    return cell_of + won * power, power * 2, torch.div(rest, 2, rounding_mode="floor")


def _digits_left(cell_of: Tensor, power: Tensor, rest: Tensor) -> Tensor:
    return rest > 0


def _inside_nuclei(nuclei: Tensor, cells: Tensor) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """Return nucleus and cell of each pixel that is in a nucleus."""
    if not torch.jit.is_scripting():  # noqa: SIM102 -- TorchScript does not look behind this
        if loops.is_bounded():
            # All other pixels are of nucleus 0, which has no cell.
            return nuclei, cells * (nuclei > 0).to(torch.int64)
    inside = torch.nonzero(nuclei)[:, 0]
    return nuclei.index_select(0, inside), cells.index_select(0, inside)


def match_nuclei_to_cells(nuclei: Tensor, cells: Tensor, numbers: int) -> Tensor:
    """Give each nucleus and its cell one number (thesis, section 4.3.11).

    A nucleus belongs to the cell that covers more than half of it. Of several nuclei in one cell the largest is the
    cell's, and of equally large ones the first. A nucleus's pixels are its cell's too: they are written over the cell
    map, and so a nucleus without a cell, or a surplus one, becomes a cell of its own shape. Cells without a nucleus
    keep their number and what is left of their pixels.

    At most one cell covers more than half of a nucleus. The binary digits of its number therefore have a majority among
    the nucleus's pixels, and a vote digit by digit finds it without a table of all pairs.

    Args:
        nuclei: (pixels,) int64, 0 for background.
        cells: likewise. No number is used in both.
        numbers: exceeds the largest number.

    Returns:
        (pixels,) cells, int64; a matched cell has its nucleus's number.
    """
    device = nuclei.device
    nucleus, cell = _inside_nuclei(nuclei, cells)
    zeros = torch.zeros([numbers], device=device)
    area = zeros.scatter_add(0, nucleus, torch.ones_like(nucleus, dtype=torch.float32))
    half_area = area * 0.5

    cell_of = torch.zeros([numbers], dtype=torch.int64, device=device)
    power = torch.ones([], dtype=torch.int64, device=device)
    rest = cells.max()
    if torch.jit.is_scripting():
        while bool(_digits_left(cell_of, power, rest)):
            cell_of, power, rest = _vote(nucleus, cell, half_area, cell_of, power, rest)
    else:
        state = (cell_of, power, rest)
        vote = partial(_vote, nucleus, cell, half_area)
        digits = numbers.bit_length() if loops.is_bounded() else 0
        cell_of, _, _ = loops.while_true(_digits_left, vote, state, bound=digits, enough=True)
    # Without a majority the digits are those of no cell in particular.
    cell_of = torch.where(cell_of < numbers, cell_of, torch.zeros_like(cell_of))
    agrees = (cell == cell_of.index_select(0, nucleus)) & (cell > 0)
    covered = zeros.scatter_add(0, nucleus, agrees.to(torch.float32))
    cell_of = torch.where(covered > half_area, cell_of, torch.zeros_like(cell_of))

    number = torch.arange(numbers, device=device)
    largest = zeros.scatter_reduce(0, cell_of, area, "amax", include_self=True)
    is_largest = (area == largest.index_select(0, cell_of)) & (cell_of > 0)
    unclaimed = torch.full([numbers], no_owner(), device=device)
    claim = torch.where(is_largest, number.to(torch.float32), unclaimed)
    winner = unclaimed.scatter_reduce(0, cell_of, claim, "amin", include_self=True)
    number_of_cell = torch.where(winner < no_owner(), winner.to(torch.int64), number)

    renumbered = number_of_cell.index_select(0, cells) * (cells > 0).to(torch.int64)
    return torch.where(nuclei > 0, nuclei, renumbered)
