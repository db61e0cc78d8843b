"""The curves of a training: a table that grows, and a picture of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

__all__ = ["Table", "draw_curves"]

_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (90, 90, 90))
"""Told apart by colour-blind readers too (Okabe and Ito)."""

_WIDTH, _HEIGHT, _LEFT, _EDGE, _LINE = 760, 230, 60, 20, 18


class Table:
    """A table on disk, a row per step that is told, in which steps only rise.

    Args:
        path: of the CSV file.
        from_step: rows of later steps are dropped: they will be told again.
    """

    def __init__(self, path: Path, from_step: int) -> None:
        self._path = path
        self.rows: list[dict[str, float]] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    try:
                        values = {name: float(value) for name, value in row.items() if value}
                    except (TypeError, ValueError):
                        continue  # half of a line, of a process that was killed
                    if values.get("step", from_step + 1.0) <= from_step:
                        self.rows.append(values)
        self._write()

    def add(self, row: Mapping[str, float]) -> None:
        """Add a row; new columns may come at any time."""
        known = self._columns()
        self.rows.append(dict(row))
        if known == self._columns():
            with self._path.open("a", encoding="utf-8", newline="") as stream:
                csv.DictWriter(stream, known).writerow(row)
        else:
            self._write()

    def _columns(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def _write(self) -> None:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, self._columns())
        writer.writeheader()
        writer.writerows(self.rows)
        half = self._path.with_name(self._path.name + ".part")
        half.write_text(stream.getvalue(), encoding="utf-8")
        half.replace(self._path)


def draw_curves(panels: Mapping[str, Sequence[Mapping[str, float]]]) -> Image.Image:
    """Draw a panel per table, all columns over the step.

    Args:
        panels: title to rows, each with a "step".
    """
    picture = Image.new("RGB", (_WIDTH, len(panels) * (_HEIGHT + 2 * _EDGE)), "white")
    draw = ImageDraw.Draw(picture)
    for place, (title, rows) in enumerate(panels.items()):
        _panel(draw, place * (_HEIGHT + 2 * _EDGE) + _EDGE, title, rows)
    return picture


def _panel(draw: Any, top: int, title: str, rows: Sequence[Mapping[str, float]]) -> None:
    font = ImageFont.load_default(12)
    bottom, right = top + _HEIGHT - _LINE, _WIDTH - 190
    draw.text((_LEFT, top - 15), title, fill=(30, 30, 30), font=font)
    draw.rectangle((_LEFT, top, right, bottom), outline=(180, 180, 180))
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "step"]
    points = {name: [(row["step"], row[name]) for row in rows if name in row] for name in names}
    values = sorted(value for line in points.values() for _, value in line)
    if not values:
        return
    # A few outliers of the first steps shall not flatten all that follows.
    low, high = min(0.0, values[0]), values[min(len(values) - 1, int(len(values) * 0.99))]
    high = high if high > low else low + 1.0
    last = max(row["step"] for row in rows) or 1.0
    for text, height in ((f"{high:.3g}", top), (f"{low:.3g}", bottom - 12)):
        draw.text((6, height), text, fill=(90, 90, 90), font=font)
    draw.text((right - 70, bottom + 3), f"step {last:.0f}", fill=(90, 90, 90), font=font)
    for place, (name, line) in enumerate(points.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        places = [
            (
                _LEFT + (right - _LEFT) * step / last,
                bottom - (bottom - top) * (min(max(value, low), high) - low) / (high - low),
            )
            for step, value in line
        ]
        if len(places) > 1:
            draw.line(places, fill=colour, width=2)
        draw.text((right + 10, top + place * _LINE), f"{name} {line[-1][1]:.3g}", fill=colour, font=font)
