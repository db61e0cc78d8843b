"""Functions whose every bit is defined by IEEE 754, so that all runtimes agree on them."""

import torch
from torch import Tensor

__all__ = ["exp_of_negative", "logit", "sigmoid", "tanh"]


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent by Lambert's continued fraction, to about 2e-7.

    A quarter of the argument goes through the fraction's seventh convergent; two doublings,
    tanh 2a = 2 tanh a / (1 + tanh^2 a), bring it back.

    Args:
        x: any shape, float32, finite.
    """
    # From 9 on tanh is 1 in float32.
    quarter = x.clamp(min=-9.0, max=9.0) * 0.25
    square = quarter * quarter
    above = ((square + 378.0) * square + 17325.0) * square + 135135.0
    below = ((square * 28.0 + 3150.0) * square + 62370.0) * square + 135135.0
    half = quarter * above / below
    half = (half + half) / (half * half + 1.0)
    return (half + half) / (half * half + 1.0)


def logit(probability: Tensor) -> Tensor:
    """Where the sigmoid reaches ``probability``, rounded to 1/65536: the last bits of a logarithm differ by library.

    Args:
        probability: any shape, float32; beyond [1e-6, 1 - 1e-6] it counts as the nearer end.
    """
    p = probability.clamp(min=1e-6, max=1.0 - 1e-6)
    return torch.round(torch.log(p / (1.0 - p)) * 65536.0) / 65536.0


def sigmoid(x: Tensor) -> Tensor:
    """Logistic function by :func:`tanh`.

    Args:
        x: any shape, float32, finite.
    """
    return (tanh(x * 0.5) + 1.0) * 0.5


def exp_of_negative(x: Tensor) -> Tensor:
    """Exponential of numbers up to 0, to about 1e-5 of the result: a power series of x / 128, squared seven times.

    Args:
        x: any shape, float32, at most 0; below -80 it counts as -80.
    """
    y = x.clamp(min=-80.0) * 0.0078125
    series = y * (1.0 / 720.0) + (1.0 / 120.0)
    series = series * y + (1.0 / 24.0)
    series = series * y + (1.0 / 6.0)
    series = series * y + 0.5
    series = (series * y + 1.0) * y + 1.0
    for _ in range(7):
        series = series * series
    return series
