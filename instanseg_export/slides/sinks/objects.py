"""All objects, in one pass: outlines for QuPath, a table, and how densely they lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ...errors import OutputError
from ...files import staged_files
from ...images.writers import check_table, geojson_file
from ...progress import Progress
from .density import Density
from .features import features_of
from .parquet import parquet_file
from .record import Frame, ObjectRecord
from .rows import DECIMALS, rows_of

__all__ = ["KINDS", "ObjectsWritten", "check_kinds", "write_objects"]

KINDS = {"geojson": "objects.geojson", "parquet": "objects.parquet"}
"""Kinds of files with objects, and their names."""

_TOGETHER = 1024
"""Objects that are in memory at once, but for what the table packs together."""


@dataclass(frozen=True)
class ObjectsWritten:
    """What was written.

    Attributes:
        objects: how many; a nucleus and its cell are one.
        counts: of each structure, how many objects have a part in it.
        density: where they lie.
        files: by kind.
    """

    objects: int
    counts: tuple[int, ...]
    density: Density
    files: dict[str, Path]


def check_kinds(kinds: Sequence[str], *, volume: bool) -> None:
    """Tell early whether files of these kinds can be written.

    Raises:
        OutputError: there is no such kind, the library for it is not installed, or volumes have no such files.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise OutputError(f"There are no files of kind {kind!r}.", hint=f"Kinds are: {', '.join(KINDS)}.")
        if kind == "geojson" and volume:
            raise OutputError(
                "GeoJSON holds the outlines of objects of images, and these are objects of a volume.",
                hint="Leave geojson out: the label file opens in napari, and the table has their places and sizes.",
            )
        if kind == "parquet":
            check_table(kind)


def write_objects(
    folder: Path,
    records: Iterable[ObjectRecord],
    frame: Frame,
    *,
    kinds: Sequence[str] = tuple(KINDS),
    total: int = 0,
    progress: Progress | None = None,
) -> ObjectsWritten:
    """Write objects as they come, so that any number fits into memory.

    Outlines are in pixels of the slide's level 0, whole where the plane's are and otherwise with two decimals.

    Args:
        folder: of the new files, ``objects.geojson`` and ``objects.parquet``. Either all appear, or none.
        records: the objects.
        frame: the plane.
        kinds: of files to write; without any, objects are only counted.
        total: how many objects there are, for ``progress``; 0 if unknown.
        progress: told how many are written.

    Returns:
        Counts and density.

    Raises:
        OutputError: as for :func:`check_kinds`; a file exists, cannot be written, or the disk is full.
    """
    check_kinds(kinds, volume=frame.volume)
    density = Density(frame)
    counts = [0] * len(frame.structures)
    objects = 0
    files = {kind: folder / KINDS[kind] for kind in kinds}
    with staged_files(folder) as staged, ExitStack() as opened:
        places = {kind: staged.add(path) for kind, path in files.items()}
        table = opened.enter_context(parquet_file(places["parquet"], frame)) if "parquet" in places else None
        decimals = 0 if frame.whole else DECIMALS
        add = None
        if "geojson" in places:
            add = opened.enter_context(geojson_file(places["geojson"], source=frame.identity, decimals=decimals))
        waiting = iter(records)
        while batch := list(islice(waiting, _TOGETHER)):
            rows = rows_of(batch, frame)
            if table is not None:
                table.add(rows)
            if add is not None:
                for feature in features_of(rows, frame):
                    add(feature)
            density.add(rows)
            for row in rows:
                counts[row.structure] += 1
            objects += len({id(row.record) for row in rows})
            if progress is not None:
                progress("write objects", objects, max(total, objects))
    return ObjectsWritten(objects, tuple(counts), density, files)
