"""What people say of single cells: a table beside the label maps."""

from __future__ import annotations

from pathlib import Path

from ...errors import RecipeError
from ...images.index_file import read_rows
from ...untrusted.boundary import plain
from ..objective import CellColumns

__all__ = ["CELLS", "read_cells", "whole"]

CELLS = "cells.csv"

Judged = tuple[int, int, int]
"""A cell's number in its label map, what is judged of it, and how."""


def read_cells(folder: Path, source: Path, columns: CellColumns) -> dict[str, list[Judged]]:
    """Read ``cells.csv``.

    Args:
        folder: that holds it.
        source: what messages call that.
        columns: of the family.

    Returns:
        Of each image by its id, in the order of the lines.

    Raises:
        RecipeError: it is missing or malformed, or says one thing twice.
    """
    shown, hint = f"{source}: {CELLS}", "docs/training.md shows what the table of cells holds."
    needed = ("image", "label", *columns.needed)
    rows = read_rows(folder / CELLS, "the table of cells", shown, RecipeError, hint=hint, columns=needed)
    found: dict[str, list[Judged]] = {}
    known: set[tuple[str, int, int]] = set()
    for line, row in enumerate(rows, start=2):
        try:
            label = whole(row["label"], "label")
            what, how = columns.read(row)
        except ValueError as error:
            raise RecipeError(f"{shown}, line {line}: {plain(error, 300)}.", hint=hint) from None
        place = row["image"], label, what
        if place in known:
            raise RecipeError(
                f"{shown}, line {line}: the cell {label} of {plain(row['image'], 80)!r} is judged twice.",
                hint="Leave one of the lines.",
            )
        known.add(place)
        found.setdefault(row["image"], []).append((label, what, how))
    return found


def whole(text: str, name: str, least: int = 1) -> int:
    """Read a whole number.

    Args:
        text: of it.
        name: of the column.
        least: the smallest that there is.

    Raises:
        ValueError: it is none, with words for a message.
    """
    if not text.strip().isascii() or not text.strip().isdigit() or len(text) > 9 or int(text) < least:
        raise ValueError(f"{name} is {text[:40]!r}, which is no whole number from {least} on")
    return int(text)
