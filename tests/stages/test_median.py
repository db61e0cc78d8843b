"""The median of eight against sorting."""

from __future__ import annotations

import itertools

import pytest
import torch

from instanseg_export.stages.median import median_of_eight
from instanseg_export.stages.sentinels import huge
from support.scripted import agreed


def _cases() -> dict[str, torch.Tensor]:
    # A network of exchanges that sorts all zeros and ones sorts everything (the zero-one principle).
    zeros_and_ones = torch.tensor(list(itertools.product([0.0, 1.0], repeat=8)))
    orders = torch.tensor(list(itertools.permutations(range(8))), dtype=torch.float32)
    outside = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    outside[::3] = -huge()
    outside[1::3, ::2] = -huge()
    return {"zeros and ones": zeros_and_ones, "all orders": orders, "outside of the image": outside}


@pytest.mark.parametrize("name", _cases())
def test_is_what_sorting_finds(name: str) -> None:
    values = _cases()[name]
    in_order = values.sort(dim=1).values
    found = agreed(median_of_eight, list(values.unbind(1)))
    assert torch.equal(found, (in_order[:, 3] + in_order[:, 4]) / 2)
