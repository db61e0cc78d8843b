"""TIFF as microscopes, OME, ImageJ and slide scanners write it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ..errors import ImageError
from .image import Array, Image, check_memory, default_names, without_alpha

__all__ = ["micrometres", "read_tiff", "square"]

_IN_MICROMETRES = {
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "in": 25400.0,
    "inch": 25400.0,
}
_COARSEST_TAG = 20.0
"""Resolution tags that give larger pixels, in micrometres, are a screen's or a printer's (72 to 1200 per inch)."""

_PAGES = "CIQ"
"""Axes that are taken for channels: named ones, and pages of which the file does not say what they are."""


def read_tiff(path: Path, dimensions: int = 2) -> Image:
    """Read a TIFF file: its first image at full resolution, without previews, labels and thumbnails of other sizes.

    Args:
        path: of the file.
        dimensions: 2 for an image, 3 for a volume.

    Raises:
        ImageError: it holds a volume where an image is wanted, or an image where a volume is, a time series, several
            images of one size, or more axes than that.
    """
    import tifffile

    with tifffile.TiffFile(path) as tif:
        if not tif.series:
            raise ImageError(f"{path} holds no image.", hint="Export it again.")
        series: Any = tif.series[0]
        same = sum(other.shape == series.shape for other in tif.series)
        if same > 1:
            raise ImageError(f"{path} holds {same} images of one size.", hint="Save the one that you mean alone.")
        check_memory(path, int(np.prod(series.shape)) * series.dtype.itemsize)
        _check_pages(path, series)
        if dimensions == 3:
            array, colour = _slices(path, series.asarray(), series.axes), False
        else:
            array, colour = _planes(path, series.asarray(), series.axes)
        names = _channel_names(tif, array.shape[0]) or default_names(array.shape[0], colour=colour)
        return Image(array, _pixel_size(tif), names, path, _slice_distance(tif) if dimensions == 3 else None)


def _check_pages(path: Path, series: Any) -> None:
    """tifffile fills what a truncated file lacks with zeros: find out before."""
    size = path.stat().st_size
    for page in series.pages:
        if page is None:
            raise ImageError(f"{path} lacks one of its {len(series.pages)} pages.", hint="Copy or export it again.")
        ends = (start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > size:
            raise ImageError(
                f"{path} is truncated: its pixels end at byte {max(ends, default=size)}, the file at {size}.",
                hint="Copy or export it again.",
            )


def _planes(path: Path, array: Array, axes: str) -> tuple[Array, bool]:
    """Return the pixels as (C, H, W), and whether they are the samples of a colour picture."""
    keep = [index for index, axis in enumerate(axes) if axis in "YX" or array.shape[index] > 1]
    array = array.reshape([array.shape[index] for index in keep])
    axes = "".join(axes[index] for index in keep)
    facts = f"{path} has axes {axes} of {' x '.join(map(str, array.shape))}"
    if "T" in axes:
        raise ImageError(f"{facts}: it is a time series.", hint="Save one time point as its own file.")
    if "Z" in axes:
        raise ImageError(
            f"{facts}: it is a volume.",
            hint="Save one slice or a projection; if the slices are channels, say so in Fiji: Image > Properties.",
        )
    others = [axis for axis in axes if axis not in "YX"]
    if axes.count("Y") != 1 or axes.count("X") != 1 or len(others) > 1 or any(a not in _PAGES + "S" for a in others):
        raise ImageError(f"{facts}: an image has height, width and channels.", hint="Save one plane per channel.")
    order = [axes.index(axis) for axis in (*others, "Y", "X")]
    array = np.ascontiguousarray(array.transpose(order))
    colour = others == ["S"]
    if not others:
        array = array[None]
    if colour and array.shape[0] in (2, 4):
        array = without_alpha(array, path)
    return array, colour


def _slices(path: Path, array: Array, axes: str) -> Array:
    """Return the pixels as (C, D, H, W). Pages of which the file does not say what they are are taken for slices."""
    keep = [index for index, axis in enumerate(axes) if axis in "ZYX" or array.shape[index] > 1]
    array = array.reshape([array.shape[index] for index in keep])
    axes = "".join(axes[index] for index in keep)
    if "Z" not in axes:
        axes = axes.replace("I", "Z", 1) if "I" in axes else axes.replace("Q", "Z", 1)
    facts = f"{path} has axes {axes} of {' x '.join(map(str, array.shape))}"
    if "Z" not in axes:
        raise ImageError(f"{facts}: it is a flat image, and the model takes volumes.", hint="Give a stack of slices.")
    others = [axis for axis in axes if axis not in "ZYX"]
    if sorted(axis for axis in axes if axis in "ZYX") != ["X", "Y", "Z"] or others not in ([], ["C"]):
        raise ImageError(
            f"{facts}: a volume has slices, height, width and channels.", hint="Save one time point alone."
        )
    array = array.transpose([axes.index(axis) for axis in (*others, *"ZYX")])
    return np.ascontiguousarray(array if others else array[None])


def _slice_distance(tif: Any) -> float | None:
    if tif.is_ome:
        return _ome_size(tif.ome_metadata, "Z")
    if tif.is_imagej:
        unit, spacing = micrometres(str(tif.imagej_metadata.get("unit", ""))), tif.imagej_metadata.get("spacing")
        if unit is not None and isinstance(spacing, (int, float)) and spacing > 0:
            return float(spacing) * unit
    return None


def _pixel_size(tif: Any) -> float | None:
    if tif.is_ome:
        return _ome_pixel_size(tif.ome_metadata)
    page = tif.pages[0]
    if tif.is_svs:
        match = re.search(r"MPP\s*=\s*([\d.]+)", page.description)
        return square(float(match[1]), float(match[1])) if match else None
    tags = [page.tags.get(name) for name in ("YResolution", "XResolution")]
    if None in tags:
        return None
    per_unit = [tag.value[0] / tag.value[1] if tag.value[1] else 0.0 for tag in tags]
    if not all(value > 0 for value in per_unit):
        return None
    if tif.is_imagej and tif.imagej_metadata.get("unit"):
        unit = micrometres(tif.imagej_metadata["unit"])
        return None if unit is None else square(*(unit / value for value in per_unit))
    unit = {2: 25400.0, 3: 10000.0}.get(int(page.tags.valueof("ResolutionUnit", default=1)))
    size = None if unit is None else square(*(unit / value for value in per_unit))
    return None if size is None or size > _COARSEST_TAG else size


def _ome_pixel_size(xml: str) -> float | None:
    height, width = _ome_size(xml, "Y"), _ome_size(xml, "X")
    return None if height is None or width is None else square(height, width)


def _ome_size(xml: str, axis: str) -> float | None:
    """Return the physical size of a pixel along an axis, in micrometres."""
    pixels = next((element for element in _elements(xml) if _local(element) == "Pixels"), None)
    unit = None if pixels is None else micrometres(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    if pixels is None or unit is None:
        return None
    try:
        size = float(pixels.attrib[f"PhysicalSize{axis}"]) * unit
    except (KeyError, ValueError):
        return None
    return size if 0 < size < math.inf else None


def micrometres(unit: str) -> float | None:
    """Return how many micrometres ``unit`` is, or None if it is no length that is known."""
    name = unit.strip().replace("\\u00B5", "µ")
    return _IN_MICROMETRES.get(name) or _IN_MICROMETRES.get(name.lower())


def square(height: float, width: float) -> float | None:
    """Return the pixel size if both edges are positive, finite and equal within 1 %, and None otherwise."""
    if not (0 < height < math.inf and 0 < width < math.inf) or abs(height - width) > 0.01 * max(height, width):
        return None
    return (height + width) / 2


def _channel_names(tif: Any, channels: int) -> tuple[str, ...] | None:
    """Return the names that the file gives its channels, if it gives one to each."""
    names: list[str | None]
    if tif.is_ome:
        elements = _elements(tif.ome_metadata)
        first = next((element for element in elements if _local(element) == "Pixels"), None)
        found = [] if first is None else [element for element in first if _local(element) == "Channel"]
        names = [element.get("Name") for element in found]
    elif tif.is_imagej:
        labels = tif.imagej_metadata.get("Labels") or []
        names = [labels] if isinstance(labels, str) else list(labels)
    elif tif.is_qpi:
        pages = tif.series[0].pages
        names = [_text(page.description, "Name") for page in pages]
    else:
        return None
    return tuple(str(name) for name in names) if len(names) == channels and all(names) else None


def _text(xml: str, name: str) -> str | None:
    return next((element.text for element in _elements(xml) if _local(element) == name), None)


def _elements(xml: str) -> Iterable[ElementTree.Element]:
    try:
        # The text is decoded already, so a declaration of another encoding would be wrong.
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", xml)).iter()
    except ElementTree.ParseError:
        return ()


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
