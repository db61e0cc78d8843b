"""What a program says of an image, or does not live to say, becomes an outcome in words that users understand."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ..files import scratch_failed
from ..untrusted.boundary import plain, says_disk_is_full
from .lines import Line
from .outcome import Outcome
from .program import End

__all__ = ["Names", "failure", "outcome_of"]

_NO_MEMORY = re.compile(
    r"MemoryError|bad_alloc|OutOfMemory|out of memory|[Ff]ailed to allocate memory|[Cc]annot allocate memory"
    r"|can't allocate memory|not enough memory|insufficient memory"
)
"""Of Python, C++, ONNX Runtime, PyTorch, CUDA, Java and the system."""


class Names:
    """Says what programs say as one line that names files, not the temporary places where they lie.

    Args:
        paths: of the model, the images and the outputs.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._places = {f"{path.resolve().parent}{os.sep}" for path in paths}

    def plain(self, words: str) -> str:
        for place in self._places:
            words = words.replace(place, "")
        return plain(words)


def outcome_of(line: Line, output: Path, shape: tuple[int, ...], names: Names) -> Outcome:
    """Return what became of an image of a shape (B, C, [D,] H, W), by the line that a program said of it.

    Raises:
        OutputError: the disk is full, so that the program could not write what it found.
    """
    if line.error is not None:
        return failure(End(line.error, unavailable=line.unavailable), names)
    return Outcome(
        output=output,
        image=shape,
        version=plain(line.version, 100),
        device=plain(line.device, 100),
        load_s=line.load_s,
        run_s=line.run_s,
        peak_mb=line.peak_mb,
        split_s=line.split_s,
        not_split=names.plain(line.not_split),
    )


def failure(end: End, names: Names) -> Outcome:
    """Return the outcome of an image that has no result; a lack of memory is called that.

    Raises:
        OutputError: neither the program nor the model is at fault, but a full disk.
    """
    if says_disk_is_full(end.reason):
        raise scratch_failed(OSError(errno.ENOSPC, end.reason))
    words = names.plain(end.reason)
    if not _NO_MEMORY.search(words):
        return Outcome(error=words, unavailable=end.unavailable)
    return Outcome(error=f"there was not enough memory: {words}", out_of_memory=True)
