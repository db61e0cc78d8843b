"""The file of a finished tile: its label maps and the table of its objects.

It is a .npz of numbers alone. The same content gives the same bytes.
"""

from __future__ import annotations

import io
import itertools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from ..errors import InstansegExportError, OutputError
from ..images.line_runs import LineRuns, find_line_runs, paint_line_runs
from ..limits import MAX_STRUCTURES
from ..untrusted.arrays import read_npz
from .box import Box, Tile
from .seams.objects import TileObjects
from .seams.runs import Runs

__all__ = ["TileResults", "load_labels", "load_objects", "save_tile"]

_LEVEL = 1
"""Of deflate: tables get hardly smaller with more, and it takes several times as long."""

_AGAIN = "Delete it, and run again: its tile is segmented anew."
_COLUMNS = (
    "label",
    "structure",
    "area",
    "first",
    "centroid",
    "depth",
    "cut",
    "sizes",
    "centroids",
    "low",
    "high",
    "means",
)
_ROWS, _MAP = "rows.", "map."
_T = TypeVar("_T")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_tile(path: Path, objects: TileObjects, labels: npt.NDArray[Any]) -> None:
    """Write the file of a tile.

    Args:
        path: of the new file.
        objects: its table.
        labels: (T, *seen), whole numbers.

    Raises:
        OSError: it cannot be written.
    """
    tile = objects.tile
    boxes = [*tile.core.low, *tile.core.high, *tile.seen.low, *tile.seen.high]
    painted = find_line_runs(labels)
    arrays = {
        "tile": np.array([tile.index, objects.halo, objects.structures, objects.paired, *objects.plane, *boxes]),
        **{name: getattr(objects, name) for name in _COLUMNS},
        **{_ROWS + name: values for name, values in objects.rows.items()},
        "layer": _narrow(np.repeat(np.arange(len(objects.runs)), [len(one) for one in objects.runs])),
        "step": _steps(np.concatenate([one.start for one in objects.runs])),
        "length": _narrow(np.concatenate([one.stop - one.start for one in objects.runs])),
        "row": _narrow(np.concatenate([one.row for one in objects.runs])),
        "layers": np.array(len(objects.runs)),
        "map.shape": np.array(labels.shape),
        "map.step": _steps(painted.first),
        "map.length": _narrow(painted.stop - painted.first),
        "map.label": _narrow(painted.label),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            npy.write_array(content, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content.getbuffer())


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return whole numbers in the smallest type that holds them: to pack them takes as long as they are wide."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    return values.astype(np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high)))


def _steps(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return how far each value is from the one before."""
    return _narrow(np.diff(values, prepend=0))


def load_objects(path: Path) -> TileObjects:
    """Return the table of a tile from its file.

    Raises:
        OutputError: the file is missing or damaged, or its parts do not fit each other.
    """
    found = read_npz(path, lambda name: not name.startswith(_MAP), OutputError, hint=_AGAIN)
    try:
        return _objects(found)
    except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
        raise _damaged(path, "its parts do not fit each other") from error


def load_labels(path: Path, tile: Tile) -> npt.NDArray[np.uint32]:
    """Return the label maps (T, *seen) of a tile from its file.

    Raises:
        OutputError: the file is missing or damaged, or its maps are not of that tile's size.
    """
    found = read_npz(path, lambda name: name.startswith(_MAP), OutputError, hint=_AGAIN)
    try:
        shape, step, length, label = (found[_MAP + name] for name in ("shape", "step", "length", "label"))
        first = np.cumsum(step, dtype=np.int64)
        structures = int(shape[0])
        if tuple(shape[1:]) != tile.seen.shape or not 1 <= structures <= MAX_STRUCTURES:
            raise ValueError("the shape")
        runs = LineRuns(first, first + length, label.astype(np.uint32))
        return paint_line_runs(runs, (structures, *tile.seen.shape))
    except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
        raise _damaged(path, "it has no label maps of its tile") from error


def _objects(found: dict[str, npt.NDArray[Any]]) -> TileObjects:
    numbers = [int(number) for number in found["tile"]]
    axes, odd = divmod(len(numbers) - 4, 5)
    if odd or axes < 1:
        raise ValueError("the numbers of the tile")
    index, halo, structures, paired = numbers[:4]
    plane, *corners = (tuple(numbers[start : start + axes]) for start in range(4, len(numbers), axes))
    columns = {name: found[name] for name in _COLUMNS}
    count = columns["label"].size
    parts = structures if paired else 1
    shapes: dict[str, tuple[int, ...]] = {
        "centroid": (count, axes),
        "sizes": (count, parts),
        "centroids": (count, parts, axes),
        "low": (count, parts, axes),
        "high": (count, parts, axes),
        "means": (count, parts, columns["means"].shape[-1]),
    }
    if any(values.shape != shapes.get(name, (count,)) for name, values in columns.items()):
        raise ValueError("the columns")
    rows = {name.removeprefix(_ROWS): values for name, values in found.items() if name.startswith(_ROWS)}
    row, start, layer = found["row"].astype(np.int64), np.cumsum(found["step"], dtype=np.int64), found["layer"]
    stop = start + found["length"]
    if any(values.shape[:1] != (count,) for values in rows.values()) or row.size != start.size != layer.size:
        raise ValueError("the rows")
    if row.size and not (0 <= row.min() <= row.max() < count and start.min() >= 0 and (stop > start).all()):
        raise ValueError("the runs")
    layers = int(found["layers"])
    if structures < 1 or not 1 <= layers <= structures or not (np.diff(layer.astype(np.int64)) >= 0).all():
        raise ValueError("the layers")
    bounds = np.searchsorted(layer, np.arange(layers + 1))
    return TileObjects(
        tile=Tile(index, Box(corners[0], corners[1]), Box(corners[2], corners[3])),
        plane=plane,
        halo=halo,
        structures=structures,
        paired=bool(paired),
        runs=tuple(Runs(start[a:b], stop[a:b], row[a:b]) for a, b in itertools.pairwise(bounds.tolist())),
        rows=rows,
        **columns,
    )


def _damaged(path: Path, why: str) -> InstansegExportError:
    return OutputError(f"{path} cannot be used: {why}.", hint=_AGAIN)


class TileResults:
    """What the tiles of a run hold, for one thread; what was read last is kept.

    Args:
        path: gives the file of a tile.
        keep: bytes of label maps that are kept; of tables it is a quarter.
    """

    def __init__(self, path: Callable[[int], Path], keep: int = 128 << 20) -> None:
        self._path = path
        self._maps: _Recent[npt.NDArray[np.uint32]] = _Recent(keep)
        self._tables: _Recent[TileObjects] = _Recent(keep // 4)

    def objects(self, index: int) -> TileObjects:
        """Return a tile's table; see :func:`load_objects`."""
        return self._tables.get(index, lambda: load_objects(self._path(index)), _table_bytes)

    def labels(self, tile: Tile) -> npt.NDArray[np.uint32]:
        """Return a tile's label maps, which must not be written to; see :func:`load_labels`."""
        return self._maps.get(tile.index, lambda: load_labels(self._path(tile.index), tile), lambda maps: maps.nbytes)


def _table_bytes(table: TileObjects) -> int:
    runs = (array for one in table.runs for array in (one.start, one.stop, one.row))
    columns = (getattr(table, name) for name in _COLUMNS)
    return sum(array.nbytes for array in itertools.chain(columns, runs, table.rows.values()))


class _Recent(Generic[_T]):
    """Keeps what was asked for last, by tile, up to so many bytes, and at least one."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._held = 0
        self._kept: OrderedDict[int, tuple[_T, int]] = OrderedDict()

    def get(self, index: int, load: Callable[[], _T], size: Callable[[_T], int]) -> _T:
        found = self._kept.pop(index, None)
        if found is None:
            loaded = load()
            found = loaded, size(loaded)
            self._held += found[1]
        self._kept[index] = found
        while self._held > self._keep and len(self._kept) > 1:
            self._held -= self._kept.popitem(last=False)[1][1]
        return found[0]
