"""Which servers' files are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict

from ...errors import SettingError
from .shared import SHOWN, AnyPath

__all__ = ["ServerKeywords", "ServerOptions"]


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Which servers' files are written.

    Attributes:
        kinds: triton (a model repository), http (a small program of its own).
        output: Folder to write. Default: a folder named after the model, in the current one.
        overwrite: Replace an existing output of this tool, if nothing in it was added or changed.

    Raises:
        SettingError: no kind of server is named.
    """

    kinds: Annotated[Sequence[str], SHOWN] = ("triton", "http")
    output: AnyPath | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.kinds, str) or not self.kinds:
            raise SettingError(f"{self.kinds!r} is no list of servers.", hint='Give a list, as in ["triton"].')


class ServerKeywords(TypedDict, total=False):
    """The fields of :class:`ServerOptions` as keywords."""

    kinds: Sequence[str]
    output: AnyPath | None
    overwrite: bool
