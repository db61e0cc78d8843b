"""How far long work has come: what is told about it, and the count behind that."""

from __future__ import annotations

from typing import Protocol

from .interruption import raise_swallowed

__all__ = ["Progress", "Steps"]


class Progress(Protocol):
    """Is told how far long work has come; any function of a text and two numbers will do."""

    def __call__(self, what: str, done: int, total: int, /) -> None:
        """Show it.

        Args:
            what: is being done, or was done last.
            done: steps.
            total: steps in all, as far as they are known; work that branches out adds to them.
        """


class Steps:
    """Counts the steps of one piece of long work, however many functions it runs through.

    Args:
        progress: is told; None for nobody.
        total: steps that are known from the start.
    """

    def __init__(self, progress: Progress | None = None, total: int = 0) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def expect(self, more: int) -> None:
        """Add steps that lie ahead."""
        self._total += more

    def advance(self) -> None:
        """Count a step as done."""
        self._done += 1

    def tell(self, what: str) -> None:
        """Say what goes on, without counting."""
        raise_swallowed()
        if self._progress is not None:
            self._progress(what, min(self._done, self._total), self._total)

    def start(self, what: str) -> None:
        """Say which step begins; it counts as done from the next word on."""
        self.tell(what)
        self.advance()

    def end(self, what: str) -> None:
        """Say which step has ended."""
        self.advance()
        self.tell(what)
