"""Programs take turns on the same images, each turn in a process of its own that first warms up."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..files import scratch_folder
from ..metadata import SettingValue
from ..progress import Progress, Steps
from ..runtimes.description import Runtime
from ..runtimes.outcome import Outcome
from ..runtimes.process import run_runtime
from ..targets import known_target
from ..targets.capabilities import misfit

__all__ = ["WARM_UP", "Program", "Timing", "take_turns", "threads_of_environment"]

WARM_UP = 2
"""Runs of each image that each process does not count: TorchScript observes in the first, compiles in the second."""


@dataclass(frozen=True)
class Program:
    """A runtime on a file.

    Attributes:
        title: for progress; unique among those that are measured together.
        runtime: of which a probe found nothing missing.
        model: the file.
    """

    title: str
    runtime: Runtime
    model: Path


@dataclass
class Timing:
    """What was measured of one program on one image.

    Attributes:
        seconds: of the counted run of each turn.
        peak_mb: in MB of 10^6 bytes, the process's largest memory by the end of this image, of each turn.
        objects: distinct ids, over the batch and over the structures; ids of others can have gaps, so it is no maximum.
        version: of the runtime.
        split_s: median seconds of "normalisation" and "network" in a process of their own; None where not told apart.
        not_split: why not.
        error: why there is no result; the turns before it are kept.
        unavailable: the machine lacks something, rather than the file being at fault.
    """

    seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    objects: int = 0
    version: str = ""
    split_s: Mapping[str, float] | None = None
    not_split: str = ""
    error: str = ""
    unavailable: bool = False

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def peak(self) -> float | None:
        """The median of the peaks, where the system tells them."""
        return statistics.median(self.peak_mb) if self.peak_mb else None

    @property
    def post_processing(self) -> float | None:
        """Seconds that a run takes besides normalisation and network."""
        return None if self.split_s is None else max(0.0, self.median - sum(self.split_s.values()))


def threads_of_environment() -> int:
    """Return how many threads a runtime is given by default: OMP_NUM_THREADS, or all cores of this process."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    if text.isdigit() and int(text) > 0:
        return int(text)
    # A container or a job may own fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def take_turns(
    programs: Sequence[Program],
    images: Sequence[npt.NDArray[np.float32]],
    *,
    turns: int,
    threads: int | None,
    device: str = "cpu",
    settings: Mapping[str, SettingValue] | None = None,
    time_limit: float = 600.0,
    split: bool = True,
    progress: Progress | None = None,
) -> list[list[Timing]]:
    """Measure every program on every image.

    In each turn every program runs once, in a process of its own that sees one image after the other, so that what
    else the machine does meanwhile falls on all alike. A program that fails on an image is not asked for it again.

    Args:
        programs: to measure, in their order.
        images: (B, C, H, W), in the raw range.
        turns: counted runs of each program and image.
        threads: that a program may use; by default what the environment says.
        device: as the runtimes call it.
        settings: values to override, by name.
        time_limit: seconds for all runs of one image in one turn.
        split: time the parts of a run too, in one more turn.
        progress: told what comes next.

    Returns:
        One list per program, with one timing per image.
    """
    found = [[Timing() for _ in images] for _ in programs]
    count = (turns + split) * len(programs)
    steps = Steps(progress, count)
    with scratch_folder() as folder:
        inputs = [folder / f"image-{index}.npy" for index in range(len(images))]
        for path, image in zip(inputs, images, strict=True):
            np.save(path, image, allow_pickle=False)
        _leave_out_misfits(programs, images, found)
        for step in range(count):
            turn, place = divmod(step, len(programs))
            program, timings = programs[place], found[place]
            splitting = turn == turns
            pending = [index for index, timing in enumerate(timings) if not timing.error]
            if splitting and not program.runtime.splits:
                for timing in timings:
                    timing.not_split = f"{program.runtime.title} has no way to tell"
                pending = []
            what = "time split" if splitting else f"turn {turn + 1} of {turns}"
            steps.start(f"{what}: {program.title}")
            if not pending:
                continue
            outcomes = run_runtime(
                program.runtime,
                program.model,
                [inputs[index] for index in pending],
                [folder / "result.npz"] * len(pending) if splitting else [folder / f"{index}.npz" for index in pending],
                device=device,
                time_limit=time_limit,
                settings=settings,
                repeat=1 if splitting else WARM_UP + 1,
                threads=threads,
                quiet=True,
                split=splitting,
            )
            for index, outcome in zip(pending, outcomes, strict=True):
                (_note_split if splitting else _note_run)(timings[index], outcome)
    steps.tell("done")
    return found


def _leave_out_misfits(
    programs: Sequence[Program], images: Sequence[npt.NDArray[np.float32]], found: Sequence[Sequence[Timing]]
) -> None:
    for program, timings in zip(programs, found, strict=True):
        target = known_target(program.runtime.target)
        for image, timing in zip(images, timings, strict=True):
            if why := misfit(target, program.model, image.shape):
                timing.error, timing.unavailable = why, True


def _note_run(timing: Timing, outcome: Outcome) -> None:
    try:
        labels = outcome.labels()
    except ValueError as error:
        timing.error, timing.unavailable = str(error), outcome.unavailable
        return
    if not outcome.run_s:
        timing.error = "it reported no time"
        return
    timing.seconds.append(outcome.run_s[-1])
    if outcome.peak_mb is not None:
        timing.peak_mb.append(outcome.peak_mb)
    timing.version = outcome.version
    timing.objects = sum(len(np.unique(plane[plane > 0])) for plane in labels.reshape(-1, *labels.shape[2:]))


def _note_split(timing: Timing, outcome: Outcome) -> None:
    timing.split_s = outcome.split_s
    timing.not_split = "" if outcome.split_s is not None else outcome.not_split or outcome.error
