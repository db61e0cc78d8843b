"""An evaluation in words and in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .html import render_html
from .pictures import Picture
from .plots import charts_of
from .records import ALL, EvaluationData
from .tables import ObjectRow, images_table, objects_table, scores_table, with_bounds

__all__ = ["Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """All that one call of :func:`instanseg_export.evaluate` found.

    Attributes:
        data: the figures.
        objects: a row for each true instance and each false one, of all files.
        pictures: of the worst images.
    """

    data: EvaluationData
    objects: Sequence[ObjectRow]
    pictures: Sequence[Picture]

    @property
    def passed(self) -> bool:
        """Whether every file that could be run segmented every image."""
        return self.data.passed

    def summary(self) -> str:
        """Return the outcome of the first file in one paragraph of plain text."""
        data = self.data
        first = data.first
        sentences = []
        for structure in data.structures:
            groups = dict.fromkeys(one.group for one in data.scores if one.file == first.key)
            for group in groups:
                pooled = data.scores_of(first.key, structure, group, "pooled")
                mean = data.scores_of(first.key, structure, group, "mean")
                what = " ".join(
                    filter(None, [structure if len(data.structures) > 1 else "", group if group != ALL else ""])
                )
                start = f"{what}: " if what else ""
                sentences.append(
                    f"{start}F1 {with_bounds(pooled.scores['f1'])} at an IoU of {data.iou:g} and F1µ "
                    f"{with_bounds(pooled.scores['f1_mu'])}, pooled over {pooled.images} "
                    f"image{'s' * (pooled.images != 1)} with {pooled.true:,} instances; F1 as the mean of images "
                    f"{with_bounds(mean.scores['f1'])}."
                )
        for file in data.files:
            if file.status == "failed":
                sentences.append(f"{file.title} failed on some images: {file.why}.")
        absent: dict[str, list[str]] = {}
        for file in data.files:
            if file.status == "not run":
                absent.setdefault(file.why, []).append(file.title)
        for why, titles in absent.items():
            sentences.append(f"Not run: {'; '.join(titles)}: {why}.")
        return f"{first.title}: " + " ".join(sentences)

    def document(self) -> dict[str, Any]:
        """Return the figures, ready for JSON."""
        return self.data.model_dump(mode="json")

    def write(self, folder: Path) -> list[Path]:
        """Write the report into a folder that exists.

        Returns:
            evaluation.html, evaluation.json, scores.csv, images.csv, objects.csv, and the charts as SVG.

        Raises:
            OSError: a file cannot be written.
        """
        charts = charts_of(self.data, self.objects)
        texts = {
            "evaluation.html": render_html(self.data, self.pictures, list(charts.values())),
            "evaluation.json": self.data.model_dump_json(indent=1) + "\n",
            "scores.csv": scores_table(self.data),
            "images.csv": images_table(self.data),
            "objects.csv": objects_table(self.objects),
            **{name: f"{chart}\n" for name, (_, chart) in charts.items()},
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return [folder / name for name in texts]
