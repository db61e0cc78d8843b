"""The folder of a run: what the run is, so that only the same one is continued, and who is at work on it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ...errors import InstansegExportError, OutputError
from ...files.journal import note_written
from ...files.words import cannot_write
from ...plain_text import plain
from ...untrusted.json_texts import load_json
from .tile_files import TileFiles

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Identity", "Job", "open_job", "results_list_of"]

_TILES, _RECORD, _LOCK = "tiles", "job.json", "job.lock"
_RESULTS, _REPLACED, _RESULTS_LIST = "results", "replaced", "results.json"
_HALF = ".new"
"""Ending of a file that is being written: what a killed run leaves of one is ours."""
_FORMAT = "instanseg-export tiles 1"
_SHOWN = 3
_HASH = re.compile(r"[0-9a-f]{64}")

Identity: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What makes a run the run it is: by topic ("model", "image", "settings", "grid", "package"), names and plain values
that JSON holds. A user reads the topics and names where two runs differ."""


@dataclass(frozen=True)
class Job:
    """A run in a folder, held by this process alone.

    Attributes:
        folder: where the results go.
        files: those of its tiles.
        results: a folder for results in the making.
        replaced: a folder for older results, which make room for them.
        resumed: whether an earlier process began it.
    """

    folder: Path
    files: TileFiles
    resumed: bool

    @property
    def results(self) -> Path:
        return self.files.folder / _RESULTS

    @property
    def replaced(self) -> Path:
        return self.files.folder / _REPLACED

    def list_results(self, text: str) -> None:
        """Note which results in ``folder`` are this run's, before they are put there.

        Raises:
            OutputError: the list cannot be written.
        """
        _write(results_list_of(self.folder), text, self.folder)

    def forget_tiles(self) -> None:
        """Delete the files of the tiles, when the results are there."""
        _forget(self.files.folder, self.folder)


def results_list_of(folder: Path) -> Path:
    """Return where a run into a folder notes which results there are its own."""
    return folder / _TILES / _RESULTS_LIST


@contextmanager
def open_job(folder: Path, identity: Identity, *, resume: bool = False, overwrite: bool = False) -> Iterator[Job]:
    """Begin a run in a folder, or continue the one that is in it.

    Args:
        folder: for the results; made if it is not there. The tiles' files lie in its subfolder ``tiles``.
        identity: what this run is.
        resume: continue a run that was begun there; if none was, this one begins.
        overwrite: give up a run that was begun there.

    Yields:
        The run, until the block ends; the tiles' files stay. A run that fails before its first tile leaves nothing.

    Raises:
        OutputError: an unfinished run is there and neither ``resume`` nor ``overwrite`` is set; it is another run;
            another process is at work on it; ``tiles`` is none of ours; or the folder cannot be written.
    """
    tiles, made = folder / _TILES, not folder.exists()
    record = {"format": _FORMAT, "identity": {topic: dict(values) for topic, values in identity.items()}}
    # What JSON makes of it is what a resume will find: tuples become lists.
    record = json.loads(json.dumps(record))
    try:
        tiles.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(error, folder) from error
    with _locked(tiles, folder):
        resumed = False
        if (tiles / _RECORD).exists():
            if not overwrite:
                _check_same(_read(tiles, folder), record["identity"], folder, resume)
                resumed = True
            else:
                _read(tiles, folder)  # it is ours
                _empty(tiles, folder)
        elif any(entry.name not in (_LOCK, _half(tiles / _RECORD).name) for entry in tiles.iterdir()):
            raise _not_ours(tiles)
        if not resumed:
            _write(tiles / _RECORD, json.dumps(record, indent=1), folder)
        note_written(tiles)
        try:
            yield Job(folder, TileFiles(tiles), resumed)
        except BaseException:
            if not resumed and not any(tiles.glob("*.npz")):
                _forget(tiles, folder)
                if made:
                    with contextlib.suppress(OSError):  # something else is in it
                        folder.rmdir()
            raise


def _read(tiles: Path, folder: Path) -> Identity:
    try:
        found = load_json(tiles / _RECORD, "the record of a run", OutputError)
        known = isinstance(found, dict) and found.get("format") == _FORMAT
        identity = found["identity"] if known else None
        if isinstance(identity, dict) and all(isinstance(values, dict) for values in identity.values()):
            return identity
    except InstansegExportError:
        pass
    raise _not_ours(tiles)


def _not_ours(tiles: Path) -> OutputError:
    return OutputError(
        f"{tiles} is there, and is not what this version leaves of an unfinished run.",
        hint="Choose another --output, or move that folder away.",
    )


def _check_same(before: Identity, now: Identity, folder: Path, resume: bool) -> None:
    changed = [words for topic in dict.fromkeys((*before, *now)) for words in _differences(topic, before, now)]
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise OutputError(
            f"{folder} holds an unfinished run that was another one: {'; '.join(changed[:_SHOWN])}{more}.",
            hint="Run it as it was begun with --resume, or choose another --output, or give it up with --overwrite.",
        )
    if not resume:
        raise OutputError(
            f"{folder} holds an unfinished run.",
            hint="Continue it with --resume, or give it up with --overwrite.",
        )


def _differences(topic: str, before: Identity, now: Identity) -> Iterator[str]:
    old, new = before.get(topic, {}), now.get(topic, {})
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new or old[name] != new[name]:
            yield f"{plain(topic, 40)} {plain(name, 40)} was {_shown(old, name)} and is {_shown(new, name)}"


def _shown(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "not set"
    value = values[name]
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:12]  # as much as people compare
    return plain(json.dumps(value), 100)


def _empty(tiles: Path, folder: Path) -> None:
    """Delete what a run has in its folder, and nothing else that lies there."""
    try:
        TileFiles(tiles).delete()
        for place in (tiles / _RESULTS, tiles / _REPLACED):
            if place.is_dir():
                shutil.rmtree(place)
        # The record last: as long as it is there, the others are known to be a run's.
        for path in (tiles / _RESULTS_LIST, tiles / _RECORD):
            _half(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(error, folder) from error


def _forget(tiles: Path, folder: Path) -> None:
    """Delete the folder of a run, unless something else lies in it."""
    with contextlib.suppress(InstansegExportError, OSError):
        _empty(tiles, folder)
        (tiles / _LOCK).unlink(missing_ok=True)
        tiles.rmdir()


def _half(path: Path) -> Path:
    return path.with_suffix(_HALF)


def _write(path: Path, text: str, folder: Path) -> None:
    half = _half(path)
    try:
        with half.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        half.replace(path)
    except OSError as error:
        raise cannot_write(error, folder) from error


@contextmanager
def _locked(tiles: Path, folder: Path) -> Iterator[None]:
    """Hold the lock of a run, which the operating system takes away however this process ends.

    Where there are no such locks (Windows, some network file systems), nobody is kept out.
    """
    try:
        descriptor = os.open(tiles / _LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise cannot_write(error, folder) from error
    try:
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = plain(os.read(descriptor, 200).decode(errors="replace")) or "another process"
                raise OutputError(
                    f"Another run is at work in {folder}: {holder}.", hint="Wait until it has ended, or stop it."
                ) from error
            except OSError:
                pass
        with contextlib.suppress(OSError):  # words for others, no more
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        os.close(descriptor)
