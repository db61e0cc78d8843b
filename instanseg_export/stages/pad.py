"""Make height and width fit the network's levels by growing the image at its lower and right border."""

import torch
from torch import Tensor

__all__ = ["grow", "pad_to_multiple", "pad_with_zeros"]


def _mirror(size: int, multiple: int, device: torch.device) -> Tensor:
    padded = (size + multiple - 1) // multiple * multiple
    period = torch.full([1], 2 * (size - 1), dtype=torch.int64, device=device).clamp(min=1)
    place = torch.arange(padded, device=device) % period
    return torch.where(place < size, place, period - place)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Mirror ``image`` at its lower and right border until height and width are multiples.

    Equal to reflection padding where that is defined; an image smaller than its padding is mirrored back and forth.

    Args:
        image: (B, C, H, W), H and W at least 1.
        multiple: at least 1.

    Returns:
        (B, C, H', W') with ``image`` in its upper left corner.
    """
    rows = _mirror(image.shape[2], multiple, image.device)
    columns = _mirror(image.shape[3], multiple, image.device)
    return image.index_select(2, rows).index_select(3, columns)


def grow(x: Tensor, dim: int, size: int) -> Tensor:
    """Add zeros at the end of a dimension until it has ``size`` places."""
    # Not torch's padding, which has another path for "nothing to add" and so fixes sizes when it is exported.
    place = torch.arange(size, device=x.device)
    shape = [1] * x.dim()
    shape[dim] = size
    inside = (place < x.shape[dim]).to(x.dtype).view(shape)
    return x.index_select(dim, place.clamp(max=x.shape[dim] - 1)) * inside


def pad_with_zeros(image: Tensor, multiple: int) -> Tensor:
    """Add zeros at the lower and right border of ``image`` until height and width are multiples.

    Args:
        image: (B, C, H, W), H and W at least 1; finite.
        multiple: at least 1.
    """
    rows = (image.shape[2] + multiple - 1) // multiple * multiple
    columns = (image.shape[3] + multiple - 1) // multiple * multiple
    return grow(grow(image, 2, rows), 3, columns)
