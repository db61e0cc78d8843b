"""What an error of the operating system means for an output, in words."""

from __future__ import annotations

import errno
from pathlib import Path

from ..errors import OutputError
from ..untrusted.boundary import disk_is_full, plain

__all__ = ["cannot_write", "exists_already", "scratch_failed"]

_ELSEWHERE = "Choose another place with --output."
_FACTS = {
    errno.EROFS: ("it lies on a file system that is read-only", _ELSEWHERE),
    errno.EACCES: ("you may not write there", "Choose a place that you may write to with --output."),
    errno.EPERM: ("you may not write there", "Choose a place that you may write to with --output."),
    errno.ENAMETOOLONG: ("its name is too long for this file system", "Choose a shorter --output."),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", _ELSEWHERE),
    errno.EEXIST: ("a part of its path is a file, not a folder", _ELSEWHERE),
    errno.ENOENT: ("its folder does not exist and cannot be made, or was removed", _ELSEWHERE),
    errno.ELOOP: ("a part of its path is a link that leads to itself", _ELSEWHERE),
    errno.EMFILE: ("too many files are open", "Close other programs, or raise the limit (ulimit -n)."),
    errno.EFBIG: (
        "a file is larger than this file system or the limit on files (ulimit -f) allows",
        "Raise the limit, or choose another place with --output.",
    ),
    errno.EIO: ("the disk reports an error", "Check the disk, and choose another place with --output."),
}


def cannot_write(error: BaseException, path: Path) -> OutputError:
    """Return the error that says why an output was not written.

    Args:
        error: of the operating system, or one that such an error caused.
        path: of the output, as the user named it.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EDQUOT:
        return OutputError(
            f"The disk is full for you, your quota on it is used up: {path} was not written.",
            hint="Free some space or choose another place with --output.",
        )
    if number not in _FACTS and disk_is_full(error):
        return OutputError(
            f"The disk is full: {path} was not written.", hint="Free some space or choose another place with --output."
        )
    if number in _FACTS:
        fact, hint = _FACTS[number]
        return OutputError(f"Cannot write {path}: {fact}.", hint=hint)
    fact = plain((error.strerror if isinstance(error, OSError) else None) or error).rstrip(".")
    return OutputError(f"Cannot write {path}: {fact}.", hint="Choose a place that you may write to with --output.")


def scratch_failed(error: BaseException) -> OutputError:
    """Return the error for a folder of temporary files that cannot be used."""
    if disk_is_full(error):
        return OutputError(
            "The disk is full: there is no room left for temporary files.",
            hint="Free some space there, or set TMPDIR to a folder on another disk.",
        )
    fact = plain((error.strerror if isinstance(error, OSError) else None) or error).rstrip(".")
    return OutputError(
        f"Temporary files cannot be written: {fact}.", hint="Set TMPDIR to a folder that you may write to."
    )


def exists_already(path: Path) -> OutputError:
    """Return the error for an output that is there, where nothing was said about replacing it."""
    return OutputError(f"{path} exists already.", hint="Pass --overwrite to replace it, or another --output.")
