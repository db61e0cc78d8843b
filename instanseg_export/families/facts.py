"""What files and users state of a model, and who states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Fact", "text_or_none"]


@dataclass(frozen=True)
class Fact:
    """A value that somebody states.

    Attributes:
        value: of the field, in its own type.
        origin: who states it and in which words, as the subject of a sentence.
    """

    value: Any
    origin: str


def text_or_none(text: str) -> str | None:
    """Return None for the ways in which training scripts write that something is not set."""
    return None if text.strip().lower() in ("", "none", "nan") else text.strip()
