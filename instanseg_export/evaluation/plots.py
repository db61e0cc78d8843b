"""Which charts an evaluation has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .charts import draw_curves, draw_sizes, lines_of
from .records import ALL, EvaluationData
from .tables import ObjectRow

__all__ = ["charts_of"]


def charts_of(data: EvaluationData, objects: Sequence[ObjectRow]) -> dict[str, tuple[str, str]]:
    """Return title and SVG of each chart, by the name of its file.

    Args:
        data: the figures.
        objects: of all files.
    """
    first = data.first
    charts: dict[str, tuple[str, str]] = {}
    several = len(data.structures) > 1
    of_groups = [
        (
            " ".join(filter(None, [one.structure if several else "", one.group if one.group != ALL else "all images"])),
            one,
        )
        for one in data.curves
        if one.file == first.key
    ]
    title = f"F1 over IoU thresholds, {first.title}"
    charts["f1_over_iou.svg"] = title, draw_curves(lines_of(of_groups), title)
    of_files = [
        (f"{data.title_of(one.file)}{f', {one.structure}' if several else ''}", one)
        for one in data.curves
        if one.group == ALL
    ]
    if len({one.file for _, one in of_files}) > 1:
        title = "F1 over IoU thresholds, all images, by file and runtime"
        charts["f1_over_iou_by_file.svg"] = title, draw_curves(lines_of(of_files), title)
    for structure in data.structures:
        true = [row for row in objects if row[0] == first.key and row[2] == structure and row[3] != "false"]
        if true:
            name = f"size_against_iou{f'_{structure}' if several else ''}.svg"
            title = f"Size of true objects against IoU, {f'{structure}, ' if several else ''}{first.title}"
            areas, iou = np.array([row[6] for row in true], float), np.array([row[7] for row in true], float)
            charts[name] = title, draw_sizes(areas, iou, data.iou, title, dimensions=len(data.images[0].shape))
    return charts
