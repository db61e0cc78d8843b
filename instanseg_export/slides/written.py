"""The results of a run in its folder: put there together, known again later, and never in the place of anything else.

They are made in a folder of the run's own. A list of their hashes is written before they are moved, so that a run that
is killed meanwhile knows which of the files in its folder are its own.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InstansegExportError, OutputError
from ..files import sha256_of
from ..files.journal import note_written
from ..files.words import cannot_write
from ..untrusted.json_texts import load_json
from .engine.job import Job, results_list_of

__all__ = ["LABELS", "OVERVIEW", "RECORD", "Results", "check_results", "staged_results"]

RECORD, LABELS, OVERVIEW = "run.json", "labels.zarr", "overview.png"
_FORMAT = "instanseg-export slide 1"


def check_results(folder: Path, names: Sequence[str], *, resume: bool, overwrite: bool) -> dict[Path, str]:
    """Return what is in the way of results in a folder, and may go, with its hashes.

    Args:
        folder: of the results.
        names: of the files and folders that will be written.
        resume: whether what the run left whose tiles are in the folder may go.
        overwrite: whether results of any run may go.

    Raises:
        OutputError: something is in the way that no run into this folder wrote, or that was changed since, or that may
            not go.
    """
    there = _present(folder, (*names, RECORD))
    if not there:
        return {}
    finished = (folder / RECORD).exists()
    if not overwrite and not (resume and results_list_of(folder).parent.is_dir()):
        raise OutputError(
            f"{next(iter(there))} exists already.", hint="Pass --overwrite to replace it, or choose another --output."
        )
    known = _hashes(folder / RECORD if finished else results_list_of(folder))
    for path, digest in there.items():
        ours = bool(known) if path.name == RECORD else known.get(path.name) == digest
        if not ours:
            raise OutputError(
                f"{path} was not written by a run into this folder, or was changed since.",
                hint="Move it away, or choose another --output.",
            )
    return there


def _present(folder: Path, names: Sequence[str]) -> dict[Path, str]:
    """Return which of these names are in a folder, with the hashes of what is there."""
    return {folder / name: sha256_of(folder / name) for name in names if (folder / name).exists()}


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
def staged_results(job: Job, in_the_way: Mapping[Path, str]) -> Iterator[Results]:
    """Yield a folder for results, which are put in place when the block ends well, the record last.

    Args:
        job: the run.
        in_the_way: what :func:`check_results` returned.

    Raises:
        OutputError: they cannot be put there, or something else has come into their place since the check. The tiles
            are kept, so that a run with --resume only puts the results there.
    """
    folder, place = job.folder, job.results
    results = Results(place)
    try:
        for one in (place, job.replaced):
            shutil.rmtree(one, ignore_errors=True)  # of a run that was killed here
            one.mkdir()
        yield results
        made = sorted(place.iterdir())
        record = {"format": _FORMAT, **results.facts, "written": {path.name: sha256_of(path) for path in made}}
        there = _present(folder, (*(path.name for path in made), *(path.name for path in in_the_way), RECORD))
        for path, digest in there.items():
            if in_the_way.get(path) != digest:
                raise OutputError(
                    f"{path} appeared, or was changed, while the run was under way.",
                    hint="Move it away, and run again with --resume: the tiles are kept.",
                )
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        job.list_results(text)
        # Whole, since half of a folder would be nobody's; and the record last, which knows that the others are a run's.
        for path in sorted(there, key=lambda path: path.name == RECORD):
            path.rename(job.replaced / path.name)
        with (place / RECORD).open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        for path in (*made, place / RECORD):
            path.rename(folder / path.name)
            note_written(folder / path.name)
        place.rmdir()
        shutil.rmtree(job.replaced)
    except OSError as error:
        raise cannot_write(error, folder) from error
    results.written = (*(folder / path.name for path in made), folder / RECORD)
