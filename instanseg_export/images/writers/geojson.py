"""Objects as GeoJSON that QuPath imports by drag and drop, in pixels of the image."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import numpy as np

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

__all__ = ["Feature", "geojson_file", "write_geojson"]

_NAMESPACE = UUID("61fe71aa-ac46-5a86-a701-863052e28e9f")
_CLASS_COLOURS = ((200, 0, 0), (0, 120, 220), (0, 150, 60), (220, 140, 0), (140, 60, 200), (0, 170, 170))


@dataclass(frozen=True)
class Feature:
    """One object.

    Attributes:
        name: unique in the file; its id is made from it.
        outline: of the object.
        nucleus: of a cell, the outline of its nucleus.
        cell: it is a cell in QuPath's sense, which may have a nucleus; otherwise a detection.
        classification: name of its class and that class's place in the model's list, if the model has classes.
        measurements: by name; what is no finite number is left out.
    """

    name: str
    outline: Polygon | MultiPolygon
    nucleus: Polygon | MultiPolygon | None = None
    cell: bool = False
    classification: tuple[str, int] | None = None
    measurements: Mapping[str, float] = field(default_factory=dict)


def write_geojson(path: Path, features: Iterable[Feature], *, source: str) -> None:
    """Write a FeatureCollection, one feature per line and at a time, so that any number fits into memory.

    Args:
        path: of the new file; an existing one is replaced.
        features: the objects, with corners at whole numbers.
        source: a hash of image and labels. The same objects get the same ids again, and others other ones.
    """
    with geojson_file(path, source=source) as add:
        for feature in features:
            add(feature)


@contextmanager
def geojson_file(path: Path, *, source: str, decimals: int = 0) -> Iterator[Callable[[Feature], None]]:
    """Yield what adds a feature to a file as :func:`write_geojson` writes it, for features that come one by one.

    Args:
        path: of the new file; an existing one is replaced.
        source: as for :func:`write_geojson`.
        decimals: that coordinates are rounded to; 0 for corners at whole numbers, which are written as such.
    """
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('{"type":"FeatureCollection","features":[')
        separator = "\n"

        def add(feature: Feature) -> None:
            nonlocal separator
            row = _row(feature, source, decimals)
            text = json.dumps(row, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
            stream.write(f"{separator}{text}")
            separator = ",\n"

        yield add
        stream.write("\n]}\n")


def _row(feature: Feature, source: str, decimals: int) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": "cell" if feature.cell else "detection"}
    if feature.classification is not None:
        name, place = feature.classification
        properties["classification"] = {"name": name, "color": list(_CLASS_COLOURS[place % len(_CLASS_COLOURS)])}
    measured = {name: float(value) for name, value in feature.measurements.items() if math.isfinite(value)}
    if measured:
        properties["measurements"] = measured
    row: dict[str, Any] = {
        "type": "Feature",
        "id": str(uuid5(_NAMESPACE, f"{source}/{feature.name}")),
        "geometry": _geometry(feature.outline, decimals),
    }
    if feature.nucleus is not None:
        row["nucleusGeometry"] = _geometry(feature.nucleus, decimals)
    return row | {"properties": properties}


def _geometry(outline: Polygon | MultiPolygon, decimals: int) -> dict[str, Any]:
    if outline.geom_type == "MultiPolygon":
        return {"type": "MultiPolygon", "coordinates": [_rings(polygon, decimals) for polygon in outline.geoms]}
    return {"type": "Polygon", "coordinates": _rings(outline, decimals)}


def _rings(polygon: Any, decimals: int) -> list[list[list[float]]]:
    rings = (np.asarray(ring.coords) for ring in (polygon.exterior, *polygon.interiors))
    return [(ring.round(decimals) if decimals else ring.astype(np.int64)).tolist() for ring in rings]
