"""The median of eight tensors, by comparisons alone."""

import torch
from torch import Tensor

__all__ = ["median_of_eight"]


def _sort_four(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    a, b = torch.minimum(a, b), torch.maximum(a, b)
    c, d = torch.minimum(c, d), torch.maximum(c, d)
    a, c = torch.minimum(a, c), torch.maximum(a, c)
    b, d = torch.minimum(b, d), torch.maximum(b, d)
    return a, torch.minimum(b, c), torch.maximum(b, c), d


def median_of_eight(values: list[Tensor]) -> Tensor:
    """Return, element by element, the mean of the two middle ones of eight values.

    ONNX has no median, and sorting along an axis is slow; minima and maxima are fast, and exact everywhere.

    Args:
        values: eight tensors of one shape, float32, without NaN.
    """
    a0, a1, a2, a3 = _sort_four(values[0], values[1], values[2], values[3])
    b0, b1, b2, b3 = _sort_four(values[4], values[5], values[6], values[7])
    # As Batcher's network merges two sorted halves, reduced to what reaches the two places in the middle.
    one = torch.maximum(torch.maximum(a0, b0), torch.minimum(a2, b2))
    other = torch.minimum(torch.maximum(a1, b1), torch.minimum(a3, b3))
    return (one + other) * 0.5
