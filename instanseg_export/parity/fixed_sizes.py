"""Images for files that take one size only: those of a validation, cut or mirrored to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import PackageError
from ..exported_model import ExportedModel
from ..images.named import NamedImage
from ..images.synthetic import TELLING
from ..targets import TARGETS

__all__ = ["fitted", "fixed_shapes", "with_fixed_sizes"]


def with_fixed_sizes(images: Sequence[NamedImage], shapes: Sequence[tuple[int, ...]]) -> list[NamedImage]:
    """Add images (B, C, [D,] H, W) of each of the shapes that files take as their only one, where none has it.

    They are made from pictures of something, and from the most telling ones of the standard set. Every runtime gets
    them, so that what is compared is the same image.
    """
    result = list(images)
    for shape in shapes:
        if not any(image.batch().shape == shape for image in images):
            suited = [image for image in images if image.sample or image.name in TELLING] or images[:1]
            result += [fitted for image in suited if (fitted := _fit(image, shape)) is not None]
    return result


def fixed_shapes(model: ExportedModel) -> list[tuple[int, ...]]:
    """Return the only shapes of images that files of a model take."""
    shapes = []
    for target in TARGETS:
        file = None if target.dynamic_shapes else model.file(target.filename)
        if file is None:
            continue
        try:
            metadata = target.read_metadata(file)
        except PackageError:
            continue  # its row of the report says so
        if metadata is not None and metadata.image_shape is not None:
            shapes.append(metadata.image_shape)
    return list(dict.fromkeys(shapes))


def fitted(values: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return the upper left part of an array, mirrored at its ends where it is smaller than the shape."""
    cut = values[tuple(slice(size) for size in shape)]
    missing = [(0, size - has) for size, has in zip(shape, cut.shape, strict=True)]
    return np.pad(cut, missing, mode="symmetric")


def _fit(image: NamedImage, shape: tuple[int, ...]) -> NamedImage | None:
    """Return an image of that shape; None where the number of channels or of axes is another."""
    batch = image.batch()[:1]
    if batch.ndim != len(shape) or batch.shape[1] != shape[1]:
        return None
    size = " x ".join(map(str, shape[2:]))
    return NamedImage(
        f"{image.name}, {size}",
        fitted(batch, shape),
        f"the same, cut or mirrored to {size}",
        sample=image.sample,
        dimensions=image.dimensions,
    )
