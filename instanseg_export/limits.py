"""How much a file may claim before it is measured: every limit in one place, with its reason.

A number in a file is compared with the file's own size wherever that is possible; a limit below stands where it is not.
"""

from __future__ import annotations

__all__ = [
    "MAX_MESSAGE",
    "MAX_TEXT_ALIASES",
    "MAX_TEXT_BYTES",
    "MAX_TEXT_DEPTH",
    "MAX_TEXT_NODES",
]

MAX_TEXT_BYTES = 16_000_000
"""Of YAML, JSON and XML. The largest that we know of, OME-XML with a line for each plane, has a few megabytes."""

MAX_TEXT_DEPTH = 64
"""Levels of lists and mappings. What people write has fewer than ten."""

MAX_TEXT_NODES = 1_000_000
"""Values in one text, aliases counted as often as they stand for something."""

MAX_TEXT_ALIASES = 100
"""Of YAML. Nothing that this package reads needs more than a few."""

MAX_MESSAGE = 500
"""Characters that an error shows of what a file or a library says."""
