"""The files of a finished run: which there are, that nobody's are replaced, and what says that they are whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InstansegExportError, OutputError
from ..files import sha256_of, staged_file
from ..files.words import cannot_write
from ..untrusted.json_texts import load_json

__all__ = ["LABELS", "OVERVIEW", "RECORD", "check_results", "clear_results", "write_record"]

RECORD, LABELS, OVERVIEW = "run.json", "labels.zarr", "overview.png"
_FORMAT = "instanseg-export slide 1"


def check_results(folder: Path, names: Sequence[str], *, resumed: bool, overwrite: bool) -> list[Path]:
    """Return what is in the way of results in a folder, and may go.

    Args:
        folder: of the results.
        names: of the files and folders that will be written.
        resumed: whether an unfinished run of ours is in the folder: what it wrote goes.
        overwrite: whether results of a finished run may go, if nobody changed them.

    Raises:
        OutputError: something is in the way that this tool did not write, or that was changed since.
    """
    there = [folder / name for name in (RECORD, *names) if (folder / name).exists()]
    if there and not (resumed and RECORD not in (path.name for path in there)):
        if not overwrite:
            raise OutputError(
                f"{there[0]} exists already.", hint="Pass --overwrite to replace it, or choose another --output."
            )
        _check_ours(folder, there)
    return there


def clear_results(folder: Path, names: Sequence[str], *, resumed: bool, overwrite: bool) -> None:
    """Make the names of results free in a folder.

    Raises:
        OutputError: as for :func:`check_results`; or something cannot be deleted.
    """
    there = check_results(folder, names, resumed=resumed, overwrite=overwrite)
    try:
        for path in there:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise cannot_write(error, folder) from error


def _check_ours(folder: Path, there: Sequence[Path]) -> None:
    record = folder / RECORD
    try:
        found = load_json(record, "the record of a run", OutputError)
        hashes = found["written"] if found["format"] == _FORMAT else None
    except (InstansegExportError, KeyError, TypeError):
        hashes = None
    for path in there:
        known = path == record if isinstance(hashes, dict) else False
        if not known and not (isinstance(hashes, dict) and hashes.get(path.name) == sha256_of(path)):
            raise OutputError(
                f"{path} was not written by a run into this folder, or was changed since.",
                hint="Move it away, or choose another --output.",
            )


def write_record(folder: Path, facts: Mapping[str, Any], written: Sequence[Path]) -> Path:
    """Write what a run was and found; with it the run is finished.

    Args:
        folder: of the results.
        facts: plain values that JSON holds.
        written: the other results.

    Raises:
        OutputError: it cannot be written.
    """
    record = {"format": _FORMAT, **facts, "written": {path.name: sha256_of(path) for path in written}}
    with staged_file(folder / RECORD) as place:
        place.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder / RECORD
