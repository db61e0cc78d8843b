"""Members that register under a name and are imported only when they are used."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from .errors import UnknownNameError
from .untrusted.boundary import plain

__all__ = ["Registry", "closest", "members_of_others"]

T = TypeVar("T")

_LONGEST_NAME = 200


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that ``name`` was most likely meant to be, or None."""
    if len(name) > _LONGEST_NAME:  # comparing takes time with the square of the length
        return None
    by_fold = {entry.casefold(): entry for entry in known}
    match = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.5)
    return by_fold[match[0]] if match else None


def members_of_others(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group, in the order of their names.

    Those of installed packages are looked up once: that reads a file of each package that Python can import.
    """
    return _entry_points(group, tuple(sys.path))


@lru_cache(maxsize=64)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=group), key=lambda point: point.name))


class Registry(Generic[T]):
    """A lazy, ordered mapping from a name to a member.

    Args:
        kind: what the members are, in the singular, for messages ("target").
        group: the entry-point group under which third parties add members.
        builtin: name to ``"module:attribute"``, in the order in which members are tried and listed.
    """

    def __init__(self, kind: str, group: str, builtin: dict[str, str]) -> None:
        self._kind = kind
        self._group = group
        self._builtin = builtin

    def names(self) -> list[str]:
        """Return the names of all members, built-in ones first."""
        others = (point.name for point in members_of_others(self._group))
        return list(dict.fromkeys([*self._builtin, *others]))

    def get(self, name: str) -> T:
        """Import and return the member called ``name``.

        Raises:
            UnknownNameError: no member has that name; the hint suggests the closest one.
        """
        if name in self._builtin:
            module, _, attribute = self._builtin[name].partition(":")
            return cast(T, getattr(import_module(module), attribute))
        for point in members_of_others(self._group):
            if point.name == name:
                return cast(T, point.load())
        known = self.names()
        guess = closest(name, known)
        suggestion = f"Did you mean {guess!r}? " if guess else ""
        raise UnknownNameError(
            f"There is no {self._kind} called {plain(name, 80)!r}.", hint=f"{suggestion}Known are: {', '.join(known)}."
        )

    def __iter__(self) -> Iterator[T]:
        return (self.get(name) for name in self.names())
