"""What a worker must have to do a run's tiles as all others do, and the words for one that has not."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...errors import RuntimeUnavailableError
from ...files import sha256_of
from ...plain_text import plain

__all__ = ["Needs", "unfit"]

_REMEDY = (
    "Workers need the same Python and instanseg-export as this machine, and must see model, image and --output at the "
    "same paths (shared storage)."
)


@dataclass(frozen=True)
class Needs:
    """What is compared between this machine and the workers.

    Attributes:
        version: of this package.
        python: major and minor version.
        hashes: SHA-256 of files and folders that have to be the same, by path.
        paths: of what only has to be there.
    """

    version: str
    python: tuple[int, int]
    hashes: Mapping[str, str]
    paths: tuple[str, ...]

    @classmethod
    def of(cls, same: Sequence[Path], there: Sequence[Path]) -> Needs:
        """Return what this machine has.

        Args:
            same: files and folders whose contents count, such as the model.
            there: what is too large to compare, such as the image, or is written to.
        """
        return cls(
            __version__,
            sys.version_info[:2],
            {str(path.resolve()): sha256_of(path) for path in same},
            tuple(str(path.resolve()) for path in there),
        )

    def lacking(self) -> str:
        """Return what the machine that asks lacks, in words; empty if nothing."""
        if self.version != __version__:
            return f"it has instanseg-export {__version__}, not {self.version}"
        if self.python != sys.version_info[:2]:
            return f"it has Python {_dotted(sys.version_info[:2])}, not {_dotted(self.python)}"
        for place in (*self.hashes, *self.paths):
            if not Path(place).exists():
                return f"it does not see {place}"
        for place, digest in self.hashes.items():
            try:
                found = sha256_of(Path(place))
            except OSError as error:
                return f"it cannot read {place}: {plain(error.strerror or error)}"
            if found != digest:
                return f"its {place} is another one"
        return ""


def unfit(worker: str, lacking: str) -> RuntimeUnavailableError:
    """Return the error for a worker that lacks something."""
    return RuntimeUnavailableError(f"The worker {plain(worker, 100)} cannot be used: {lacking}.", hint=_REMEDY)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
