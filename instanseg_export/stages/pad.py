"""Make height and width fit the network's levels by mirroring the image at its lower and right border."""

import torch
from torch import Tensor

__all__ = ["mirror", "pad_to_multiple"]


def mirror(place: Tensor, size: int) -> Tensor:
    """Return the pixels that stand at ``place`` when an image is mirrored back and forth beyond its far border.

    Args:
        place: any shape, int64, at least 0.
        size: of the image along that axis, at least 1.
    """
    period = torch.full([1], 2 * (size - 1), dtype=torch.int64, device=place.device).clamp(min=1)
    place = place % period
    return torch.where(place < size, place, period - place)


def _mirrored(size: int, multiple: int, device: torch.device) -> Tensor:
    return mirror(torch.arange((size + multiple - 1) // multiple * multiple, device=device), size)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Mirror ``image`` at its lower and right border until height and width are multiples.

    Equal to reflection padding where that is defined; an image smaller than its padding is mirrored back and forth.

    Args:
        image: (B, C, H, W), H and W at least 1.
        multiple: at least 1.

    Returns:
        (B, C, H', W') with ``image`` in its upper left corner.
    """
    rows = _mirrored(image.shape[2], multiple, image.device)
    columns = _mirrored(image.shape[3], multiple, image.device)
    return image.index_select(2, rows).index_select(3, columns)
