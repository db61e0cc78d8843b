"""Temporary files, in the system's folder for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InstansegExportError, OutputError
from ..plain_text import escaped
from ..untrusted.boundary import disk_is_full
from .claim import claimed_folder
from .words import scratch_failed

__all__ = ["scratch_folder"]

_PREFIX = "instanseg-export-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder that is removed with all that is in it when the block ends.

    What a process that was killed left behind is removed by the next one. Messages of errors that leave the block do
    not name the folder.

    Raises:
        OutputError: there is no room for it, or the disk fills up.
    """
    try:
        claims = claimed_folder(Path(tempfile.gettempdir()).resolve(), _PREFIX)
        claim = claims.__enter__()
    except OSError as error:
        raise scratch_failed(error) from error
    try:
        yield claim.work
    except BaseException as error:
        claims.__exit__(type(error), error, error.__traceback__)
        if isinstance(error, InstansegExportError):
            if disk_is_full(error) and not isinstance(error, OutputError):
                raise scratch_failed(error) from error
            hidden = escaped(str(claim.work))
            error.message = error.message.replace(f"{hidden}/", "").replace(hidden, "it")
            error.args = (error.message,)
        elif isinstance(error, Exception) and disk_is_full(error):
            raise scratch_failed(error) from error
        raise
    else:
        claims.__exit__(None, None, None)
