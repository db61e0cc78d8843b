"""Runs runtimes on the images of one validation, and reads what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..exported_model import ExportedModel
from ..images.named import NamedImage
from ..metadata import SettingValue
from ..progress import Steps
from ..runtimes.ahead import ProgramsAhead
from ..runtimes.description import Runtime
from ..runtimes.outcome import Outcome
from ..runtimes.process import run_runtime
from ..targets import known_target
from ..targets.capabilities import misfit
from .records import label_of
from .stages import StageDifference, compare_stages

__all__ = ["Labels", "Row", "RuntimeRun", "Validation"]

Labels = npt.NDArray[np.int64]

Row = tuple[str, str]
"""The name of a runtime, and a device that it is run on."""


@dataclass
class RuntimeRun:
    """A runtime on a device, and what became of it.

    Attributes:
        runtime: that was, or would have been, run.
        device: on which.
        file: what it takes of the model; None where the model has no such file.
        why: why it was not run at all; empty where it was.
        lacking: what this machine lacks for it; empty if nothing.
        outcomes, labels, errors: of each image, in order; empty before it was run. Without labels, there is an error.
    """

    runtime: Runtime
    device: str
    file: Path | None
    why: str = ""
    lacking: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    labels: list[Labels | None] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def row(self) -> Row:
        """What it is of."""
        return self.runtime.name, self.device

    @property
    def label(self) -> str:
        """What people call it."""
        return label_of(self.runtime.title, self.device)


class Validation:
    """The images of one validation as files, and how to run a runtime on them."""

    def __init__(
        self,
        model: ExportedModel,
        images: Sequence[NamedImage],
        folder: Path,
        time_limit: float,
        settings: Mapping[str, SettingValue],
        steps: Steps,
        ahead: ProgramsAhead | None = None,
    ) -> None:
        self.model = model
        self.images = images
        self.batches = [image.batch() for image in images]
        self._folder = folder
        self._time_limit = time_limit
        self._settings = settings
        self.steps = steps
        self._ahead = ahead
        for index, batch in enumerate(self.batches):
            np.save(self._input(index), batch, allow_pickle=False)

    def _input(self, index: int) -> Path:
        return self._folder / f"image-{index:03d}.npy"

    def prepare(self, runtime: Runtime, lacking: str, device: str) -> RuntimeRun:
        """Find out whether the runtime can be run on this model; ``lacking`` says what this machine lacks for it."""
        file = self.model.file(runtime.filename)
        if not runtime.offers(device):
            why, lacking = runtime.only_on, ""  # it would not help to get it
        elif lacking:
            why = lacking
        elif file is None:
            why = f"there is no {runtime.filename} here"
        elif runtime.needs_exporter and self.model.metadata is None:
            why = "the file does not describe its network, so that its forward cannot be built again"
        else:
            why = ""
        return RuntimeRun(runtime, device, file, why, lacking)

    def run(self, run: RuntimeRun) -> None:
        """Run all images and read the label maps."""
        everything = range(len(self.images))
        run.outcomes = self._run(run, everything, stages=False)
        for index in everything:
            labels, error = self._read_labels(run.outcomes[index])
            run.labels.append(labels)
            run.errors.append(error)
        if all(outcome.unavailable for outcome in run.outcomes):
            run.why = run.outcomes[-1].error  # the images that a format of fixed sizes takes come last

    def _run(self, run: RuntimeRun, indices: Sequence[int], *, stages: bool) -> list[Outcome]:
        assert run.file is not None
        target, file = known_target(run.runtime.target), run.file
        misfits = {index: why for index in indices if (why := misfit(target, file, self.batches[index].shape))}
        self.steps.expect(-len(misfits))
        fitting = [index for index in indices if index not in misfits]
        outcomes = iter(self._run_fitting(run, fitting, stages=stages) if fitting else [])
        return [
            Outcome(error=misfits[index], unavailable=True) if index in misfits else next(outcomes) for index in indices
        ]

    def _run_fitting(self, run: RuntimeRun, indices: Sequence[int], *, stages: bool) -> list[Outcome]:
        assert run.file is not None

        def tell(place: int) -> None:
            self.steps.end(f"{run.label}: {self.images[indices[place]].name}")

        ahead = self._ahead if run.device == "cpu" else None
        found = None if ahead is None else ahead.take(run.runtime.name, indices, stages=stages)
        if found is not None:
            for place in range(len(indices)):
                tell(place)
            return found
        kind = f"{'stages' if stages else 'labels'}-{run.runtime.name}-{run.device.replace(':', '-')}"
        return run_runtime(
            run.runtime,
            run.file,
            [self._input(index) for index in indices],
            [self._folder / f"{kind}-{index:03d}.npz" for index in indices],
            device=run.device,
            time_limit=self._time_limit,
            settings=self._settings,
            stages=stages,
            on_image=tell,
        )

    def _read_labels(self, outcome: Outcome) -> tuple[Labels | None, str]:
        if outcome.error:
            return None, outcome.error
        try:
            labels = outcome.labels()
        except ValueError as error:
            return None, str(error)
        return labels, ""

    def stage_differences(
        self, reference: RuntimeRun, others: Sequence[tuple[RuntimeRun, Sequence[int]]]
    ) -> dict[tuple[Row, int], tuple[StageDifference, ...]]:
        """Run the reference and others once more with their stages, on the images asked for each, and compare them."""
        others = [(run, indices) for run, indices in others if _gives_stages(run.runtime)]
        wanted = sorted({index for _, indices in others for index in indices})
        if not wanted or not _gives_stages(reference.runtime):
            return {}
        self.steps.expect(len(wanted) + sum(len(indices) for _, indices in others))
        expected = dict(zip(wanted, self._run(reference, wanted, stages=True), strict=True))
        found = {}
        for run, indices in others:
            outcomes = self._run(run, indices, stages=True) if indices else []
            for index, outcome in zip(indices, outcomes, strict=True):
                found[run.row, index] = self._compare_stages(expected[index], outcome)
        return found

    def _compare_stages(self, reference: Outcome, other: Outcome) -> tuple[StageDifference, ...]:
        try:
            return tuple(compare_stages(reference.stages(), other.stages()))
        except ValueError:
            return ()  # the stages are a help for diagnosis: without them, the label maps still tell


def _gives_stages(runtime: Runtime) -> bool:
    target = known_target(runtime.target)
    return target is None or target.exposes_stages
