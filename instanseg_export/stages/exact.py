"""Functions whose every bit is defined by IEEE 754, so that all runtimes agree on them."""

import torch
from torch import Tensor

__all__ = ["logit", "tanh"]


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
