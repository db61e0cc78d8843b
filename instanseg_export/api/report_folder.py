"""The folder that a report is written to, where one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..files import staged_folder

__all__ = ["report_folder"]


def report_folder(
    output: str | Path | None, *, kind: str, overwrite: bool, inputs: Sequence[str | Path]
) -> AbstractContextManager[Path | None]:
    """Return a context that yields the folder to write to, or None without ``output``.

    Args:
        output: the folder to make.
        kind: of output, for messages.
        overwrite: replace what this package wrote there, if nothing in it was added or changed.
        inputs: what is read, none of which may be, hold or lie in the folder.

    Raises:
        OutputError: on entering, the folder exists or cannot be written.
    """
    if output is None:
        return nullcontext()
    return staged_folder(Path(output), kind=kind, overwrite=overwrite, inputs=[Path(path) for path in inputs])
