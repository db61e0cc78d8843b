"""Finished outputs go to their places: what is there is looked at again, then both change places in one step.

At every instruction the whole old or the whole new output is in its place. What came out is held against what was seen
before; if it is something else, as when somebody put a folder there in that very moment, both go back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError
from ..interruption import raise_swallowed
from .claim import Claim, free_name, identity_of
from .journal import note_written
from .marker import Seen
from .rename import place, swap
from .signals import held_signals

__all__ = ["Piece", "put_in_place"]


@dataclass(frozen=True)
class Piece:
    """One finished file or folder.

    Attributes:
        new: where it lies, in the folder for work in progress.
        path: where it goes.
        shown: the same, as the user named it.
        kind: of a folder, for its list of contents; empty for a file.
        seen: what was at its place when the work began; None for nothing.
        look: returns what is there now, or raises :class:`OutputError` if that may not be replaced.
        still: tells whether something that was taken out is what was seen.
    """

    new: Path
    path: Path
    shown: Path
    kind: str
    seen: Seen | None
    look: Callable[[], Seen | None]
    still: Callable[[Path, Seen], bool]


class _MeanwhileError(Exception):
    """Something happened to the place of an output while the work went on."""


def put_in_place(claim: Claim, pieces: Sequence[Piece]) -> None:
    """Put finished outputs in their places: all of them or none.

    Raises:
        OutputError: what is at a place now was not there when the work began, or may not be replaced. It was left
            alone; the finished outputs got names beside it, which the message gives.
        OSError: the system refuses.
    """
    raise_swallowed()
    with held_signals():
        before = [piece.seen for piece in pieces]
        claim.record["outputs"] = {
            piece.path.name: {
                "new": list(identity_of(piece.new)),
                "kind": piece.kind,
                "old": "" if seen is None else seen.digest,
            }
            for piece, seen in zip(pieces, before, strict=True)
        }
        claim.note()
        done: list[Piece] = []
        try:
            for piece in pieces:
                _put(claim, piece)
                done.append(piece)
        except (_MeanwhileError, OutputError) as reason:
            _take_back(claim, done)
            words = reason.message.rstrip(".") if isinstance(reason, OutputError) else str(reason)
            kept = _keep(pieces)
            where = f"The finished output is {kept}." if kept else "The finished output could not be kept."
            raise OutputError(
                f"{words}. That happened while this ran, so that nothing there was changed. {where}",
                hint="Compare the two, and move or delete the one that you do not need.",
            ) from reason
        except BaseException:
            _take_back(claim, done)
            raise
        for piece in pieces:
            note_written(piece.shown)
        _flush({piece.path.parent for piece in pieces})


def _put(claim: Claim, piece: Piece) -> None:
    if piece.seen is None and os.path.lexists(piece.path):
        raise _MeanwhileError(f"{piece.shown} appeared")
    there = piece.look()
    if there is None:
        try:
            place(piece.new, piece.path)
        except FileExistsError as error:
            raise _MeanwhileError(f"{piece.shown} appeared") from error
        return
    if there != piece.seen:
        raise _MeanwhileError(f"{piece.shown} {'appeared' if piece.seen is None else 'was written anew'}")
    aside = claim.aside / piece.new.name
    try:
        swap(piece.new, piece.path, aside)
    except FileNotFoundError as error:
        raise _MeanwhileError(f"{piece.shown} disappeared") from error
    if not piece.still(aside, there):
        swap(aside, piece.path, piece.new)
        raise _MeanwhileError(f"{piece.shown} was changed")


def _take_back(claim: Claim, done: Sequence[Piece]) -> None:
    """Undo what was done for the first outputs because a later one cannot follow."""
    for piece in reversed(done):
        aside = claim.aside / piece.new.name
        with suppress(OSError):
            if os.path.lexists(aside):
                swap(aside, piece.path, piece.new)
            else:
                piece.path.rename(piece.new)


def _keep(pieces: Sequence[Piece]) -> str:
    """Give finished outputs free names beside their places; return these."""
    names = []
    for piece in pieces:
        for name in free_name(piece.path):
            try:
                place(piece.new, name)
            except FileExistsError:
                continue
            except OSError:
                return ""
            note_written(piece.shown.with_name(name.name))
            names.append(str(piece.shown.with_name(name.name)))
            break
    return ", ".join(names)


def _flush(folders: set[Path]) -> None:
    """See to it that new names are on the disk before what was there is deleted."""
    for folder in folders:
        with suppress(OSError):  # Windows does not open folders, and not every file system can
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
