"""The table of all files as people's tools write them."""

from __future__ import annotations

from support.peoples_images import (
    orientations,
    other_files,
    pictures,
    several_tiffs,
    tiff_colours,
    tiff_metadata,
    tiffs,
    zarrs,
)

__all__ = ["KINDS"]

_TABLES = (tiffs, tiff_colours, orientations, tiff_metadata, several_tiffs, pictures, other_files, zarrs)
KINDS = [row for table in _TABLES for row in table.KINDS]
