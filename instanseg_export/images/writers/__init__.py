"""What was found, as files that other programs open: label maps, pictures, outlines and tables."""

from __future__ import annotations

from .coco import write_coco
from .geojson import Feature, geojson_file, write_geojson
from .geoparquet import geometry_columns, geoparquet_metadata
from .labels import write_label_tiff, write_labels
from .ome_zarr import LabelGrid, check_ome_zarr, write_label_pyramid
from .outlines import outline, outlines
from .overlay import fullest_slice, overlay
from .rois import write_rois
from .table import TABLES, Scale, check_table, object_columns, unique_names, write_table

__all__ = [
    "TABLES",
    "Feature",
    "LabelGrid",
    "Scale",
    "check_ome_zarr",
    "check_table",
    "fullest_slice",
    "geojson_file",
    "geometry_columns",
    "geoparquet_metadata",
    "object_columns",
    "outline",
    "outlines",
    "overlay",
    "unique_names",
    "write_coco",
    "write_geojson",
    "write_label_pyramid",
    "write_label_tiff",
    "write_labels",
    "write_rois",
    "write_table",
]
