"""Folders for work in progress: held by a living process, cleaned up by the next run when their process has died.

Such a folder has a name of ours, holds a record of ours that gives the folder's own number in the file system, and its
process holds a lock on it, which the operating system takes away however the process ends. What has all three but the
lock is what a dead process left behind. A folder that came from elsewhere, as in an archive, has another number,
whatever its record says. Where there are no such locks (Windows, some network file systems), nothing is cleaned up.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InstansegExportError, OutputError
from ..limits import MAX_TEXT_BYTES
from ..untrusted.json_texts import load_json
from .hashing import sha256_of
from .marker import recognise, remove_listed
from .rename import place
from .signals import held_signals

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Claim", "claimed_folder", "free_name", "identity_of"]

_RECORD, _HALF_RECORD = "record.json", "record.json.new"
_FORMAT = "instanseg-export work"
_WORK, _ASIDE = "work", "aside"
_TRIES = 20
_MADE = re.compile(r"[a-z0-9_]{8}")
"""What tempfile adds to a prefix."""

_PATIENCE = 2.0
"""Seconds that one waits for a process that looks whether a new folder was left behind."""


def identity_of(path: Path) -> tuple[int, int]:
    """Return what tells a file or folder from all others on this machine."""
    status = path.lstat()
    return status.st_dev, status.st_ino


def free_name(path: Path) -> Iterator[Path]:
    """Yield names beside a path that say what they are a second of: ``model-2``, ``cells_labels-2.tif``."""
    suffix = "" if path.is_dir() else path.suffix
    for number in range(2, 1000):
        yield path.with_name(f"{path.name.removesuffix(suffix)}-{number}{suffix}")


@dataclass
class Claim:
    """A folder of this process's own.

    Attributes:
        folder: the folder.
        work: in it, what is being made.
        aside: in it, what came out of the places of outputs and is to be deleted.
        record: what the next run has to know if this one is killed.
    """

    folder: Path
    lock: int | None
    record: dict[str, Any] = field(default_factory=lambda: {"format": _FORMAT, "outputs": {}})

    @property
    def work(self) -> Path:
        return self.folder / _WORK

    @property
    def aside(self) -> Path:
        return self.folder / _ASIDE

    def note(self) -> None:
        """Write the record."""
        half = self.folder / _HALF_RECORD
        half.write_text(json.dumps(self.record), encoding="utf-8")
        half.replace(self.folder / _RECORD)


@contextmanager
def claimed_folder(parent: Path, prefix: str) -> Iterator[Claim]:
    """Yield a folder of this process's own, and remove it with what was made in it when the block ends.

    Folders of dead processes beside it, with the same prefix, are cleaned up first.

    Raises:
        OSError: it cannot be made.
    """
    claim = None
    try:
        try:
            _clean_up(parent, prefix)
            with held_signals():
                claim = _claim(parent, prefix)
                claim.work.mkdir()
                claim.aside.mkdir()
            yield claim
        finally:
            if claim is not None:
                _give_up(claim)
    finally:
        # Once more: an interruption may have come before it was held back.
        if claim is not None and claim.folder.exists():
            _give_up(claim)


def _give_up(claim: Claim) -> None:
    with held_signals():
        _settle(claim.folder)
        lock, claim.lock = claim.lock, None
        if lock is not None:
            os.close(lock)


def _claim(parent: Path, prefix: str) -> Claim:
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            lock = _lock_new(folder)
            claim = Claim(folder, lock)
            claim.record["folder"] = identity_of(folder)[1]
            claim.note()
        except FileNotFoundError:
            continue
        except BaseException:
            _remove(folder)
            raise
        return claim
    raise FileNotFoundError(2, "a folder for work in progress is taken away again and again", str(parent))


def _lock(folder: Path) -> int:
    """Return a file descriptor that holds the lock on a folder.

    Raises:
        BlockingIOError: another process holds it.
        FileNotFoundError: the folder is gone.
        OSError: there are no locks here.
    """
    if fcntl is None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), str(folder))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        if identity_of(folder) != (status.st_dev, status.st_ino):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock_new(folder: Path) -> int | None:
    """Return the lock on a folder that was just made; None where there are no locks.

    Until it is held, another process may take the folder for one that was left behind. That process holds the lock
    while it does, so that one has to wait for its decision.

    Raises:
        FileNotFoundError: it took the folder away.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return _lock(folder)
        except FileNotFoundError:
            raise
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise FileNotFoundError(errno.ENOENT, "a folder is locked by another process", str(folder)) from error
            time.sleep(0.001)
        except OSError:
            return None


def _clean_up(parent: Path, prefix: str) -> None:
    """Clean up what dead processes left in a folder. Nothing here may fail: it is not what was asked for."""
    if fcntl is None:
        return
    with suppress(OSError):
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(prefix)]
        for name in names:
            folder = parent / name
            with suppress(OSError), held_signals():
                status = folder.lstat()
                if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                    continue
                lock = _lock(folder)
                try:
                    if _is_ours(folder, prefix):
                        _settle(folder)
                finally:
                    os.close(lock)


def _is_ours(folder: Path, prefix: str) -> bool:
    """Tell whether a folder is one for work in progress: by its record, or by holding less than one.

    One without a record is empty, and named and closed to others as only a folder for work in progress is.
    """
    if {path.name for path in folder.iterdir()} <= {_HALF_RECORD}:
        made = _MADE.fullmatch(folder.name.removeprefix(prefix)) is not None
        return made and (os.name == "nt" or stat.S_IMODE(folder.lstat().st_mode) == 0o700)
    return _read(folder) is not None


def _read(folder: Path) -> dict[str, Any] | None:
    """Return a folder's record if it was written for this very folder; else None."""
    path = folder / _RECORD
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        record = load_json(path, "a record of work in progress", OutputError, limit=MAX_TEXT_BYTES)
        number = identity_of(folder)[1]
    except (OSError, InstansegExportError, MemoryError):
        return None
    if not isinstance(record, dict) or record.get("format") != _FORMAT or record.get("folder") != number:
        return None
    outputs = record.get("outputs")
    if not isinstance(outputs, dict) or not all(isinstance(output, dict) for output in outputs.values()):
        return None
    return record


def _settle(folder: Path) -> None:
    """Remove a folder for work in progress with what was made in it, and nothing that came from elsewhere.

    What came out of an output's place goes back if that is free; is deleted if it is wholly what this tool wrote; and
    else gets a free name beside.
    """
    record = _read(folder) or {"outputs": {}}
    for part in (_WORK, _ASIDE):
        with suppress(OSError):
            if not stat.S_ISDIR((folder / part).lstat().st_mode):
                continue  # a link leads to what is not ours
            for entry in list((folder / part).iterdir()):
                output = record["outputs"].get(entry.name)
                with suppress(OSError):
                    if part == _WORK and (output is None or list(identity_of(entry)) == output.get("new")):
                        _remove(entry)
                    elif output is not None:
                        _settle_old(entry, folder.parent / entry.name, output)
            (folder / part).rmdir()
    with suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {_RECORD, _HALF_RECORD}:
            (folder / _HALF_RECORD).unlink(missing_ok=True)
            (folder / _RECORD).unlink(missing_ok=True)
        folder.rmdir()


def _settle_old(entry: Path, path: Path, output: dict[str, Any]) -> None:
    if not os.path.lexists(path):
        place(entry, path)  # it was taken out, and the new one did not get there
        return
    if _is_old(entry, output):
        if not entry.is_dir():
            entry.unlink()
            return
        if remove_listed(entry):
            return
    for name in free_name(path):
        with suppress(FileExistsError):
            place(entry, name)
            return


def _is_old(entry: Path, output: dict[str, Any]) -> bool:
    """Tell whether something that came out of an output's place is what was there before and may be deleted."""
    if entry.is_symlink():
        return False
    if entry.is_dir():
        try:  # half of it may be deleted already, by a process that was killed
            return not any(entry.iterdir()) or bool(recognise(entry, str(output.get("kind")), entry))
        except (OSError, OutputError):
            return False
    return entry.is_file() and sha256_of(entry) == output.get("old")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
