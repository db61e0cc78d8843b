"""Objects as GeoJSON that QuPath imports by drag and drop, in pixels of the image."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

__all__ = ["Feature", "write_geojson"]

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
        features: the objects.
        source: a hash of image and labels. The same objects get the same ids again, and others other ones.
    """
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('{"type":"FeatureCollection","features":[')
        for place, feature in enumerate(features):
            text = json.dumps(_row(feature, source), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
            stream.write(f"{',' if place else ''}\n{text}")
        stream.write("\n]}\n")


def _row(feature: Feature, source: str) -> dict[str, Any]:
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
        "geometry": _geometry(feature.outline),
    }
    if feature.nucleus is not None:
        row["nucleusGeometry"] = _geometry(feature.nucleus)
    return row | {"properties": properties}


def _geometry(outline: Polygon | MultiPolygon) -> dict[str, Any]:
    if outline.geom_type == "MultiPolygon":
        return {"type": "MultiPolygon", "coordinates": [_rings(polygon) for polygon in outline.geoms]}
    return {"type": "Polygon", "coordinates": _rings(outline)}


def _rings(polygon: Any) -> list[list[list[int]]]:
    rings = (polygon.exterior, *polygon.interiors)
    return [[[int(x), int(y)] for x, y in ring.coords] for ring in rings]
