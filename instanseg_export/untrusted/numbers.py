"""Numbers that users give: checked in one place, wherever they come from."""

from __future__ import annotations

import math

from ..errors import SettingError

__all__ = ["check_number", "check_time_limit"]

_LONGEST = 30 * 24 * 3600
"""Seconds. Waiting for longer than a month is waiting for ever."""


def check_number(what: str, value: float | None, least: int, most: int) -> None:
    """Refuse a whole number out of its range, and what is no number at all.

    Args:
        what: it is, for the message, as in "number of turns".
        value: None passes.
        least: the smallest that passes.
        most: the largest.

    Raises:
        SettingError: it does not lie in the range.
    """
    if value is not None and not (least <= value <= most and value == int(value)):
        raise SettingError(f"The {what} cannot be {value:g}.", hint=f"Give a whole number from {least:,} to {most:,}.")


def check_time_limit(seconds: float) -> None:
    """Refuse a limit of time that is none.

    Raises:
        SettingError: it is not positive, not finite, or longer than a month.
    """
    if not (math.isfinite(seconds) and 0 < seconds <= _LONGEST):
        raise SettingError(
            f"The time limit cannot be {seconds:g} s.", hint=f"Give seconds, more than 0 and at most {_LONGEST:,}."
        )
