"""Make sizes fit the network's levels by mirroring the image at its borders."""

import torch
from torch import Tensor

from . import loops

__all__ = ["crop_axis", "grow", "mirror", "pad_axis", "pad_to_multiple", "pad_with_zeros"]


def mirror(place: Tensor, size: int) -> Tensor:
    """Return the pixels that stand at ``place`` when an image is mirrored back and forth beyond its borders.

    Args:
        place: any shape, int64.
        size: of the image along that axis, at least 1.
    """
    period = torch.full([1], 2 * (size - 1), dtype=torch.int64, device=place.device).clamp(min=1)
    place = torch.abs(place) % period
    return torch.where(place < size, place, period - place)


def pad_axis(image: Tensor, axis: int, multiple: int, before: int) -> Tensor:
    """Mirror ``image`` at the ends of an axis until its size is a multiple.

    Equal to reflection padding where that is defined; an image smaller than its padding is mirrored back and forth.

    Args:
        image: any shape, at least 1 along the axis.
        axis: of the image.
        multiple: at least 1.
        before: how much of the padding lies before the image.
    """
    padded = (image.shape[axis] + multiple - 1) // multiple * multiple
    if torch.jit.is_scripting():
        if padded == image.shape[axis]:
            return image
    elif loops.is_bounded() and padded == image.shape[axis]:
        # Elsewhere an exporter would conclude that all images are of such sizes.
        return image
    return image.index_select(axis, mirror(torch.arange(padded, device=image.device) - before, image.shape[axis]))


def crop_axis(image: Tensor, axis: int, before: int, size: int) -> Tensor:
    """Undo :func:`pad_axis` for an axis that had ``size`` pixels.

    It gathers: an exporter concludes from the ends of a slice what sizes an image may have.
    """
    return image.index_select(axis, torch.arange(size, device=image.device) + before)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Mirror ``image`` at its lower and right border until height and width are multiples.

    Equal to reflection padding where that is defined; an image smaller than its padding is mirrored back and forth.

    Args:
        image: (B, C, H, W), H and W at least 1.
        multiple: at least 1.

    Returns:
        (B, C, H', W') with ``image`` in its upper left corner.
    """
    return pad_axis(pad_axis(image, 2, multiple, 0), 3, multiple, 0)


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
