"""Functions whose every bit is defined by IEEE 754, so that all runtimes agree on them."""

import torch
from torch import Tensor

__all__ = ["exp", "logit", "sigmoid", "tanh"]


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


def exp(x: Tensor) -> Tensor:
    """Exponential function, to about 1e-7 of its value.

    A multiple of ln 2 is taken out, in two parts whose first has few digits, so that the difference stays exact; the
    rest goes through a polynomial (Moshier, Cephes library) and is scaled by a power of two from a table.

    Args:
        x: any shape, float32, finite; beyond [-40, 40] it counts as the nearer end.
    """
    x = x.clamp(min=-40.0, max=40.0)
    power = torch.round(x * 1.44269504)
    rest = (x - power * 0.693359375) + power * 2.12194440e-4
    series = ((((rest * 1.9875691500e-4 + 1.3981999507e-3) * rest + 8.3334519073e-3) * rest) + 4.1665795894e-2) * rest
    series = (series + 1.6666665459e-1) * rest + 5.0000001201e-1
    series = (series * rest) * rest + rest + 1.0
    powers = torch.tensor([2.0**i for i in range(-58, 59)], dtype=torch.float32, device=x.device)
    return series * powers[power.to(torch.int64) + 58]


def sigmoid(x: Tensor) -> Tensor:
    """Logistic function, to about 1e-7; 1 from about 17 on, as in every float32 implementation.

    Args:
        x: any shape, float32, finite; beyond [-40, 40] it counts as the nearer end.
    """
    return 1.0 / (exp(-x) + 1.0)
