"""What is done with a tile: read, normalised, segmented, measured, saved."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import PackageError
from ..files import scratch_folder
from ..inference.finish import results_of
from ..inference.model import Ready
from ..inference.prepare import save
from ..runtimes.session import RuntimeSession
from .box import Tile
from .columns import ObjectColumns
from .plane.area import Area
from .plane.intensities import Intensities
from .plane.levels import PlaneGeometry
from .plane.pixels import Plane
from .seams.candidates import find_candidates
from .seams.objects import TileObjects
from .sources.address import SlideAddress
from .sources.open import open_slide
from .tile_file import save_tile

__all__ = ["SegmentTiles"]

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class SegmentTiles:
    """The work of a run, as workers are given it.

    Attributes:
        ready: the model and what runs it.
        address: of the slide.
        geometry: of the plane.
        channels: that the model sees, as places in the slide.
        measured: places among those, of the channels whose means are measured: each channel once.
        intensities: what is done with them.
        settings: that the runtime is given.
        size: of the only images that the model takes, (H, W); None for models that take any.
        area: outside of which objects do not count; None for all of the plane.
        columns: what the model says of objects.
        paired: whether one label means one object in all structures.
        halo: of the grid, in pixels.
        time_limit: seconds for a tile.
        threads: of the runtime; None for its own choice.
    """

    ready: Ready
    address: SlideAddress
    geometry: PlaneGeometry
    channels: tuple[int, ...]
    measured: tuple[int, ...]
    intensities: Intensities
    settings: Mapping[str, Any]
    size: tuple[int, ...] | None
    area: Area | None
    columns: ObjectColumns
    paired: bool
    halo: int
    time_limit: float
    threads: int | None

    def open(self) -> _Opened:
        """Open slide and model."""
        return _Opened(self)


class _Opened:
    """An open slide and a runtime that has loaded the model."""

    def __init__(self, work: SegmentTiles) -> None:
        self._work = work
        with ExitStack() as stack:
            self._folder = stack.enter_context(scratch_folder())
            self._session = RuntimeSession.open(
                work.ready.runtime,
                work.ready.file,
                device=work.ready.device,
                settings=work.settings,
                threads=work.threads,
                time_limit=work.time_limit,
            )
            stack.callback(self._session.close)
            self._session.launch()
            source = stack.enter_context(open_slide(work.address))
            self._name = source.info.path
            self._plane = Plane(source, work.geometry, work.channels, work.intensities.background)
            self._stack = stack.pop_all()

    def do(self, tile: Tile, path: Path) -> Mapping[str, float]:
        """See :class:`.engine.work.OpenWork`."""
        raw = self._plane.read(tile.seen)
        labels, further, incomplete, seconds = self._segment(self._work.intensities.apply(raw))
        found = self._find(tile, labels, raw, further)
        if self._work.area is not None and len(found):
            counts = self._work.area.counts(self._work.geometry.to_full(found.centroid)[:, -2:])
            if not counts.all():
                labels = _without(labels, found, ~counts)
                found = self._find(tile, labels, raw, further)
        save_tile(path, found, labels)
        return {"objects": float(len(found)), "incomplete": float(incomplete), "model_s": round(seconds, 4)}

    def _segment(self, seen: npt.NDArray[np.float32]) -> tuple[Labels, Mapping[str, npt.NDArray[Any]], bool, float]:
        """Return the label maps (T, *seen), what the model gives beside them, whether it says that they may be
        incomplete, and the seconds that the model itself took."""
        shape = seen.shape[1:]
        given, taken = self._folder / "tile.npy", self._folder / "tile.npz"
        save(given, _padded(seen, self._work.size)[None])
        outcome = self._session.run(given, taken)
        labels, further, incomplete = results_of(self._work.ready, self._name, outcome)
        taken.unlink(missing_ok=True)
        cut = labels[(slice(None), *(slice(0, length) for length in shape))]
        return np.ascontiguousarray(cut, dtype=np.int32), further, bool(incomplete), sum(outcome.run_s)

    def _find(
        self,
        tile: Tile,
        labels: Labels,
        raw: npt.NDArray[Any],
        further: Mapping[str, npt.NDArray[Any]],
    ) -> TileObjects:
        return find_candidates(
            tile,
            labels,
            raw[list(self._work.measured)],
            self._work.columns.rows(further),
            plane=self._work.geometry.shape,
            halo=self._work.halo,
            paired=self._work.paired,
        )

    def close(self) -> None:
        """See :class:`.engine.work.OpenWork`."""
        self._stack.close()


def _without(labels: Labels, found: TileObjects, dropped: npt.NDArray[np.bool_]) -> Labels:
    """Return the label maps without some objects. The others keep their labels, by which rows are found."""
    kept = np.ones((labels.shape[0], int(labels.max(initial=0)) + 1), dtype=bool)
    if found.paired:
        kept[:, found.label[dropped]] = False
    else:
        kept[found.structure[dropped], found.label[dropped]] = False
    return np.stack([np.where(there[plane], plane, 0) for there, plane in zip(kept, labels, strict=True)])


def _padded(seen: npt.NDArray[np.float32], size: tuple[int, ...] | None) -> npt.NDArray[np.float32]:
    """Return a tile at the plane's end in the one size that a model takes, mirrored at the edge."""
    if size is None or seen.shape[1:] == size:
        return seen
    missing = [(0, whole - part) for whole, part in zip(size, seen.shape[1:], strict=True)]
    if min(low for _, low in missing) < 0:
        raise PackageError(
            f"The model takes images of {size} pixels only, and a tile has {seen.shape[1:]}.",
            hint="Choose a smaller --tile.",
        )
    return np.pad(seen, ((0, 0), *missing), mode="symmetric")
