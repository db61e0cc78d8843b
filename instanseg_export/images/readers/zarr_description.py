"""What the metadata of a Zarr image say: its levels, axes, pixel size and channels.

OME-Zarr, versions 0.1 to 0.5 (https://ngff.openmicroscopy.org), and plain arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from ...errors import ImageError
from ...untrusted.boundary import plain
from ..lengths import Stated, micrometres, misunderstood, no_unit, number, stated, unsaid
from .axes import few_channels
from .zarr_metadata import Node, array_metadata, read_node

__all__ = ["Described", "DescribedLevel", "describe"]

_TYPES = {"channel": "c", "time": "t"}
_NAMES = {"channel": "c", "channels": "c", "time": "t", "s": "c", "row": "y", "column": "x", "depth": "z"}
_GUESSED = {(2, 2): "yx", (3, 3): "zyx", (3, 4): "czyx"}
"""Axes of plain arrays that do not name them, by (dimensions, axes of the array)."""

_MOST_LEVELS = 100


@dataclass(frozen=True)
class DescribedLevel:
    """One resolution of an image.

    Attributes:
        array: the node with its pixels.
        place: of the array, below the image's own folder; "" for a plain array.
        scale: size of a pixel along each axis, in the axis's unit; None where it is not said, or not understood.
    """

    array: Node
    place: str
    scale: tuple[float, ...] | None


@dataclass(frozen=True)
class Described:
    """What the metadata of an image say.

    Attributes:
        levels: the finest first.
        axes: a letter for each: t, c, z, y, x, or a name of its own.
        said: of the size of its pixels.
        slice_distance: in micrometres.
        names: of its channels, as far as there are any.
        notes: what was assumed, as sentences.
    """

    levels: tuple[DescribedLevel, ...]
    axes: list[str]
    said: Stated
    slice_distance: float | None
    names: list[str]
    notes: list[str]

    @property
    def array(self) -> Node:
        """Return the node with the pixels of the finest level."""
        return self.levels[0].array


def describe(node: Node, dimensions: int) -> Described:
    """Return what a node's metadata say of the one image in it.

    Args:
        node: a multiscale image, a collection of one, or a plain array.
        dimensions: 2 for an image, 3 for a volume.

    Raises:
        ImageError: there is no single image, its finest level is lost, or its axes cannot be told.
    """
    return _plain(node, dimensions) if node.array is not None else _multiscale(node)


def _multiscale(node: Node) -> Described:
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
    found = _levels(node, multiscale["datasets"], notes)
    count = len(array_metadata(found[0][2]).shape)
    entries = multiscale.get("axes")
    if not entries:
        entries = list("tczyx")[-count:]
        if count != 5:
            notes.append(f"{node.path.name} does not name its axes: they were taken for {', '.join(entries)}.")
    axes = [entry if isinstance(entry, Mapping) else {"name": entry} for entry in entries]
    letters = [_letter(axis) for axis in axes]
    scales_of = [_factors(multiscale, level, len(axes)) for level, _, _ in found]
    factors = scales_of[0]
    if "image-label" in attributes:
        notes.append(f"{node.path.name} is a label image, not a picture.")
    return Described(
        tuple(
            DescribedLevel(array, place, tuple(scale) if isinstance(scale, list) else None)
            for (_, place, array), scale in zip(found, scales_of, strict=True)
        ),
        letters,
        _pixel_size(axes, letters, factors),
        _slice_distance(axes, letters, factors),
        _omero_names(attributes),
        notes,
    )


def _levels(node: Node, levels: Sequence[Any], notes: list[str]) -> list[tuple[Mapping[str, Any], str, Node]]:
    """Return the levels by their number of pixels: the first has the most, by the standard, which some writers break.

    Returns:
        For each, what is said of it, its place, and its array.

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
    ordered = sorted(found, key=lambda one: -math.prod(array_metadata(one[2]).shape))  # stable: the first of equals
    if ordered[0] is not found[0]:
        notes.append(f"{node.path.name} does not begin with its finest level: {plain(ordered[0][1], 120)} was taken.")
    return ordered


def _inside(node: Node, attributes: Mapping[str, Any]) -> Described:
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


def _plain(node: Node, dimensions: int) -> Described:
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
    return Described((DescribedLevel(node, "", None),), axes, unsaid(), None, [], [note])


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
