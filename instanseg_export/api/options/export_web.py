"""How a page is written for a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from .shared import AnyPath

__all__ = ["ExportWebKeywords", "ExportWebOptions"]


@dataclass(frozen=True, kw_only=True)
class ExportWebOptions:
    """How a page is written for a host.

    Attributes:
        output: Folder to write, with all that the page needs.
        overwrite: Replace an existing page of this tool, if nothing in it was added or changed.
    """

    output: AnyPath | None = None
    overwrite: bool = False


class ExportWebKeywords(TypedDict, total=False):
    """The fields of :class:`ExportWebOptions` as keywords."""

    output: AnyPath | None
    overwrite: bool
