"""Objects as GeoParquet: a row for each object and structure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...images.writers import geometry_columns, geoparquet_metadata, unique_names
from .features import classification
from .record import Frame
from .rows import Row, area_of_pixel

__all__ = ["ParquetFile", "parquet_file"]

_GROUP = 16_384
"""Rows that are packed together: some 20 MB of outlines."""

_AXES = ("z", "y", "x")
_EXTENTS = {"x": "width", "y": "height", "z": "depth"}


class ParquetFile:
    """Takes rows and writes them in groups; see :func:`parquet_file`."""

    def __init__(self, path: Path, frame: Frame) -> None:
        from pyarrow.parquet import ParquetWriter

        self._frame = frame
        self._rows: list[Any] = []
        self._waiting = 0
        self._bounds: npt.NDArray[np.float64] | None = None
        self._schema = _table([], frame).schema
        self._writer = ParquetWriter(path, self._schema, compression="zstd")

    def add(self, rows: Sequence[Row]) -> None:
        """Take some rows."""
        if not rows:
            return
        self._rows.append(_table(rows, self._frame))
        self._waiting += len(rows)
        if not self._frame.volume:
            import shapely

            bounds = shapely.total_bounds(_shapes(rows))
            known = bounds if self._bounds is None else self._bounds
            self._bounds = np.concatenate([np.minimum(known, bounds)[:2], np.maximum(known, bounds)[2:]])
        if self._waiting >= _GROUP:
            self._write()

    def _write(self) -> None:
        import pyarrow

        if self._rows:
            self._writer.write_table(pyarrow.concat_tables(self._rows).combine_chunks())
        self._rows, self._waiting = [], 0

    def finish(self) -> None:
        """Write what waits, and what is said of the outlines."""
        self._write()
        if not self._frame.volume:
            self._writer.add_key_value_metadata(geoparquet_metadata(self._bounds))

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


@contextmanager
def parquet_file(path: Path, frame: Frame) -> Iterator[ParquetFile]:
    """Yield what takes rows and writes them as GeoParquet 1.1; of volumes, whose objects have no outlines, as Parquet.

    Columns are named as those of the untiled ``run``, but for ``class``, and the boxes are in micrometres too. Places
    and areas "in pixels" are in pixels of the slide's level 0, as the outlines are.

    Args:
        path: of the new file; an existing one is replaced.
        frame: the plane.
    """
    file = ParquetFile(path, frame)
    try:
        yield file
        file.finish()
    finally:
        file.close()


def _shapes(rows: Sequence[Row]) -> npt.NDArray[Any]:
    shapes = np.empty(len(rows), dtype=object)
    shapes[:] = [row.shape for row in rows]
    return shapes


def _table(rows: Sequence[Row], frame: Frame) -> Any:
    import pyarrow

    text, number, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    columns: list[tuple[str, Any]] = [
        ("label", pyarrow.array([row.record.label for row in rows], type=whole)),
        ("structure", pyarrow.array([frame.structures[row.structure] for row in rows], type=text)),
    ]
    if frame.paired and len(frame.structures) == 2:
        columns.append(("pair", pyarrow.array([_pair(row) for row in rows], type=whole)))
    if frame.classes:
        classes = (classification(row.record, frame) for row in rows)
        columns.append(("class", pyarrow.array([None if one is None else one[0] for one in classes], type=text)))
    columns += [(name, pyarrow.array(values, type=number)) for name, values in _measured(rows, frame)]
    means = np.array([row.part.means for row in rows], dtype=np.float64).reshape(len(rows), len(frame.channels))
    for name, values in zip(unique_names(frame.channels), means.T, strict=True):
        columns.append((f"mean: {name}", pyarrow.array(values, type=number, from_pandas=True)))  # NaN is null
    if not frame.volume:
        columns += geometry_columns(_shapes(rows)).items()
    for name, kind in frame.columns.items():
        given = [row.record.further.get(name) for row in rows]
        values = pyarrow.array(given, type=text if kind is str else number, from_pandas=True)
        columns.append((name, values))
    names = unique_names([name for name, _ in columns])
    return pyarrow.table([values for _, values in columns], names=names)


def _pair(row: Row) -> int | None:
    other = row.record.parts[1 - row.structure]
    return row.record.label if other is not None and other.size else None


def _measured(rows: Sequence[Row], frame: Frame) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Yield size, centroid and box, in pixels of level 0 and in micrometres."""
    axes = len(frame.shape)
    pixel, cube = area_of_pixel(frame)
    sizes = np.array([row.part.size for row in rows], dtype=np.float64)
    centroids = frame.in_slide(np.array([row.part.centroid for row in rows]).reshape(-1, axes))
    low = frame.in_slide(np.array([row.part.box.low for row in rows]).reshape(-1, axes))
    extent = frame.in_slide(np.array([row.part.box.high for row in rows]).reshape(-1, axes)) - low
    what, unit, power = ("volume", "voxels", "um3") if frame.volume else ("area", "px", "um2")
    yield f"{what}_{unit}", sizes * pixel
    if cube is not None:
        yield f"{what}_{power}", sizes * cube
    places = list(enumerate(_AXES[-axes:]))[::-1]  # x first
    scales: list[tuple[str, tuple[float, ...]]] = [("_px", (1.0,) * axes)]
    if frame.edges is not None:
        scales.append(("_um", frame.edges))
    for suffix, edges in scales:
        yield from ((f"centroid_{axis}{suffix}", centroids[:, place] * edges[place]) for place, axis in places)
    for suffix, edges in scales:
        end = suffix.removeprefix("_px")
        yield from ((f"box_{axis}{end}", low[:, place] * edges[place]) for place, axis in places)
        yield from ((f"box_{_EXTENTS[axis]}{end}", extent[:, place] * edges[place]) for place, axis in places)
