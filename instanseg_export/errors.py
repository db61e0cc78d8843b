"""The errors that users meet: one tree, plain words, and always a hint about what to do next."""

from __future__ import annotations

from .plain_text import escaped

__all__ = [
    "CardError",
    "CheckpointError",
    "ExportError",
    "ImageError",
    "InstansegExportError",
    "OutputError",
    "PackageError",
    "ParityError",
    "PublishError",
    "RecipeError",
    "RuntimeUnavailableError",
    "SettingError",
    "SpecError",
    "TooLargeError",
    "TrainingError",
    "UnknownNameError",
    "UnsafeFileError",
    "UntrustedFileError",
]


class InstansegExportError(Exception):
    """Base of all errors that this package raises on purpose.

    Args:
        message: what is wrong, where (the file, the key, the axis) and the fact that shows it.
        hint: what the user can do about it, as one sentence.

    Both are one line in which control characters are written out: what a file says never reaches a terminal as it is.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str) -> None:
        self.message = escaped(message)
        self.hint = escaped(hint)
        super().__init__(self.message)


class CheckpointError(InstansegExportError):
    """A checkpoint is missing, damaged, of an unknown kind, or its weights do not fit its description."""


class UnsafeFileError(CheckpointError):
    """A file would execute code or write outside of its folder if it were loaded naively."""


class UntrustedFileError(UnsafeFileError):
    """A file is a program from elsewhere, and the user has not said that it may run."""


class SpecError(CheckpointError):
    """A description of a network is incomplete, contradictory or malformed."""


class SettingError(InstansegExportError):
    """A setting has an unknown name, a wrong type or a value out of its range."""


class UnknownNameError(InstansegExportError):
    """A target, runtime or other registered member does not exist under that name."""


class ExportError(InstansegExportError):
    """A target could not be written from a forward.

    Args:
        step: the step of the export that failed, such as "capture" or "check"; None where none had begun.
    """

    def __init__(self, message: str, *, hint: str, step: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.step = step


class OutputError(InstansegExportError):
    """The output exists already, cannot be written, or the disk is full."""


class ImageError(InstansegExportError):
    """An image cannot be read or does not fit the model."""


class TooLargeError(ImageError):
    """An image does not fit into memory as a whole."""


class CardError(InstansegExportError):
    """A model card is malformed or incomplete."""


class RecipeError(InstansegExportError):
    """A recipe of a training is malformed, or names what is not there."""


class TrainingError(InstansegExportError):
    """A training cannot go on: its state is of another recipe or damaged, its data do not fit, or it diverged."""


class PackageError(InstansegExportError):
    """A package or an exported file is incomplete or damaged."""


class PublishError(InstansegExportError):
    """A package cannot be published: it is not fit, there is no token, or a server refuses or does not answer."""


class RuntimeUnavailableError(InstansegExportError):
    """A runtime is not installed on this machine."""


class ParityError(InstansegExportError):
    """Two runtimes do not find the same cells."""

    exit_code = 1
