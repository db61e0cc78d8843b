"""What accumulates along an axis and has no operator of its own everywhere."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["running_maximum"]


def running_maximum(values: Tensor, dim: int) -> Tensor:
    """Return the largest of each value and all before it along a dimension of fixed size, by doubling the reach.

    Args:
        values: any shape, float32, at least 0.
        dim: along which.
    """
    size, reach = values.shape[dim], 1
    while reach < size:
        earlier = F.pad(values.narrow(dim, 0, size - reach), [0, 0] * (values.dim() - 1 - dim) + [reach, 0])
        values = torch.maximum(values, earlier)
        reach *= 2
    return values
