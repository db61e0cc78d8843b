"""The rows of docs/reliability.md, and how a test of the campaign adds its figures to one."""

from __future__ import annotations

import json
from collections.abc import Callable

__all__ = ["MOST", "PROPERTY", "ROWS", "tell"]

PROPERTY = "figures"
MOST = "at most"
"""A figure whose name ends so is the largest of what the tests tell; all others are summed."""

ROWS = (
    "Hostile checkpoints, cards, recipes and options",
    "Hostile exported files and packages",
    "Hostile images",
    "Images as people's tools write them",
    "Stops and rivals at every step of writing an output",
    "Kills of whole commands at random moments",
    "Random images through TorchScript and ONNX",
    "Runs in one process, TorchScript",
    "Runs in one process, ONNX",
)


def tell(record_property: Callable[[str, object], None], row: str, tried: int, figures: dict[str, int]) -> None:
    """Add to a row.

    Args:
        record_property: pytest's fixture.
        row: one of ``ROWS``.
        tried: how many of what the row's title names.
        figures: what happened to them, in words, and how often.
    """
    assert row in ROWS, f"docs/reliability.md has no row {row!r}"
    record_property(PROPERTY, json.dumps({"row": row, "tried": tried, "figures": figures}))
