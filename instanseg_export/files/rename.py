"""Renaming in one step of the operating system: to a free name, or two names against each other.

Linux has renameat2 and macOS renamex_np for both. Where the system or the file system has neither (Windows; some
network file systems), a file is linked or a folder renamed to the free name, which the system refuses when something of
content is there; and an exchange becomes two renames. Between those the old output lies beside its place for a moment,
and a process that is killed just then leaves it there: the next run puts it back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

__all__ = ["place", "swap"]

_AT_FDCWD = -100
_NO_REPLACE, _EXCHANGE = "no replace", "exchange"
_UNSUPPORTED = {
    getattr(errno, name) for name in ("EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOTTY") if hasattr(errno, name)
}
_NO_LINKS = _UNSUPPORTED | {errno.EPERM, errno.EMLINK, errno.EACCES}


@cache
def _native() -> Callable[[bytes, bytes, str], int] | None:
    """Return what renames with a flag and gives an error number or 0; None where the system has no such call."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform.startswith("linux"):
            call, flags = library.renameat2, {_NO_REPLACE: 1, _EXCHANGE: 2}
            call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
            folder: tuple[int, ...] = (_AT_FDCWD,)  # both calls take paths; this one can have them relative to folders
        elif sys.platform == "darwin":
            call, flags = library.renamex_np, {_NO_REPLACE: 4, _EXCHANGE: 2}
            call.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]
            folder = ()
        else:
            return None
    except (AttributeError, OSError, TypeError):
        return None
    call.restype = ctypes.c_int

    def rename(source: bytes, target: bytes, how: str) -> int:
        return 0 if call(*folder, source, *folder, target, flags[how]) == 0 else ctypes.get_errno()

    return rename


def _rename(source: Path, target: Path, how: str) -> bool:
    """Rename with a flag; False where that is not supported.

    Raises:
        OSError: the system refuses.
    """
    rename = _native()
    number = errno.ENOSYS if rename is None else rename(os.fsencode(source), os.fsencode(target), how)
    if number in _UNSUPPORTED:
        return False
    if number:
        raise OSError(number, os.strerror(number), str(target))
    return True


def place(source: Path, target: Path) -> None:
    """Rename a file or folder to a name that must be free.

    Raises:
        FileExistsError: something is there; both are as they were.
        OSError: the system refuses.
    """
    if _rename(source, target, _NO_REPLACE):
        return
    if source.is_dir() and not source.is_symlink():
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        try:
            source.rename(target)  # onto a folder with content, the system refuses it
        except OSError as error:
            if os.path.lexists(target) and error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
            raise
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LINKS:
            raise
        # Without links: an empty file of our own takes the name, and only that is replaced.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        source.replace(target)
    else:
        source.unlink()


def swap(new: Path, path: Path, aside: Path) -> None:
    """Put ``new`` at ``path``, and what was there at ``aside``, which must be a free name on the same file system.

    Raises:
        OSError: the system refuses; then both are as they were.
    """
    if _rename(new, path, _EXCHANGE):
        new.rename(aside)
        return
    path.rename(aside)
    try:
        place(new, path)
    except BaseException:
        place(aside, path)
        raise
