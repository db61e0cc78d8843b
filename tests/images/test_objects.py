"""The table of objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from instanseg_export.images import write_objects
from instanseg_export.metadata import OutputFacts


def test_a_line_for_each_label(tmp_path: Path) -> None:
    logits = np.array([[0.25, -1.5], [3.0, 1e-7]], dtype=np.float32)
    meanings = {
        "detection_logits": OutputFacts(name="detection_logits", role="rows", columns=("a", "b")),
        "detection_classes": OutputFacts(
            name="detection_classes", role="classes", columns=("class",), values=("a", "b")
        ),
    }
    rows = {"detection_logits": logits, "detection_classes": np.array([[1.0], [0.0]])}
    write_objects(tmp_path / "table.csv", rows, meanings)
    assert (tmp_path / "table.csv").read_text().splitlines() == [
        "label,detection_logits: a,detection_logits: b,detection_classes: class",
        "1,0.25,-1.5,b",
        "2,3,1e-07,a",
    ]


def test_no_objects_and_channels_of_the_image(tmp_path: Path) -> None:
    meanings = {"detection_logits": OutputFacts(name="detection_logits", role="rows")}
    write_objects(tmp_path / "table.csv", {"detection_logits": np.zeros((0, 3))}, meanings)
    names = [f"detection_logits: channel {number}" for number in (1, 2, 3)]
    assert (tmp_path / "table.csv").read_text().splitlines() == [",".join(["label", *names])]
