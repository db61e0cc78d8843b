"""What was found, as files that other programs open: label maps, pictures, outlines and tables."""

from __future__ import annotations

from .coco import write_coco
from .geojson import Feature, write_geojson
from .labels import write_label_tiff, write_labels
from .outlines import outline
from .overlay import fullest_slice, overlay
from .rois import write_rois
from .table import TABLES, Scale, check_table, object_columns, write_table

__all__ = [
    "TABLES",
    "Feature",
    "Scale",
    "check_table",
    "fullest_slice",
    "object_columns",
    "outline",
    "overlay",
    "write_coco",
    "write_geojson",
    "write_label_tiff",
    "write_labels",
    "write_rois",
    "write_table",
]
