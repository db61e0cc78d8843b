"""From the image's pixel size to another one, and label maps back.

The two sizes are in a ratio of whole numbers, fixed at export, so that every position and weight is computed from
integers and is the same in every runtime.
"""

import torch
from torch import Tensor

__all__ = ["labels_back", "resample"]


def _at_least_two(size: int) -> int:
    """At export a size that can be 1 is taken for one that cannot, unless it is a plain axis of an input."""
    if torch.jit.is_scripting():
        return max(size, 2)
    else:
        return torch.sym_max(size, 2)  # type: ignore[return-value]


def _weigh(size: int, numerator: int, denominator: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the first source pixel (N,) of each new one, and the triangle kernel's weights (taps, N)."""
    widest = max(numerator, denominator)
    taps = (2 * widest + numerator - 1) // numerator
    count = _at_least_two((size * numerator + denominator - 1) // denominator)
    # In units of 1 / (2 * numerator) of a source pixel, from the middle of the first one.
    middle = (2 * torch.arange(count, device=device) + 1) * denominator - numerator
    middle = middle.clamp(max=2 * numerator * (size - 1))
    first = torch.div(middle - 2 * widest, 2 * numerator, rounding_mode="floor") + 1
    places = first + torch.arange(taps, device=device)[:, None]
    weights = (2 * widest - torch.abs(2 * numerator * places - middle)).clamp(min=0)
    inside = (places >= 0) & (places < size)
    weights = (weights * inside.to(torch.int64)).to(torch.float32)
    return first, weights / weights.sum(dim=0, keepdim=True)


def resample(image: Tensor, numerator: int, denominator: int) -> Tensor:
    """Resample an image so that its number of rows and columns becomes ``numerator / denominator`` of what it is.

    Linear interpolation; where the image shrinks, the triangle widens to the new pixels' distance (antialiasing), as in
    Pillow. Pixels beyond the border count for nothing.

    Args:
        image: (B, C, H, W) float32, finite.
        numerator: of the ratio, at least 1.
        denominator: of the ratio, at least 1.

    Returns:
        (B, C, H', W') with H' = ceil(H * numerator / denominator), at least 2; the image itself if the ratio is 1.
    """
    if numerator == denominator:
        return image
    for axis in (2, 3):
        first, weights = _weigh(image.shape[axis], numerator, denominator, image.device)
        last = image.shape[axis] - 1
        shape = [-1, 1] if axis == 2 else [1, -1]
        total = image.index_select(axis, first.clamp(min=0, max=last)) * weights[0].view(shape)
        for tap in range(1, weights.shape[0]):
            total = total + image.index_select(axis, (first + tap).clamp(min=0, max=last)) * weights[tap].view(shape)
        image = total
    return image


def _source(size: int, numerator: int, denominator: int, device: torch.device) -> Tensor:
    return torch.div((2 * torch.arange(size, device=device) + 1) * numerator, 2 * denominator, rounding_mode="floor")


def labels_back(labels: Tensor, height: int, width: int, numerator: int, denominator: int) -> Tensor:
    """Bring label maps of a resampled image to the image's own pixels, each of which takes what lies at its middle.

    Args:
        labels: (B, T, H', W') of an image that :func:`resample` made.
        height: of the image before.
        width: of the image before.
        numerator: as for :func:`resample`.
        denominator: as for :func:`resample`.

    Returns:
        (B, T, height, width). An instance smaller than a pixel can be missing.
    """
    if numerator == denominator:
        return labels
    rows = _source(height, numerator, denominator, labels.device)
    columns = _source(width, numerator, denominator, labels.device)
    return labels.index_select(2, rows).index_select(3, columns)
