"""The charts of an evaluation as SVG: lines stay sharp in print, and a page can hold them as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .records import Curve

__all__ = ["Line", "draw_curves", "draw_sizes", "lines_of"]

Values = npt.NDArray[np.float64]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a", "#b8a800")
"""Told apart by colour-blind readers too (Okabe and Ito)."""

_WIDTH, _HEIGHT = 640, 380
_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 16, 16, 48
_LEGEND = 20

_STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1c2330}.soft{fill:#5d6879}"
    ".grid{stroke:#8a94a3;stroke-opacity:.3}.axis{stroke:#5d6879}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e9ef}.soft{fill:#9aa5b5}.axis{stroke:#9aa5b5}}"
)


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: in the legend.
        x: places of its points.
        y: their values, None where there is none.
        low, high: bounds of each; None where there are none.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]


def lines_of(curves: Sequence[tuple[str, Curve]]) -> list[Line]:
    """Return curves as lines, by their names."""
    return [
        Line(
            name,
            curve.thresholds,
            [one.value for one in curve.f1],
            [one.low for one in curve.f1],
            [one.high for one in curve.f1],
        )
        for name, curve in curves
    ]


class _Frame:
    """A plane with axes, from values to places on the page."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], lines: int) -> None:
        self._x, self._y = x, y
        self.height = _HEIGHT + _LEGEND * lines
        self.parts: list[str] = []

    def at_x(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def at_y(self, value: float) -> float:
        low, high = self._y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def axes(self, x: Sequence[tuple[float, str]], y: Sequence[tuple[float, str]], titles: tuple[str, str]) -> None:
        left, right, bottom, top = _LEFT, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, _TOP
        for value, text in y:
            place = self.at_y(value)
            self.parts.append(f"<line class='grid' x1='{left}' x2='{right}' y1='{place:.1f}' y2='{place:.1f}'/>")
            self.parts.append(
                f"<text class='soft' x='{left - 8}' y='{place + 4:.1f}' text-anchor='end'>{escape(text)}</text>"
            )
        for value, text in x:
            place = self.at_x(value)
            self.parts.append(f"<line class='grid' x1='{place:.1f}' x2='{place:.1f}' y1='{top}' y2='{bottom}'/>")
            self.parts.append(
                f"<text class='soft' x='{place:.1f}' y='{bottom + 18}' text-anchor='middle'>{escape(text)}</text>"
            )
        self.parts.append(f"<line class='axis' x1='{left}' x2='{right}' y1='{bottom}' y2='{bottom}'/>")
        middle = (left + right) / 2
        self.parts.append(
            f"<text x='{middle:.0f}' y='{bottom + 38}' text-anchor='middle'>{escape(titles[0])}</text>"
            f"<text x='16' y='{(top + bottom) / 2:.0f}' text-anchor='middle' "
            f"transform='rotate(-90 16 {(top + bottom) / 2:.0f})'>{escape(titles[1])}</text>"
        )

    def legend(self, place: int, colour: str, name: str) -> None:
        y = _HEIGHT + place * _LEGEND
        self.parts.append(
            f"<rect x='{_LEFT}' y='{y}' width='18' height='4' fill='{colour}'/>"
            f"<text x='{_LEFT + 26}' y='{y + 7}'>{escape(name)}</text>"
        )

    def drawing(self, title: str) -> str:
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {self.height}' width='{_WIDTH}' "
            f"height='{self.height}' role='img' aria-label='{escape(title, quote=True)}'>"
            f"<title>{escape(title)}</title><style>{_STYLE}</style>" + "".join(self.parts) + "</svg>"
        )


def draw_curves(lines: Sequence[Line], title: str) -> str:
    """Return the chart of F1 over IoU thresholds, each line with its 95 % band.

    Args:
        lines: of one or more files or groups.
        title: for readers that do not see it.
    """
    x = [place for line in lines for place in line.x]
    frame = _Frame((min(x), max(x)), (0.0, 1.0), len(lines))
    frame.axes(
        [(place, f"{place:g}") for place in sorted(set(x)) if round(place * 20) % 2 == 0],
        [(place / 5, f"{place / 5:g}") for place in range(6)],
        ("IoU threshold", "F1"),
    )
    for place, line in enumerate(lines):
        colour = _COLOURS[place % len(_COLOURS)]
        bounds = [
            (at, low, high)
            for at, low, high in zip(line.x, line.low, line.high, strict=True)
            if low is not None and high is not None
        ]
        if bounds:
            there = [(at, high) for at, _, high in bounds]
            back = [(at, low) for at, low, _ in reversed(bounds)]
            frame.parts.append(f"<polygon points='{_points(frame, there + back)}' fill='{colour}' fill-opacity='.14'/>")
        known = [(at, value) for at, value in zip(line.x, line.y, strict=True) if value is not None]
        frame.parts.append(
            f"<polyline points='{_points(frame, known)}' fill='none' stroke='{colour}' stroke-width='2'/>"
        )
        frame.parts += [
            f"<circle cx='{frame.at_x(at):.1f}' cy='{frame.at_y(value):.1f}' r='3' fill='{colour}'>"
            f"<title>{escape(line.name)}: F1 {value:.3f} at {at:g}</title></circle>"
            for at, value in known
        ]
        frame.legend(place, colour, line.name)
    return frame.drawing(title)


def _points(frame: _Frame, points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{frame.at_x(x):.1f},{frame.at_y(y):.1f}" for x, y in points)


def draw_sizes(sizes: Values, iou: Values, threshold: float, title: str, *, dimensions: int = 2) -> str:
    """Return the chart of size against IoU: how many true objects lie where, and the median IoU of each size.

    Args:
        sizes: of true objects, in pixels or voxels.
        iou: of each with what was found.
        threshold: from which on an object counts as found, drawn as a line.
        title: for readers that do not see it.
        dimensions: 2, or 3 for volumes.
    """
    diameters = 2 * np.sqrt(sizes / np.pi) if dimensions == 2 else np.cbrt(6 * sizes / np.pi)
    low, high = np.log2(diameters.min()), np.log2(diameters.max())
    low, high = (low - 0.5, high + 0.5) if high - low < 0.5 else (low, high)
    frame = _Frame((float(low), float(high)), (0.0, 1.0), 2)
    columns, rows = 32, 20
    counts, x_edges, y_edges = np.histogram2d(
        np.log2(diameters), iou, bins=(columns, rows), range=((low, high), (0.0, 1.0))
    )
    most = counts.max()
    for column, row in zip(*np.nonzero(counts), strict=True):
        number = int(counts[column, row])
        left, right = frame.at_x(x_edges[column]), frame.at_x(x_edges[column + 1])
        upper, lower = frame.at_y(y_edges[row + 1]), frame.at_y(y_edges[row])
        frame.parts.append(
            f"<rect x='{left:.1f}' y='{upper:.1f}' width='{right - left:.1f}' height='{lower - upper:.1f}' "
            f"fill='{_COLOURS[0]}' fill-opacity='{0.12 + 0.8 * np.sqrt(number / most):.2f}'>"
            f"<title>{number} objects</title></rect>"
        )
    ticks = [2.0**power for power in range(int(np.ceil(low)), int(np.floor(high)) + 1)]
    frame.axes(
        [(float(np.log2(tick)), f"{tick:g}") for tick in ticks],
        [(place / 5, f"{place / 5:g}") for place in range(6)],
        (f"diameter of a {'disc' if dimensions == 2 else 'ball'} of the same size, pixels", "IoU with what was found"),
    )
    frame.parts.append(
        f"<line x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{frame.at_y(threshold):.1f}' y2='{frame.at_y(threshold):.1f}' "
        f"class='axis' stroke-dasharray='5 4'/>"
    )
    medians = []
    edges = np.linspace(low, high, 11)
    for start, end in pairwise(edges):
        inside = (np.log2(diameters) >= start) & (np.log2(diameters) <= end)
        if inside.sum() >= min(5, len(sizes)):
            medians.append(((start + end) / 2, float(np.median(iou[inside]))))
    frame.parts.append(
        f"<polyline points='{_points(frame, medians)}' fill='none' stroke='{_COLOURS[1]}' stroke-width='2.5'/>"
    )
    frame.legend(0, _COLOURS[0], "true objects; darker where there are more")
    frame.legend(1, _COLOURS[1], f"median IoU of a size; at {threshold:g} and above, an object counts as found")
    return frame.drawing(title)
