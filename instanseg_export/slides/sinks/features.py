"""Objects as QuPath has them: a cell with its nucleus, or a detection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ...images.writers import Feature, unique_names
from .record import Frame, ObjectRecord
from .rows import Row, area_of_pixel

__all__ = ["classification", "features_of"]


def features_of(rows: Sequence[Row], frame: Frame) -> Iterator[Feature]:
    """Yield a feature for each object; names and measurements are those of the untiled ``run``."""
    paired = frame.paired and len(frame.structures) == 2
    for _, group in groupby(rows, key=lambda row: id(row.record)):
        found = list(group)
        if not paired:
            yield from (_detection(row, frame) for row in found)
            continue
        cell = next((row for row in found if row.structure == 1), None)
        nucleus = next((row for row in found if row.structure == 0), None)
        if cell is None or cell.shape is None:
            yield from (_detection(row, frame) for row in found)
            continue
        measurements = _label(cell) | _facts(cell, frame, "cell ")
        if nucleus is not None:
            measurements |= _facts(nucleus, frame, "nucleus ")
        yield Feature(
            name=f"{frame.structures[1]}/{cell.record.label}",
            outline=cell.shape,
            nucleus=None if nucleus is None else nucleus.shape,
            cell=True,
            classification=classification(cell.record, frame),
            measurements=measurements,
        )


def classification(record: ObjectRecord, frame: Frame) -> tuple[str, int] | None:
    """Return name and place of an object's class; None if it has none that is known."""
    number = record.class_number
    return None if number is None or not 0 <= number < len(frame.classes) else (frame.classes[number], number)


def _detection(row: Row, frame: Frame) -> Feature:
    assert row.shape is not None
    return Feature(
        name=f"{frame.structures[row.structure]}/{row.record.label}",
        outline=row.shape,
        classification=classification(row.record, frame),
        measurements=_label(row) | _facts(row, frame),
    )


def _label(row: Row) -> dict[str, float]:
    return {"label": row.record.label}


def _facts(row: Row, frame: Frame, prefix: str = "") -> dict[str, float]:
    pixel, square = area_of_pixel(frame)
    facts = {f"{prefix}area_px": row.part.size * pixel}
    if square is not None:
        facts[f"{prefix}area_um2"] = row.part.size * square
    for name, mean in zip(unique_names(frame.channels), row.part.means, strict=True):
        facts[f"{prefix}mean: {name}"] = mean
    for name, value in row.record.further.items():
        if isinstance(value, int | float):
            facts[f"{prefix}{name}"] = value
    return facts
