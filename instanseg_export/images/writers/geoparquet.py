"""Outlines as columns of Parquet tables, as GeoParquet 1.1 has them (https://geoparquet.org/releases/v1.1.0).

The outline is well-known binary in the column ``geometry``; the box around it, by which readers skip what lies
elsewhere, is in the column ``bbox``. Coordinates are pixels of the image, x and y, which is no system on Earth: so
``crs`` is null, for where it is missing readers take degrees.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["geometry_columns", "geoparquet_metadata"]

_EDGES = ("xmin", "ymin", "xmax", "ymax")


def geometry_columns(outlines: npt.NDArray[Any]) -> dict[str, Any]:
    """Return the columns for outlines, by their names.

    Args:
        outlines: (N,) polygons of shapely, and multi-polygons.

    Returns:
        Arrays of pyarrow.
    """
    import pyarrow
    import shapely

    boxes = shapely.bounds(outlines).reshape(-1, 4)
    return {
        "bbox": pyarrow.StructArray.from_arrays([pyarrow.array(edge) for edge in boxes.T], names=list(_EDGES)),
        "geometry": pyarrow.array(shapely.to_wkb(outlines), type=pyarrow.binary()),
    }


def geoparquet_metadata(bounds: npt.NDArray[np.float64] | None) -> dict[str, str]:
    """Return what a file's metadata says of the columns.

    Args:
        bounds: least x, y and largest x, y of all outlines; None where there are none.
    """
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["Polygon", "MultiPolygon"],
        "crs": None,
        "edges": "planar",
        "orientation": "counterclockwise",
        "covering": {"bbox": {edge: ["bbox", edge] for edge in _EDGES}},
    }
    if bounds is not None:
        column["bbox"] = [float(edge) for edge in bounds]
    return {"geo": json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}})}
