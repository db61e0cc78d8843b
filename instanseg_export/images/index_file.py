"""The index.csv of a set of images: a line for each, with its type, its split and whatever else is known of it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..errors import InstansegExportError
from ..limits import MAX_NAME, MAX_TEXT_BYTES
from ..untrusted.boundary import plain
from ..untrusted.texts import read_text

__all__ = ["read_index", "read_rows"]


def read_index(
    path: Path, shown: str, error: type[InstansegExportError], *, hint: str, columns: tuple[str, ...] = ("id",)
) -> list[dict[str, str]]:
    """Read an index.

    Args:
        path: of the file.
        shown: what messages call it.
        error: the kind of error to raise.
        hint: the remedy.
        columns: that it must have, "id" among them: the name of the image's file, without the ending.

    Returns:
        A row for each image; a column "type" is there in any case.

    Raises:
        InstansegExportError: of kind ``error``: it is missing, no table, lacks a column, or has an id twice or one that
            is no name of a file.
    """
    rows = read_rows(path, "the index of a data set", shown, error, hint=hint, columns=columns)
    names: set[str] = set()
    for line, row in enumerate(rows, start=2):
        name = row["id"]
        if not name or len(name) > MAX_NAME or Path(name).name != name or name in names:
            twice = "is given twice" if name in names else "is no name of a file"
            raise error(f"{shown}, line {line}: the id {plain(name, 80)!r} {twice}.", hint=hint)
        names.add(name)
    return [{"type": "", **row} for row in rows]


def read_rows(
    path: Path, kind: str, shown: str, error: type[InstansegExportError], *, hint: str, columns: tuple[str, ...]
) -> list[dict[str, str]]:
    """Read a table with a line of names at its top.

    Args:
        path: of the file.
        kind: what it is, for messages where it is missing.
        shown: what messages call it otherwise.
        error: the kind of error to raise.
        hint: the remedy.
        columns: that it must have.

    Returns:
        A row for each line, the first of which is line 2; what a line leaves out is empty.

    Raises:
        InstansegExportError: of kind ``error``: it is missing, no table, or lacks a column.
    """
    text = read_text(path, kind, error, hint=hint, limit=MAX_TEXT_BYTES)
    try:
        reader = csv.DictReader(io.StringIO(text), strict=True)
        rows = list(reader)
    except csv.Error as caught:
        raise error(f"{shown} is no table: {plain(caught)}.", hint=hint) from caught
    for column in columns:
        if column not in (reader.fieldnames or ()):
            raise error(f"{shown} has no column {column!r}.", hint=hint)
    return [{key: value or "" for key, value in row.items() if key is not None} for row in rows]
