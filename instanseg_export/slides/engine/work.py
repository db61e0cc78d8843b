"""What is done with a tile, and what a worker says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ... import errors
from ...errors import InstansegExportError, RuntimeUnavailableError
from ..box import Tile

__all__ = ["Fault", "OpenWork", "TileReport", "TileWork"]

Fault = Literal["", "tile", "killer", "run"]
"""Whose fault it is that a tile has no file: nobody's, the tile's (its pixels cannot be read, the model fails on them),
that of a tile that takes its workers' lives, or that of the run or the machine, where other tiles would fare alike."""


class OpenWork(Protocol):
    """All that a worker keeps open while it does tiles: an image, a runtime's session. One thread uses it at a time."""

    def do(self, tile: Tile, path: Path) -> Mapping[str, float]:
        """Do a tile.

        Args:
            tile: the tile.
            path: of the .npz to write: in the same bytes whoever does the tile, whenever, and after any others.

        Returns:
            What is counted, such as ``objects``; sums over the tiles are shown to the user.

        Raises:
            ImageError: the tile cannot be read.
            PackageError: the model fails on the tile.
            InstansegExportError: any other one ends the run: the disk is full, the device is not there.
        """
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class TileWork(Protocol):
    """A description of the work, small and picklable, that workers get once."""

    def open(self) -> OpenWork:
        """Open what the work needs, on a worker.

        Raises:
            InstansegExportError: this ends the run.
        """
        ...


@dataclass(frozen=True)
class TileReport:
    """What became of a tile: plain data, which travels well.

    Attributes:
        index: of the tile.
        fault: why there is no file; empty where there is one.
        reason: the same in words.
        hint: what the user can do about a fault of the run.
        kind: the class of the error, of a fault of the run.
        counts: what :meth:`OpenWork.do` counted.
        seconds: that it took.
        worker: the address of who did it.
    """

    index: int
    fault: Fault = ""
    reason: str = ""
    hint: str = ""
    kind: str = ""
    counts: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    worker: str = ""

    def error(self, further_hint: str) -> InstansegExportError:
        """Return the error for a fault of the run: errors do not travel between processes as they are."""
        kind = getattr(errors, self.kind if self.kind in errors.__all__ else "", RuntimeUnavailableError)
        made: InstansegExportError = kind(self.reason, hint=" ".join(filter(None, (self.hint, further_hint))))
        return made
