"""Runs programs before their results are asked for, beside other work of this process."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..files import scratch_folder, size_of
from ..targets import known_target, require_metadata
from .outcome import Outcome
from .probe import probe
from .process import has_comparable_stages, run_runtime
from .registry import list_runtimes

__all__ = ["ProgramsAhead", "is_room", "run_ahead"]

_MEMORY_OF_A_PROGRAM = 3e9
"""Bytes that an export and a program, on the images of a package, take beside each other for a small network."""

_MEMORY_PER_WEIGHT = 8
"""Bytes more, for each byte of the file."""

Spare = Callable[[], None]


class _AbandonedError(Exception):
    """Nobody wants the results any more."""


@dataclass
class _Job:
    """A program to run on some of the images.

    Attributes:
        finished: set when there are outcomes, or an error.
    """

    name: str
    file: Path
    places: tuple[int, ...]
    stages_from: int | None
    finished: threading.Event = field(default_factory=threading.Event)
    outcomes: list[Outcome] | None = None
    error: Exception | None = None


class ProgramsAhead:
    """Programs that wait or run; made by :func:`run_ahead`.

    One runs at a time beside this process. A thread that asks for results which are not there yet does not sit idle: it
    runs the programs that wait, or else does what there is to do in spare time.
    """

    def __init__(
        self, images: Sequence[npt.NDArray[np.float32]], samples: Sequence[int], folder: Path, spare: Spare | None
    ) -> None:
        self._folder = folder
        self._spare = spare
        self._all = tuple(range(len(images)))
        self._samples = tuple(samples)
        self._shapes = [image.shape for image in images]
        self._waiting: deque[_Job] = deque()
        self._known: dict[tuple[str, tuple[int, ...], int | None], _Job] = {}
        self._change = threading.Condition()
        self._open = True
        for place, image in enumerate(images):
            np.save(self._input(place), image, allow_pickle=False)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def start(self, target: str, file: Path) -> None:
        """Run all runtimes that take a file on all images, and then on the samples for their stages too.

        Where there is little memory, or only one core, nothing is run. Neither is a file that holds the network alone,
        which takes what the reference makes of an image.

        Args:
            target: the format of the file.
            file: which this package wrote.
        """
        writer = known_target(target)
        if not is_room(file) or (writer is not None and not writer.whole):
            return
        fits = (target, file.name)
        runtimes = [one for one in list_runtimes() if (one.target, one.filename) == fits and one.offers("cpu")]
        shape = None if writer is None or writer.dynamic_shapes else require_metadata(file).image_shape
        fitting = tuple(place for place in self._all if shape in (None, self._shapes[place]))
        jobs = []
        for runtime in runtimes:
            samples = [place for place in self._samples if place in fitting and has_comparable_stages(runtime)]
            jobs.append(_Job(runtime.name, file, (*fitting, *samples), len(fitting) if samples else None))
        with self._change:
            self._known |= {(job.name, job.places, job.stages_from): job for job in jobs}
            # The default formats come first and are run fastest. What takes longest begins first, so that the short
            # ones can fill both cores at the end.
            self._waiting.extendleft(reversed(jobs))
            self._change.notify()

    def take(self, name: str, places: Sequence[int], stages_from: int | None) -> list[Outcome] | None:
        """Return what a runtime found in images, by their places; None where it was not started on just these.

        Args:
            name: of the runtime.
            places: of the images.
            stages_from: the first of ``places`` whose stages are wanted; None for none.

        Raises:
            OutputError: the disk is full, so that the program cannot write what it found.
        """
        job = self._known.pop((name, tuple(places), stages_from), None)
        if job is None:
            return None
        while not job.finished.is_set():
            other = self._next()
            if other is not None:
                self._run(other)
                continue
            spare, self._spare = self._spare, None
            if spare is not None:
                spare()
            job.finished.wait()
        if job.error is not None:
            raise job.error
        return job.outcomes

    def close(self) -> None:
        """Start nothing more, and end the program that is running after its current image."""
        with self._change:
            self._open = False
            self._waiting.clear()
            self._change.notify()
        self._thread.join()

    def _input(self, place: int) -> Path:
        return self._folder / f"image-{place:03d}.npy"

    def _next(self) -> _Job | None:
        with self._change:
            return self._waiting.popleft() if self._waiting else None

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or not self._open)
                if not self._open:
                    return
                job = self._waiting.popleft()
            self._run(job)

    def _run(self, job: _Job) -> None:
        try:
            job.outcomes = self._outcomes(job)
        except Exception as error:  # it is raised where the results are wanted
            job.error = error
        finally:
            job.finished.set()

    def _outcomes(self, job: _Job) -> list[Outcome] | None:
        runtime = next(one for one in list_runtimes() if one.name == job.name)
        if probe(runtime):
            return None
        return run_runtime(
            runtime,
            job.file,
            [self._input(place) for place in job.places],
            [self._folder / f"{job.name}-{index:03d}.npz" for index in range(len(job.places))],
            stages_from=job.stages_from,
            on_image=self._require_open,
        )

    def _require_open(self, place: int) -> None:
        if not self._open:
            raise _AbandonedError


@contextmanager
def run_ahead(
    images: Sequence[npt.NDArray[np.float32]], samples: Sequence[int], spare: Spare | None = None
) -> Iterator[ProgramsAhead]:
    """Yield what runs programs on images, until the block ends; then their results are gone too.

    Args:
        images: float32 (B, C, H, W), or (B, C, D, H, W).
        samples: places of those whose stages are wanted.
        spare: called once, if ever there is nothing to do but to wait for a program.

    Raises:
        OutputError: there is no room for the images.
    """
    with scratch_folder() as folder:
        ahead = ProgramsAhead(images, samples, folder, spare)
        try:
            yield ahead
        finally:
            ahead.close()


def is_room(file: Path) -> bool:
    """Tell whether this machine has cores and memory for another program on a file beside what runs."""
    import psutil

    needed = _MEMORY_OF_A_PROGRAM + _MEMORY_PER_WEIGHT * size_of(file)
    return (os.cpu_count() or 1) > 1 and bool(psutil.virtual_memory().available > needed)
