"""Images that wait on disk for one process of the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .prepare import Prepared

__all__ = ["Batch", "Job"]

_MOST = 32
_MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Job:
    """An image on its way.

    Attributes:
        place: among all images.
        image: the file.
        files: that are written, by what they are.
        replacing: which files may be replaced, as ``staged_files`` takes it.
        prepared: it, as the model wants it.
        seconds: spent on it so far.
    """

    place: int
    image: Path
    files: Mapping[str, Path]
    replacing: Mapping[str, Any]
    prepared: Prepared
    seconds: float


@dataclass
class Batch:
    """Images for one process of the runtime, all with the same ``normalize``."""

    jobs: list[Job] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        """Whether there are enough of them, or enough bytes."""
        return len(self.jobs) >= _MOST or self.size >= _MOST_BYTES

    @property
    def normalize(self) -> str:
        """How the model is told to take their intensities; the batch must not be empty."""
        return self.jobs[0].prepared.normalize

    def takes(self, job: Job) -> bool:
        """Tell whether an image goes with the others."""
        return not self.jobs or job.prepared.normalize == self.normalize

    def add(self, job: Job) -> None:
        """Add an image that goes with the others."""
        self.jobs.append(job)
        self.size += job.prepared.seen.stat().st_size + job.prepared.raw.stat().st_size
