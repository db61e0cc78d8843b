"""How many objects lie in each part of the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .record import Frame
from .rows import Row

__all__ = ["Density"]

_BINS, _SMALLEST = 64, 64


class Density:
    """Counts objects in squares of the plane y, x; of volumes, over the whole depth.

    Args:
        frame: the plane.

    Attributes:
        names: of what is counted: structures; where they are paired, cells alone, and nuclei without a cell as such.
        edge: of a square, in pixels of the plane: a whole number of which the longer side has 64, or 64 pixels.
        counts: (len(names), rows, columns).
    """

    def __init__(self, frame: Frame) -> None:
        self._paired = frame.paired and len(frame.structures) == 2
        self._frame = frame
        self.names = frame.structures[1:] if self._paired else frame.structures
        self.edge = max(_SMALLEST, math.ceil(max(frame.shape[-2:]) / _BINS))
        self.counts = np.zeros(
            (len(self.names), *(max(1, math.ceil(size / self.edge)) for size in frame.shape[-2:])), dtype=np.int64
        )

    def add(self, rows: Sequence[Row]) -> None:
        """Count some rows by their centroids."""
        for row in rows:
            if not self._paired:
                place = row.structure
            elif row.structure == 0 and row.record.parts[1] is not None and row.record.parts[1].size:
                continue  # its cell is counted
            else:
                place = 0
            y, x = row.part.centroid[-2:]
            last_y, last_x = self.counts.shape[1] - 1, self.counts.shape[2] - 1
            self.counts[place, min(int(y / self.edge), last_y), min(int(x / self.edge), last_x)] += 1

    @property
    def unit(self) -> str:
        """The unit of :meth:`per_area`, in letters that Pillow's own font has."""
        return "per megapixel" if self._frame.spacing is None else "per square millimetre"

    def per_area(self) -> npt.NDArray[np.float64]:
        """Return the density in each square, as much of it as lies in the plane, per mm² or per million pixels.

        Pixels are those of the plane.
        """
        height, width = self._frame.shape[-2:]
        tall = np.minimum(self.edge, height - np.arange(self.counts.shape[1]) * self.edge)
        broad = np.minimum(self.edge, width - np.arange(self.counts.shape[2]) * self.edge)
        spacing = self._frame.spacing
        pixel = 1.0 if spacing is None else spacing[-2] * spacing[-1]
        return np.asarray(self.counts / (tall[:, None] * broad * pixel) * 1e6)
