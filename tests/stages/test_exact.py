"""Accuracy of the functions that are written out for the sake of equal bits."""

from __future__ import annotations

import math

import pytest
import torch

from instanseg_export.stages.exact import exp, logit, sigmoid, tanh
from support.scripted import agreed


def test_tanh_is_accurate_to_2e_7() -> None:
    x = torch.linspace(-20, 20, 400_001)
    error = agreed(tanh, x).double() - torch.tanh(x.double())
    assert float(error.abs().max()) < 2.5e-7


def test_tanh_is_odd_and_stays_within_one() -> None:
    x = torch.cat([torch.linspace(0, 12, 50_001), torch.tensor([1e-30, 1e-8, 1e8, 1e30])])
    assert torch.equal(tanh(-x), -tanh(x))
    assert float(tanh(x).max()) <= 1.0


def test_tanh_of_small_numbers_keeps_its_relative_accuracy() -> None:
    x = torch.logspace(-20, -2, 1000)
    assert float((tanh(x).double() / torch.tanh(x.double()) - 1).abs().max()) < 5e-7


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.5, 0.53, 0.7, 0.99, 1e-5])
def test_logit_inverts_the_sigmoid_to_its_grid(probability: float) -> None:
    result = agreed(logit, torch.tensor(probability)).item()
    assert abs(result - math.log(probability / (1 - probability))) < 1.1 / 131072
    assert (result * 65536).is_integer()


def test_logit_of_certainty_is_finite() -> None:
    low, high = agreed(logit, torch.tensor([0.0, 1.0])).tolist()
    assert -14 < low < -13
    assert 13 < high < 14


def test_exp_is_accurate_to_2e_7_of_its_value() -> None:
    x = torch.linspace(-39.9, 39.9, 400_001)
    error = agreed(exp, x).double() / torch.exp(x.double()) - 1
    assert float(error.abs().max()) < 2e-7


def test_exp_beyond_its_range_is_that_of_the_nearer_end() -> None:
    low, high = agreed(exp, torch.tensor([-1e30, 1e30])).tolist()
    assert low == pytest.approx(math.exp(-40))
    assert high == pytest.approx(math.exp(40))


def test_sigmoid_is_accurate_and_saturates_where_float32_does() -> None:
    x = torch.linspace(-30, 30, 400_001)
    result = agreed(sigmoid, x)
    assert float((result.double() - torch.sigmoid(x.double())).abs().max()) < 1.2e-7
    assert (result[x > 17.4] == 1).all()
    assert (result[x < 15] < 1).all()
