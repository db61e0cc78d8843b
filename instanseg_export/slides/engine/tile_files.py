"""The files of finished tiles, each of which is there as a whole or not at all, and the journal of what became of all.

A tile is finished when its file is there. The journal only tells what cannot be seen from the files: counts and faults.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ...errors import InstansegExportError
from ...files.words import cannot_write
from ...untrusted.boundary import disk_is_full
from .work import TileReport

__all__ = ["TileFiles"]

_T = TypeVar("_T")

_FINISHED = re.compile(r"(\d{8})\.npz")
_PARTIAL = re.compile(r"\.\d{8}-[0-9a-f]{32}\.npz")
_JOURNAL = "journal.jsonl"
_LONGEST_LINE = 1 << 16


class TileFiles:
    """A folder with the results of tiles, on a disk that all workers share.

    Args:
        folder: the folder; it is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, index: int) -> Path:
        """Return the file of a tile."""
        return self.folder / f"{index:08d}.npz"

    def write(self, index: int, write: Callable[[Path], _T]) -> _T:
        """Have a tile's file written beside its place, make sure that it is on the disk, and put it there.

        Args:
            index: of the tile.
            write: writes the file at a path, and returns anything.

        Raises:
            OutputError: there is no room, or the folder is gone. Whatever else ``write`` raises passes as it is.
        """
        partial = self.folder / f".{index:08d}-{uuid.uuid4().hex}.npz"
        try:
            try:
                result = write(partial)
            except Exception as error:
                if disk_is_full(error) and not isinstance(error, InstansegExportError):
                    raise cannot_write(error, self.path(index)) from error
                raise
            try:
                _sync(partial)
                partial.replace(self.path(index))
                _sync(self.folder)
            except OSError as error:
                raise cannot_write(error, self.path(index)) from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return result

    def finished(self) -> frozenset[int]:
        """Return the tiles that have a whole file; what is damaged or was left half-written is removed.

        Each file is read once, against its checksums: a disk that was full or pulled out can leave holes in files.

        Raises:
            OutputError: the folder cannot be read.
        """
        found = set()
        try:
            for entry in sorted(self.folder.iterdir()):
                if name := _FINISHED.fullmatch(entry.name):
                    if _is_whole(entry):
                        found.add(int(name[1]))
                    else:
                        entry.unlink()
                elif _PARTIAL.fullmatch(entry.name):
                    entry.unlink()
        except OSError as error:
            raise cannot_write(error, self.folder) from error
        return frozenset(found)

    def delete(self) -> None:
        """Delete all files of tiles and the journal.

        Raises:
            OSError: one cannot be deleted.
        """
        for entry in self.folder.iterdir():
            if entry.name == _JOURNAL or _FINISHED.fullmatch(entry.name) or _PARTIAL.fullmatch(entry.name):
                entry.unlink()

    def note(self, report: TileReport) -> None:
        """Add what became of a tile to the journal.

        Raises:
            OutputError: there is no room.
        """
        row: dict[str, Any] = {"tile": report.index, "seconds": round(report.seconds, 4), "worker": report.worker}
        row |= {"counts": dict(report.counts)} if not report.fault else {"fault": report.fault, "reason": report.reason}
        try:
            with (self.folder / _JOURNAL).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
        except OSError as error:
            raise cannot_write(error, self.folder / _JOURNAL) from error

    def noted(self) -> dict[int, TileReport]:
        """Return the last that was noted of each tile. A line that was cut off, or is none of ours, is left out."""
        found = {}
        for row in self._rows():
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError):
                counts = {str(name): float(value) for name, value in row.get("counts", {}).items()}
                report = TileReport(
                    index=int(row["tile"]),
                    fault="" if "fault" not in row else "killer" if row["fault"] == "killer" else "tile",
                    reason=str(row.get("reason", "")),
                    counts=counts,
                    seconds=float(row.get("seconds", 0.0)),
                    worker=str(row.get("worker", "")),
                )
                found[report.index] = report
        return found

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        try:
            stream = (self.folder / _JOURNAL).open("rb")
        except OSError:
            return
        with stream:
            while raw := stream.readline(_LONGEST_LINE):
                with contextlib.suppress(ValueError, RecursionError):
                    row = json.loads(raw)
                    if isinstance(row, dict):
                        yield row


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # folders cannot be opened there
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return False
