"""Which channels of an image a model sees: by number or by name, in the model's order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ImageError
from ..untrusted.boundary import plain

__all__ = ["choose_channels"]


def choose_channels(
    names: Sequence[str], path: Path, wanted: Sequence[int | str] | None, expected: int | None
) -> list[int]:
    """Return the places of the channels that a model is given.

    Args:
        names: of the image's channels.
        path: of the image, for messages.
        wanted: numbers from 1 on or names, in the model's order; a channel may be given more than once. None: all.
        expected: how many the model takes; None for any number.

    Raises:
        ImageError: a channel is not there, or the model takes another number of them.
    """
    places = list(range(len(names))) if wanted is None else [_place(names, path, one) for one in wanted]
    if expected is not None and len(places) != expected:
        example = " ".join(str(min(index + 1, len(names))) for index in range(expected))
        raise ImageError(
            f"{path} has {len(places)} channel{'s' * (len(places) != 1)}"
            f"{'' if wanted is None else ' after --channels'}, and the model takes {expected}.",
            hint=f"Choose or repeat channels in the model's order, as in --channels {example}. "
            f"The image has: {plain(', '.join(names))}.",
        )
    return places


def _place(names: Sequence[str], path: Path, wanted: int | str) -> int:
    if str(wanted) in names:
        return list(names).index(str(wanted))
    number = str(wanted)
    if number.isascii() and number.isdecimal() and len(number) < 10 and 1 <= int(number) <= len(names):
        return int(number) - 1
    numbered = plain(", ".join(f"{index} {name}" for index, name in enumerate(names, start=1)))
    raise ImageError(f"{path} has no channel {plain(wanted, 60)!r}.", hint=f"Its channels are: {numbered}.")
