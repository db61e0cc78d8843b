"""Which images a file does worst on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest

from .records import ImageScores

__all__ = ["caption_of", "worst_rows"]


def worst_rows(rows: Iterable[ImageScores], groups: Mapping[str, str], most: int) -> list[ImageScores]:
    """Return the images of the lowest F1, of equal ones those with most errors, that show at least one error.

    Groups take turns, so that one of which nothing is found does not hide what is wrong with the others.

    Args:
        rows: of one file.
        groups: of images, by name.
        most: images to return.
    """
    wrong = [row for row in rows if not row.why and _errors(row)]
    wrong.sort(key=lambda row: (row.scores["f1"] or 0.0, -_errors(row)))
    queues: dict[str, list[ImageScores]] = {}
    for row in wrong:
        queues.setdefault(groups[row.image], []).append(row)
    return [row for row in chain.from_iterable(zip_longest(*queues.values())) if row is not None][:most]


def _errors(row: ImageScores) -> int:
    """Return missed and false instances together."""
    return row.true + row.found - 2 * row.matched


def caption_of(row: ImageScores, *, structure: bool) -> str:
    """Return what a picture of an image shows, in plain text.

    Args:
        row: its figures.
        structure: name the structure too.
    """
    return (
        f"{row.image}{f', {row.structure}' if structure else ''}: F1 {row.scores['f1'] or 0.0:.2f}; "
        f"{row.matched} of {row.true} found, {row.true - row.matched} missed, {row.found - row.matched} false"
    )
