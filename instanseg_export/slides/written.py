"""The results of a run in its folder: put there together, known again later, and never in the place of anything else.

They are made in a folder of the run's own. A list of their hashes is written before they are moved, so that a run that
is killed meanwhile knows which of the files in its folder are its own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InstansegExportError, OutputError
from ..files import sha256_of, staged_file
from ..files.journal import note_written
from ..files.words import cannot_write
from ..untrusted.json_texts import load_json
from .engine.job import Job, results_list_of

__all__ = ["LABELS", "OVERVIEW", "RECORD", "Results", "check_results", "staged_results"]

RECORD, LABELS, OVERVIEW = "run.json", "labels.zarr", "overview.png"
_FORMAT = "instanseg-export slide 1"


def check_results(folder: Path, names: Sequence[str], *, resume: bool, overwrite: bool) -> list[Path]:
    """Return what is in the way of results in a folder, and may go.

    Args:
        folder: of the results.
        names: of the files and folders that will be written.
        resume: whether what an unfinished run left may go.
        overwrite: whether results of any run may go.

    Raises:
        OutputError: something is in the way that no run into this folder wrote, or that was changed since, or that may
            not go.
    """
    there = [folder / name for name in (RECORD, *names) if (folder / name).exists()]
    if not there:
        return []
    finished = (folder / RECORD).exists()
    if not overwrite and (finished or not resume):
        raise OutputError(
            f"{there[0]} exists already.", hint="Pass --overwrite to replace it, or choose another --output."
        )
    known = _hashes(folder / RECORD if finished else results_list_of(folder))
    for path in there:
        if path.name != RECORD and known.get(path.name) != sha256_of(path):
            raise OutputError(
                f"{path} was not written by a run into this folder, or was changed since.",
                hint="Move it away, or choose another --output.",
            )
    return there


def _hashes(path: Path) -> Mapping[str, Any]:
    """Return the hashes that a run noted; none where it did not."""
    try:
        found = load_json(path, "the record of a run", OutputError)
        written = found["written"] if found["format"] == _FORMAT else {}
    except (InstansegExportError, KeyError, TypeError):
        return {}
    return written if isinstance(written, dict) else {}


@dataclass
class Results:
    """Results in the making.

    Attributes:
        place: a folder to make them in.
        facts: what the record of the run says; plain values that JSON holds.
        written: where they are in the end.
    """

    place: Path
    facts: dict[str, Any] = field(default_factory=dict)
    written: tuple[Path, ...] = ()


@contextmanager
def staged_results(job: Job, in_the_way: Sequence[Path]) -> Iterator[Results]:
    """Yield a folder for results, which are put in place when the block ends well, the record last.

    Args:
        job: the run.
        in_the_way: what :func:`check_results` returned.

    Raises:
        OutputError: they cannot be put there.
    """
    folder, place = job.folder, job.results
    results = Results(place)
    try:
        shutil.rmtree(place, ignore_errors=True)  # of a run that was killed here
        place.mkdir()
        yield results
        made = sorted(place.iterdir())
        record = {"format": _FORMAT, **results.facts, "written": {path.name: sha256_of(path) for path in made}}
        job.results_list.unlink(missing_ok=True)
        _write(job.results_list, record)
        for path in in_the_way:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in made:
            path.rename(folder / path.name)
            note_written(folder / path.name)
        _write(folder / RECORD, record)
        place.rmdir()
    except OSError as error:
        raise cannot_write(error, folder) from error
    results.written = (*(folder / path.name for path in made), folder / RECORD)


def _write(path: Path, record: Mapping[str, Any]) -> None:
    with staged_file(path) as place:
        place.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
