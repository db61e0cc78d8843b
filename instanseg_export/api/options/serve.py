"""How a page is given to browsers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from ...untrusted.numbers import check_number

__all__ = ["ServeKeywords", "ServeOptions"]


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """How a page is given to browsers on this computer.

    Attributes:
        port: Port to listen on. Default: any that is free.

    Raises:
        SettingError: there is no such port.
    """

    port: int = 0

    def __post_init__(self) -> None:
        check_number("port", self.port, 0, 65535)


class ServeKeywords(TypedDict, total=False):
    """The fields of :class:`ServeOptions` as keywords."""

    port: int
