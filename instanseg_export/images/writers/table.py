"""A row for each object: its place, its size, its brightness, and what the model says of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import OutputError
from ..objects import Measured
from .geoparquet import geometry_columns, geoparquet_metadata

__all__ = ["TABLES", "Column", "Scale", "check_table", "object_columns", "unique_names", "write_table"]

Column = npt.NDArray[Any]
"""Values of all rows: numbers, where NaN stands for none; or text, where nothing stands for none."""

TABLES = ("csv", "parquet")

_AXES = ("z", "y", "x")
_EXTENTS = {"x": "width", "y": "height", "z": "depth"}


@dataclass(frozen=True)
class Scale:
    """From pixels of the label map to places in the image.

    Attributes:
        edges: of a pixel, (z,) y, x, in micrometres; None where one of them is unknown.
        offset: of the label map's first pixel in the image, (z,) y, x, in pixels.
    """

    edges: tuple[float, ...] | None
    offset: tuple[int, ...]


def object_columns(
    structures: Sequence[tuple[str, Measured]],
    channels: Sequence[str],
    scale: Scale,
    *,
    paired: bool = False,
    rows: Mapping[str, Column] | None = None,
) -> dict[str, Column]:
    """Return the columns of the table of all objects, structure by structure.

    Args:
        structures: name and objects of each.
        channels: names of the channels whose means were measured.
        scale: to micrometres and to the whole image.
        paired: whether one label means one cell in every structure, as nuclei and their cells have; each row then says
            in ``pair`` which label its counterpart has, nothing where there is none.
        rows: further columns, by name; row r belongs to label r + 1, in whatever structure it is.
    """
    labels = np.concatenate([found.labels for _, found in structures])
    columns: dict[str, Column] = {
        "label": labels,
        "structure": np.repeat([name for name, _ in structures], [found.labels.size for _, found in structures]).astype(
            object
        ),
    }
    if paired and len(structures) > 1:
        common = np.concatenate(
            [
                np.isin(found.labels, other.labels)
                for (_, found), (_, other) in zip(structures, structures[::-1], strict=True)
            ]
        )
        columns["pair"] = np.where(common, labels.astype(object), "")
    sizes = np.concatenate([found.sizes for _, found in structures])
    centroids = np.concatenate([found.centroids for _, found in structures]) + np.array(scale.offset)
    low = np.concatenate([found.low for _, found in structures])
    extents = np.concatenate([found.high for _, found in structures]) - low
    low = low + np.array(scale.offset)
    volume = len(scale.offset) == 3
    what, unit, power = ("volume", "voxels", "um3") if volume else ("area", "px", "um2")
    columns[f"{what}_{unit}"] = sizes
    if scale.edges is not None:
        columns[f"{what}_{power}"] = sizes * float(np.prod(scale.edges))
    axes = list(enumerate(_AXES[-len(scale.offset) :]))[::-1]  # x first
    columns |= {f"centroid_{axis}_px": centroids[:, place] for place, axis in axes}
    if scale.edges is not None:
        columns |= {f"centroid_{axis}_um": centroids[:, place] * scale.edges[place] for place, axis in axes}
    columns |= {f"box_{axis}": low[:, place] for place, axis in axes}
    columns |= {f"box_{_EXTENTS[axis]}": extents[:, place] for place, axis in axes}
    means = np.concatenate([found.means for _, found in structures])
    columns |= {f"mean: {name}": means[:, place] for place, name in enumerate(unique_names(channels))}
    for name, values in (rows or {}).items():
        columns[name] = _of_labels(values, labels)
    return columns


def unique_names(names: Sequence[str]) -> list[str]:
    """Return names that differ: a channel that is given twice is numbered."""
    return [name if names.index(name) == place else f"{name} ({place + 1})" for place, name in enumerate(names)]


def _of_labels(values: Column, labels: npt.NDArray[np.int64]) -> Column:
    """Return the values of labels, and nothing for those that have no row."""
    nothing: Any = np.nan if values.dtype.kind in "fiu" else ""
    padded = np.append(values.astype(np.float64) if values.dtype.kind in "fiu" else values.astype(object), nothing)
    return np.asarray(padded[np.minimum(labels - 1, len(values))])


def check_table(kind: str) -> None:
    """Tell early whether a table of that kind can be written.

    Raises:
        OutputError: there is no such kind, or the library for it is not installed.
    """
    if kind not in TABLES:
        raise OutputError(f"There is no table of kind {kind!r}.", hint=f"Tables are: {', '.join(TABLES)}.")
    if kind == "parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise OutputError(
                "Parquet files are written by pyarrow, which is not installed.",
                hint="Install it with pip install 'instanseg-export[parquet]', or use --table csv.",
            ) from error


def write_table(
    path: Path, columns: Mapping[str, Column], kind: str = "csv", outlines: npt.NDArray[Any] | None = None
) -> None:
    """Write columns of equal length as CSV (UTF-8) or Parquet.

    Args:
        path: of the new file; an existing one is replaced.
        columns: by name.
        kind: one of ``TABLES``.
        outlines: of the rows' objects, polygons of shapely; with them a Parquet file is GeoParquet, and a CSV file is
            as it is without.

    Raises:
        OutputError: as for :func:`check_table`.
    """
    check_table(kind)
    if kind == "parquet":
        import pyarrow
        import pyarrow.parquet

        arrays = {name: _arrow(values) for name, values in columns.items()}
        metadata = None
        if outlines is not None:
            import shapely

            arrays |= geometry_columns(outlines)
            metadata = geoparquet_metadata(shapely.total_bounds(outlines) if outlines.size else None)
        table = pyarrow.table(arrays, metadata=metadata)
        with path.open("wb") as stream:
            pyarrow.parquet.write_table(table, stream)
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(map(_cell, values.tolist()) for values in columns.values()), strict=True))


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.8g}"
    return value


def _arrow(values: Column) -> Any:
    import pyarrow

    if values.dtype != object:
        return pyarrow.array(values, from_pandas=True)  # NaN is null
    given = [None if value == "" else value for value in values.tolist()]
    words = any(isinstance(value, str) for value in given)
    return pyarrow.array(given, type=pyarrow.string() if words else pyarrow.int64())
