"""What was typed wrongly, and what was probably meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from ..errors import InstansegExportError, UnknownNameError
from ..registry import closest
from .verbs import VERBS

__all__ = ["COMMANDS", "UsageError", "check_command", "explain"]

COMMANDS = tuple(VERBS)


class UsageError(InstansegExportError):
    """A command, an option or an argument is missing, unknown or malformed."""


def explain(error: CycloptsError, tokens: Sequence[str]) -> InstansegExportError:
    """Return the parser's complaint as an error of ours."""
    command = next((token for token in tokens if not token.startswith("-")), "")
    name = f"instanseg-export {command}" if command in COMMANDS else "instanseg-export"
    message = str(error).strip().splitlines()[0]
    hint = f"{name} --help shows what it takes, with examples."
    if isinstance(error, UnusedCliTokensError):
        try:
            check_command(command)
        except UnknownNameError as unknown:
            return unknown
        left = " ".join(map(str, error.unused_tokens or ()))
        message = f"{name} does not know what to do with {left!r}."
    elif isinstance(error, UnknownOptionError):
        message, _, guess = message.partition(" Did you mean ")
        if guess:
            hint = f"Did you mean {guess.rstrip('?')}? {hint}"
    elif isinstance(error, MissingArgumentError):
        what = _name_of(error)
        values = error.argument.token_count()[0] if error.argument is not None else 1
        given = len(error.tokens_so_far) % values if values > 1 else 0
        verb = "is" if given == 1 else "are"
        message = f"{what} takes {values} values, and there {verb} {given}." if given else f"{name} needs {what}."
        if what == "CHECKPOINT" and command not in COMMANDS:
            hint = (
                f"Give the checkpoint before the options, as in: instanseg-export checkpoint.pt --targets onnx. {hint}"
            )
    elif isinstance(error, RepeatArgumentError):
        message = f"{_name_of(error)} is given twice."
    elif isinstance(error, CoercionError):
        message = message.rstrip(".") + "."
    return UsageError(message, hint=hint)


def _name_of(error: Any) -> str:
    argument = getattr(error, "argument", None)
    return str(argument.name) if argument is not None else "an argument"


def check_command(word: str) -> None:
    """Say so if ``word`` is no file but much like a command.

    Raises:
        UnknownNameError: with the command that was probably meant.
    """
    guess = None if not word or Path(word).exists() or Path(word).suffix else closest(word, COMMANDS)
    if guess:
        raise UnknownNameError(
            f"There is no command and no checkpoint called {word!r}.",
            hint=f"Did you mean {guess!r}? Commands are: {', '.join(COMMANDS)}; without one, a checkpoint is exported.",
        )
