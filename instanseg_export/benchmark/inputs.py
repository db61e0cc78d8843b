"""The images of a benchmark: those that are given, or the package's own, or a crowded one that is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from ..exported_model import ExportedModel
from ..images.synthetic import NamedImage, draw_nuclei

__all__ = ["batches_of", "choose_images", "dense_image", "normalised"]

_SPACING = 20.0
"""Pixels between neighbours where only a size or only a number of objects is given: nuclei of 10 µm at 0.5 µm."""

_SMALLEST_SPACING = 6.0
_DRAWN_BYTES = 8
"""Of a pixel while it is drawn, for the ground and, of each channel, for noise, light and result."""

_SIZE, _LARGEST_SIZE = 512, 32768


def choose_images(
    models: Sequence[ExportedModel], images: Sequence[NamedImage] | None, size: int | None, objects: int | None
) -> list[NamedImage]:
    """Return what to run.

    Raises:
        ImageError: a number is not positive, objects have no room, or an image does not fit a model.
    """
    if images and (size is not None or objects is not None):
        raise ImageError("Images are given, and a size or a number of objects too.", hint="Give one or the other.")
    channels = next((model.channels for model in models if model.channels is not None), 3)
    if images is not None:
        chosen = list(images)
    elif size is None and objects is None and models[0].samples:
        chosen = list(models[0].samples)
    else:
        chosen = [dense_image(channels, size, objects)]
    if not chosen:
        raise ImageError("There is no image to run.", hint="Give at least one, or none for the package's own.")
    for image in chosen:
        _check(image, models)
    return chosen


def _check(image: NamedImage, models: Sequence[ExportedModel]) -> None:
    try:
        shape = image.batch().shape
    except ValueError as error:
        raise ImageError(f"{error}.", hint="Give images as (C, H, W), or (B, C, H, W) for a batch.") from error
    for model in models:
        if model.channels is not None and shape[1] != model.channels:
            raise ImageError(
                f"The image {image.name} has {shape[1]} channel{'s' * (shape[1] != 1)}, but {model.name} takes "
                f"{model.channels}.",
                hint=f"Give images with {model.channels} channels, or none for a drawn one.",
            )


def batches_of(
    images: Sequence[NamedImage], models: Sequence[ExportedModel]
) -> tuple[list[npt.NDArray[np.float32]], list[str]]:
    """Return the images as float32 (B, C, H, W), and a note where they are normalised for models that may not do it."""
    batches = [image.batch() for image in images]
    foreign = [model.name for model in models if model.metadata is None]
    if not foreign:
        return batches, []
    note = f"Images are normalised beforehand for all models, since {' and '.join(foreign)} may not do it."
    return [normalised(batch) for batch in batches], [note]


def dense_image(channels: int, size: int | None, objects: int | None) -> NamedImage:
    """Draw soft ellipses close together.

    Args:
        channels: of the image.
        size: height and width in pixels; by default what the objects need.
        objects: about how many; by default as many as fit at 20 pixels from each to the next.

    Raises:
        ImageError: a number is not positive, or they have no room.
    """
    for what, value, most in (("size", size, _LARGEST_SIZE), ("number of objects", objects, 10**8)):
        if value is not None and not 1 <= value <= most:
            raise ImageError(
                f"The {what} {value} is {'not positive' if value < 1 else 'too large'}.",
                hint=f"Give a whole number from 1 to {most}.",
            )
    if size is None:
        size = _SIZE if objects is None else min(_LARGEST_SIZE, round(_SPACING * objects**0.5))
    spacing = _SPACING if objects is None else size / objects**0.5
    if spacing < _SMALLEST_SPACING:
        most = max(1, int((size / _SMALLEST_SPACING) ** 2))
        raise ImageError(
            f"{objects} objects have no room in {size} x {size} pixels.",
            hint=f"Give a larger --size, or at most {most} --objects.",
        )
    _check_memory(size, channels)
    array = draw_nuclei(10, channels, size, size, spacing=spacing, radius=0.33 * spacing, margin=spacing / 2)
    drawn = len(np.arange(min(spacing / 2, size / 2), size, spacing)) ** 2
    name = f"drawn, {size} x {size}"
    return NamedImage(name, array, f"about {drawn} drawn nuclei", sample=True)


def _check_memory(size: int, channels: int) -> None:
    """Refuse an image that cannot be drawn here.

    Raises:
        ImageError: drawing it takes more memory than is free.
    """
    import psutil

    needed = size**2 * (_DRAWN_BYTES + 3 * _DRAWN_BYTES * channels)
    free = psutil.virtual_memory().available
    if needed > free:
        raise ImageError(
            f"Drawing {channels} x {size} x {size} pixels takes {needed / 1e9:.1f} GB, but only {free / 1e9:.1f} GB of "
            "memory are free.",
            hint="Give a smaller --size, or fewer --objects.",
        )


def normalised(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rescale each channel by its 0.1 and 99.9 percentiles and clamp to [-2, 3], as files of others expect it."""
    low, high = np.percentile(batch, [0.1, 99.9], axis=(2, 3), keepdims=True)
    scaled = (batch - low) / np.maximum(high - low, 1e-6)
    return np.ascontiguousarray(scaled.clip(-2.0, 3.0), dtype=np.float32)
