"""Annotations in GeoJSON (RFC 7946) as QuPath writes them, with pixels of full resolution for coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import shape as geometry_of
from shapely.geometry.base import BaseGeometry

from ...errors import ImageError
from ...untrusted.boundary import parsing, plain
from ...untrusted.json_texts import load_json

__all__ = ["read_annotation"]

_HINT = "Export annotations from QuPath: File > Export objects as GeoJSON."
_OBJECTS = ("detection", "cell", "tile", "tma_core")
"""QuPath's kinds of objects that no one draws to say where to look."""

_AREAS = ("Polygon", "MultiPolygon", "GeometryCollection")


def read_annotation(path: Path, height: int, width: int) -> BaseGeometry:
    """Return the area that a file marks on an image.

    Args:
        path: of the GeoJSON file: a feature, a collection or a list of features, or a geometry. Detections and cells
            in it are left out, and so are points and lines.
        height: of the image at full resolution.
        width: likewise.

    Returns:
        Polygons, in x and y pixels of full resolution, valid and inside of the image.

    Raises:
        ImageError: the file is missing, damaged, marks no area, or one that misses the image.
    """
    content = load_json(path, "the annotation", ImageError, hint=_HINT)
    with parsing(path, "the annotation", ImageError, hint=_HINT):
        found = [shapely.make_valid(geometry_of(one)) for one in _geometries(content)]
    area = shapely.union_all(found) if found else None
    if area is None or area.area == 0:
        raise ImageError(f"{path} marks no area: it has no polygon that is an annotation.", hint=_HINT)
    inside = area.intersection(shapely.box(0, 0, width, height))
    if inside.area == 0:
        left, top, right, bottom = area.bounds
        raise ImageError(
            f"{path} misses the image: it marks x {left:.0f} to {right:.0f} and y {top:.0f} to {bottom:.0f}, and the "
            f"image has {width} x {height} pixels (width x height).",
            hint="Check that the annotation belongs to this image, in pixels of its full resolution.",
        )
    return inside


def _geometries(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the geometries of areas, as mappings."""
    if isinstance(content, list):
        for one in content:
            yield from _geometries(one)
        return
    if not isinstance(content, dict):
        raise ValueError(f"it holds {plain(type(content).__name__)}, not a feature")
    kind = content.get("type")
    if kind == "FeatureCollection":
        yield from _geometries(content.get("features") or [])
    elif kind == "Feature":
        properties = content.get("properties")
        object_type = properties.get("objectType") if isinstance(properties, dict) else None
        if str(object_type).lower() not in _OBJECTS and isinstance(content.get("geometry"), dict):
            yield from _geometries(content["geometry"])
    elif kind in _AREAS:
        yield content
