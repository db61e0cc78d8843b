"""OME-Zarr folders, versions 0.1 to 0.5 (https://ngff.openmicroscopy.org), and plain Zarr arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from ...errors import ImageError
from ...untrusted.boundary import parsing, plain
from ..image import Array, ImageInfo, Region, default_names
from ..lengths import Stated, micrometres, misunderstood, no_unit, number, stated, unsaid
from ..notes import about_pixel_size
from .axes import few_channels
from .zarr_chunks import check_chunks
from .zarr_metadata import Node, array_metadata, read_node

__all__ = ["READER", "ZarrReader"]

_TYPES = {"channel": "c", "time": "t"}
_NAMES = {"channel": "c", "channels": "c", "time": "t", "s": "c", "row": "y", "column": "x", "depth": "z"}
_GUESSED = {(2, 2): "yx", (3, 3): "zyx", (3, 4): "czyx"}
"""Axes of plain arrays that do not name them, by (dimensions, axes of the array)."""

_MOST_LEVELS = 100


@dataclass(frozen=True)
class _Described:
    """What the metadata of an image say.

    Attributes:
        array: the node with its pixels.
        axes: a letter for each: t, c, z, y, x, or a name of its own.
        said: of the size of its pixels.
        slice_distance: in micrometres.
        names: of its channels, as far as there are any.
        notes: what was assumed, as sentences.
    """

    array: Node
    axes: list[str]
    said: Stated
    slice_distance: float | None
    names: list[str]
    notes: list[str]


class ZarrReader:
    """Reads Zarr folders. See :class:`.source.ImageReader`."""

    name = "zarr"
    describes = "OME-Zarr folders and Zarr arrays"
    suffixes: tuple[str, ...] = ()

    def recognises(self, path: Path, start: bytes) -> bool:
        """See :class:`.source.ImageReader`."""
        return path.is_dir() and read_node(path) is not None

    @contextmanager
    def open(self, path: Path, dimensions: int) -> Iterator[ZarrSource]:
        """Open the finest level of a multiscale image, or a plain array.

        Raises:
            ImageError: the folder holds several images, a volume or a time series where an image is wanted, claims
                more than it holds, or zarr is not installed.
        """
        node = read_node(path)
        assert node is not None, "it was recognised"
        try:
            import zarr  # noqa: F401
        except ImportError as error:
            raise ImageError(
                f"{path} is an OME-Zarr image, and the package that reads those is not installed.",
                hint="pip install 'instanseg-export[scale]'",
            ) from error
        with parsing(path, "the Zarr", ImageError):
            described = _plain(node, dimensions) if node.array is not None else _multiscale(node)
            yield ZarrSource(path, described, dimensions)


READER = ZarrReader()


class ZarrSource:
    """An array of a Zarr, opened. See :class:`.source.Source`."""

    def __init__(self, path: Path, described: _Described, dimensions: int) -> None:
        self._path, self._described = path, described
        self._metadata = array_metadata(described.array)
        self.found: list[str] = []
        shape, axes = self._metadata.shape, described.axes
        if len(axes) != len(shape):
            raise ImageError(
                f"{path} names {len(axes)} axes ({plain(', '.join(axes), 80)}) of an array with {len(shape)}.",
                hint="Export it again.",
            )
        sizes = dict(zip(axes, shape, strict=True))
        wanted = "czyx" if dimensions == 3 else "cyx"
        for name, size in sizes.items():
            if name not in wanted and size > 1:
                raise _other_axis(path, name, size)
        if "y" not in sizes or "x" not in sizes or len(sizes) != len(axes):
            raise ImageError(
                f"{path} has axes {plain(', '.join(axes), 80)}.", hint="An image has the axes y and x, and may have c."
            )
        if dimensions == 3 and "z" not in sizes:
            raise ImageError(
                f"{path} is a flat image, and the model takes volumes.", hint="Give an image with a z axis."
            )
        channels = sizes.get("c", 1)
        note, remarks = about_pixel_size(path, described.said)
        names = described.names
        self.info = ImageInfo(
            (channels, *((sizes["z"],) if dimensions == 3 else ()), sizes["y"], sizes["x"]),
            self._metadata.dtype.newbyteorder("="),
            described.said.size,
            note,
            tuple(names)
            if len(names) == channels and all(names)
            else default_names(min(channels, 10**6), colour=False),
            path,
            (*described.notes, *remarks),
            described.slice_distance if dimensions == 3 else None,
        )

    def read(self, channels: Sequence[int], region: Region) -> Array:
        """See :meth:`.source.Source.read`."""
        import zarr

        axes, shape = self._described.axes, self._metadata.shape
        spans = {
            "c": (min(channels), max(channels) + 1),
            "z": (0, self.info.shape[1] if len(self.info.shape) == 4 else 1),
            "y": (region.y, region.y + region.height),
            "x": (region.x, region.x + region.width),
        }
        selection = [spans.get(name, (0, 1)) for name in axes]
        touched = check_chunks(self._described.array.path, self._metadata, selection)
        if touched.missing:
            if touched.missing == touched.files and math.prod(shape) == math.prod(b - a for a, b in selection):
                raise ImageError(
                    f"{self._path} holds no pixels: none of its {touched.files} chunks is there.",
                    hint="Copy or export it again.",
                )
            share = 100 * touched.missing / touched.files
            self.found.append(
                f"{self._path.name} lacks {touched.missing} of {touched.files} chunks ({share:.2g} %): they were taken "
                "to hold its fill value. Writers leave such chunks out; a copy that was interrupted looks the same."
            )
        array: Any = zarr.open_array(self._described.array.path, mode="r")
        if tuple(array.shape) != shape:
            raise ImageError(f"{self._path} changed while it was read.", hint="Try again.")
        read = np.asarray(array[tuple(slice(*span) for span in selection)])
        kept = [name for name in axes if name in ("c", "z", "y", "x")]
        read = read.reshape([size for size, name in zip(read.shape, axes, strict=True) if name in kept])
        order = [name for name in ("c", "z", "y", "x") if name in kept]
        read = read.transpose([kept.index(name) for name in order])
        if "c" not in order:
            read = read[None]
        if "z" in order and len(self.info.shape) == 3:
            read = read[:, 0]
        return read[[channel - spans["c"][0] for channel in channels]].astype(self.info.dtype, copy=False)


def _other_axis(path: Path, name: str, size: int) -> ImageError:
    what, hint = {
        "t": ("a time series", "Save one time point as its own image."),
        "z": ("a volume", "Save one slice or a projection as its own image."),
    }.get(name, ("no image", "An image has the axes y and x, and may have c."))
    return ImageError(f"{path} is {what}: its {plain(name, 40)} axis has {size} steps.", hint=hint)


def _multiscale(node: Node) -> _Described:
    attributes = node.attributes
    if isinstance(attributes.get("ome"), Mapping):
        attributes = attributes["ome"]
    notes: list[str] = []
    scales = attributes.get("multiscales")
    if not isinstance(scales, list) or not scales:
        return _inside(node, attributes)
    if len(scales) > 1:
        notes.append(f"{node.path.name} describes {len(scales)} images: the first was taken.")
    multiscale = scales[0]
    level, array = _finest(node, multiscale["datasets"], notes)
    count = len(array_metadata(array).shape)
    entries = multiscale.get("axes")
    if not entries:
        entries = list("tczyx")[-count:]
        if count != 5:
            notes.append(f"{node.path.name} does not name its axes: they were taken for {', '.join(entries)}.")
    axes = [entry if isinstance(entry, Mapping) else {"name": entry} for entry in entries]
    letters = [_letter(axis) for axis in axes]
    factors = _factors(multiscale, level, len(axes))
    if "image-label" in attributes:
        notes.append(f"{node.path.name} is a label image, not a picture.")
    return _Described(
        array,
        letters,
        _pixel_size(axes, letters, factors),
        _slice_distance(axes, letters, factors),
        _omero_names(attributes),
        notes,
    )


def _finest(node: Node, levels: Sequence[Any], notes: list[str]) -> tuple[Mapping[str, Any], Node]:
    """Return the level with the most pixels: the first, by the standard, which not every writer keeps.

    Returns:
        What is said of it, and its array.

    Raises:
        ImageError: the first lies elsewhere, or is lost.
    """
    found = []
    for level in levels[:_MOST_LEVELS]:
        place = str(level["path"])
        if PurePosixPath(place).is_absolute() or PureWindowsPath(place).drive or ".." in PureWindowsPath(place).parts:
            raise ImageError(f"{node.path} asks for {plain(place, 120)}, outside of itself.", hint="Export it again.")
        array = read_node(node.path / place)
        if array is not None and array.array is not None:
            found.append((level, place, array))
        elif not found:
            raise ImageError(
                f"{node.path} lacks its finest level, {plain(place, 120)}.", hint="Copy or export it again, as a whole."
            )
    pixels = [math.prod(array_metadata(array).shape) for _, _, array in found]
    best = pixels.index(max(pixels))
    if best:
        notes.append(f"{node.path.name} does not begin with its finest level: {plain(found[best][1], 120)} was taken.")
    level, _, array = found[best]
    return level, array


def _inside(node: Node, attributes: Mapping[str, Any]) -> _Described:
    """Take the one image of a collection, or say what the collection is.

    Raises:
        ImageError: it holds none, or several.
    """
    path = node.path
    entries = [entry for _, entry in zip(range(10_000), path.iterdir(), strict=False)]
    inside = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    if "bioformats2raw.layout" in attributes and [name for name in inside if name != "OME"] == ["0"]:
        only = read_node(path / "0")
        if only is not None and only.array is None:
            found = _multiscale(only)
            found.notes.append(f"{path.name} is a collection of one image, 0, which was taken.")
            return found
    kinds = (("plate", "a plate"), ("well", "a well"), ("labels", "a list of label images"))
    kind = next((words for key, words in kinds if key in attributes), "a collection")
    raise ImageError(
        f"{path} is {kind}, not a single image.",
        hint=f"Give one of the images inside, as in {path / plain(inside[0] if inside else '0', 80)}.",
    )


def _plain(node: Node, dimensions: int) -> _Described:
    assert node.array is not None
    shape = array_metadata(node).shape
    named = node.array.get("dimension_names") or node.attributes.get("_ARRAY_DIMENSIONS")
    if isinstance(named, list) and len(named) == len(shape) and all(isinstance(name, str) for name in named):
        axes = [_letter({"name": name}) for name in named]
        note = f"{node.path.name} is a plain Zarr array, with axes {plain(', '.join(axes), 80)}."
    else:
        guess = _GUESSED.get((dimensions, len(shape)))
        if guess is None and dimensions == 2 and len(shape) == 3:
            guess = {"first": "cyx", "last": "yxc"}.get(few_channels((shape[0], shape[1], shape[2])))
        if guess is None:
            raise ImageError(
                f"{node.path} is a plain Zarr array of {' x '.join(map(str, shape))}, and does not say what its axes "
                "are.",
                hint="Write it as OME-Zarr, or with dimension_names.",
            )
        axes = list(guess)
        note = (
            f"{node.path.name} is a plain Zarr array, which does not say what its axes are: they were taken for "
            f"{', '.join(axes)}."
        )
    return _Described(node, axes, unsaid(), None, [], [note])


def _letter(axis: Mapping[str, Any]) -> str:
    name = str(axis.get("name", "")).lower()
    return _TYPES.get(str(axis.get("type", "")).lower()) or _NAMES.get(name, name)


def _factors(multiscale: Mapping[str, Any], level: Mapping[str, Any], count: int) -> list[float] | str | None:
    """Return the product of both levels' scales; None if there is none, or what is not understood."""
    factors = [1.0] * count
    found = False
    for part in (level, multiscale):
        for one in part.get("coordinateTransformations") or ():
            kind = one.get("type")
            if kind in ("identity", "translation"):
                continue
            scale = one.get("scale")
            values = [number(value) for value in scale] if isinstance(scale, list) else []
            if kind != "scale" or len(values) != count or None in values:
                return plain(one, 120)
            factors = [factor * (value or 0.0) for factor, value in zip(factors, values, strict=True)]
            found = True
    return factors if found else None


def _pixel_size(axes: list[Mapping[str, Any]], letters: list[str], factors: list[float] | str | None) -> Stated:
    source = "coordinate transformations"
    if factors is None or "y" not in letters or "x" not in letters:
        return unsaid()
    if isinstance(factors, str):
        return misunderstood(source, factors)
    places = [letters.index("y"), letters.index("x")]
    scales = [factors[place] for place in places]
    units = [axes[place].get("unit") for place in places]
    if all(unit is None or no_unit(unit) for unit in units):
        if scales == [1, 1]:
            return unsaid()
        return misunderstood(source, f"a scale of {scales[0]:g} x {scales[1]:g} without a unit")
    sizes = [
        None if (factor := micrometres(unit)) is None else scale * factor
        for scale, unit in zip(scales, units, strict=True)
    ]
    return stated(sizes[0], sizes[1], source, f"{scales[0]:g} {units[0]} x {scales[1]:g} {units[1]}")


def _slice_distance(
    axes: list[Mapping[str, Any]], letters: list[str], factors: list[float] | str | None
) -> float | None:
    if not isinstance(factors, list) or "z" not in letters:
        return None
    place = letters.index("z")
    factor = micrometres(axes[place].get("unit", ""))
    return factors[place] * factor if factor is not None and factors[place] > 0 else None


def _omero_names(attributes: Mapping[str, Any]) -> list[str]:
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list):
        return []
    return [plain(one.get("label") or "", 120) if isinstance(one, Mapping) else "" for one in channels]
