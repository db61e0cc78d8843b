"""``key=value`` words of the command line, as mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

from ..errors import SettingError

__all__ = ["KeyValues"]


def _read(_: Any, tokens: Sequence[Token]) -> dict[str, str]:
    """Split the words of one option.

    Raises:
        SettingError: one of them has no key or no equals sign, or a key occurs twice.
    """
    result: dict[str, str] = {}
    for token in tokens:
        option, (key, equals, value) = token.keyword, token.value.partition("=")
        key = key.strip()
        if not equals or not key:
            raise SettingError(
                f"{option} cannot read {token.value!r}.", hint=f"Write it as {option} key=value, without spaces."
            )
        if key in result:
            raise SettingError(f"{option} gives {key} twice.", hint="Give it once.")
        result[key] = value.strip()
    return result


KeyValues = Annotated[Mapping[str, Any], Parameter(converter=_read, n_tokens=-1, accepts_keys=False)]
