"""What a model says of each object, as a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..metadata import OutputFacts

__all__ = ["write_objects"]


def write_objects(path: Path, rows: Mapping[str, npt.NDArray[Any]], meanings: Mapping[str, OutputFacts]) -> None:
    """Write a CSV file with a line for each label.

    Args:
        path: of the file.
        rows: (N, K) by name of the output; row r belongs to label r + 1.
        meanings: by the same names, what the columns and values are.
    """
    header, columns = ["label"], []
    for name, values in rows.items():
        named = meanings[name].columns or [f"channel {number + 1}" for number in range(values.shape[1])]
        header += [f"{name}: {column}" for column in named]
        columns.append((values, meanings[name].values))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for row in range(len(columns[0][0])):
            line: list[Any] = [row + 1]
            for values, words in columns:
                line += [
                    (words[int(value)] if 0 <= value < len(words) else "") if words else f"{value:.6g}"
                    for value in values[row]
                ]
            writer.writerow(line)
