"""Label maps as files that Fiji, QuPath and napari open."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...files import staged_files
from ..image import Array, PixelSize

__all__ = ["write_label_tiff", "write_labels"]

_LARGEST_UINT16 = 65_535
_LARGEST_FLOAT32 = 2**24


def write_labels(
    path: Path,
    labels: Array,
    pixel_size: float | PixelSize | None,
    *,
    names: tuple[str, ...] | None = None,
    slice_distance: float | None = None,
    overwrite: bool = False,
) -> None:
    """Write label maps as one deflated TIFF with a page per structure.

    The file is an ImageJ hyperstack as long as ImageJ has a type for its ids: uint16 up to 65,535, float32 up to 2^24.
    Beyond that it is a plain TIFF of type uint32, which napari and QuPath open.

    Args:
        path: of the file.
        labels: (T, H, W), or (T, D, H, W) of a volume, integer-valued and not negative.
        pixel_size: edge of a pixel, or its height and width, in micrometres; None if unknown.
        names: of the structures, as labels of the pages of an image.
        slice_distance: of a volume, in micrometres, or None if unknown.
        overwrite: replace a label file that this tool wrote and that was not changed since.

    Raises:
        OutputError: the file exists and may not be replaced, cannot be written, or the disk is full.
    """
    with staged_files(path.parent, overwrite=overwrite, sealed=path) as files:
        write_label_tiff(files.add(path), labels, pixel_size, names=names, slice_distance=slice_distance)


def write_label_tiff(
    path: Path,
    labels: Array,
    pixel_size: float | PixelSize | None,
    *,
    names: tuple[str, ...] | None = None,
    slice_distance: float | None = None,
) -> None:
    """Write label maps as :func:`write_labels` does, to a path that is the caller's own, without a seal."""
    import tifffile

    largest = int(labels.max(initial=0))
    imagej = largest <= _LARGEST_FLOAT32
    dtype = np.uint16 if largest <= _LARGEST_UINT16 else np.float32 if imagej else np.uint32
    volume = labels.ndim == 4
    metadata: dict[str, object] = {"axes": "ZCYX" if volume else "CYX"}
    if imagej:
        metadata |= {"mode": "grayscale", "min": 0.0, "max": float(max(largest, 1))}
        if names and not volume:
            metadata["Labels"] = list(names)
        if pixel_size:
            metadata["unit"] = "micron"
        if slice_distance and volume:
            metadata["spacing"] = slice_distance
    # ImageJ counts pixels per unit of its metadata, TIFF itself per centimetre.
    unit = 1.0 if imagej else 1e4
    height, width = pixel_size if isinstance(pixel_size, tuple) else (pixel_size, pixel_size)
    per_unit = (unit / width, unit / height) if height and width else None
    tifffile.imwrite(
        path,
        (labels.swapaxes(0, 1) if volume else labels).astype(dtype),
        imagej=imagej,
        photometric="minisblack",
        planarconfig=None,
        compression="zlib",
        resolution=per_unit,
        resolutionunit="NONE" if imagej or not per_unit else "CENTIMETER",
        metadata=metadata,
    )
