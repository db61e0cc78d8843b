"""The tables of an evaluation, as rows of text, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .records import ALL, Difference, Estimate, EvaluationData, Scores
from .scoring import METRICS

__all__ = [
    "METRIC_TITLES",
    "NONE",
    "ObjectRow",
    "csv_text",
    "difference_rows",
    "figure_of",
    "images_table",
    "objects_table",
    "score_rows",
    "scores_table",
    "stability_rows",
    "with_bounds",
]

NONE = "-"
"""In place of a figure that there is not."""

METRIC_TITLES = tuple(metric.title for metric in METRICS)

ObjectRow = tuple[str, str, str, str, int, int, int, float]
"""File, image, structure, kind, id, id of the partner, area in pixels, IoU."""

_HOW = {"pooled": "pooled", "mean": "mean of images"}


def figure_of(estimate: Estimate) -> str:
    """Return a figure alone, as in "0.871"."""
    return NONE if estimate.value is None else f"{estimate.value:.3f}"


def with_bounds(estimate: Estimate, *, signed: bool = False) -> str:
    """Return a figure in words, as in "0.871 (0.842 to 0.894)"."""
    if estimate.value is None:
        return NONE
    form = "+.3f" if signed else ".3f"
    bounds = "" if estimate.low is None else f" ({estimate.low:{form}} to {estimate.high:{form}})"
    return f"{estimate.value:{form}}{bounds}"


def score_rows(rows: Iterable[Scores], data: EvaluationData, *, bounds: bool = True) -> list[list[str]]:
    """Return file, structure, group, how, images, instances and all figures of each row.

    Args:
        rows: of ``data``.
        data: of which they are.
        bounds: show intervals too.
    """
    return [
        [
            data.title_of(row.file),
            row.structure,
            row.group if row.group != ALL else "all",
            _HOW[row.how],
            str(row.images),
            f"{row.true:,} / {row.found:,} / {row.matched:,}",
            *((with_bounds if bounds else figure_of)(row.scores[metric.key]) for metric in METRICS),
        ]
        for row in rows
    ]


def stability_rows(data: EvaluationData) -> list[list[str]]:
    """Return change, images, instances and the two shares, or why they were not measured."""
    return [
        [one.title, "", "", one.why, ""]
        if one.why
        else [one.title, str(one.images), f"{one.objects:,}", with_bounds(one.kept_50), with_bounds(one.kept_90)]
        for one in data.stability
    ]


def difference_rows(rows: Iterable[Difference], data: EvaluationData) -> list[list[str]]:
    """Return file, structure, group, images and the differences of all figures of each row."""
    return [
        [
            data.title_of(row.file),
            row.structure,
            row.group if row.group != ALL else "all",
            str(row.images),
            *(with_bounds(row.scores[metric.key], signed=True) for metric in METRICS),
        ]
        for row in rows
    ]


def scores_table(data: EvaluationData) -> str:
    """Return all figures with their bounds as CSV."""
    bounds = [f"{metric.key}{end}" for metric in METRICS for end in ("", "_low", "_high")]
    head = ["file", "structure", "group", "how", "images", "true", "found", "matched", *bounds]
    rows = [
        [
            row.file,
            row.structure,
            row.group,
            row.how,
            row.images,
            row.true,
            row.found,
            row.matched,
            *(value for metric in METRICS for value in _values(row.scores[metric.key])),
        ]
        for row in data.scores
    ]
    return csv_text(head, rows)


def _values(estimate: Estimate) -> Iterator[float | str]:
    for value in (estimate.value, estimate.low, estimate.high):
        yield "" if value is None else value


def images_table(data: EvaluationData) -> str:
    """Return the figures of each image as CSV."""
    groups = {image.name: image.group for image in data.images}
    keys = [metric.key for metric in METRICS]
    head = ["file", "image", "group", "structure", "true", "found", "matched", *keys, "why"]
    rows = []
    for row in data.per_image:
        counts = [row.true, row.found, row.matched] if not row.why else [row.true, "", ""]
        figures = ["" if (value := row.scores.get(key)) is None else value for key in keys]
        rows.append([row.file, row.image, groups[row.image], row.structure, *counts, *figures, row.why])
    return csv_text(head, rows)


def objects_table(rows: Iterable[ObjectRow]) -> str:
    """Return a line for each object as CSV."""
    return csv_text(["file", "image", "structure", "kind", "label", "partner", "area_px", "iou"], rows)


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV; whole numbers as they are, others with six digits."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in row])
    return stream.getvalue()
