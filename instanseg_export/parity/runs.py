"""Runs runtimes on the images of one validation, and reads what they found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..exported_model import ExportedModel
from ..images.named import NamedImage
from ..metadata import NETWORK, SettingValue
from ..progress import Steps
from ..runtimes.ahead import ProgramsAhead
from ..runtimes.description import Runtime
from ..runtimes.outcome import Outcome
from ..runtimes.process import run_runtime
from ..targets import known_target
from ..targets.capabilities import misfit
from .records import label_of
from .stages import StageDifference, Stages, compare_stages

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
        networks: of each image, how the network's output compares with the reference's, where the file holds the
            network alone; None where there is an error.
    """

    runtime: Runtime
    device: str
    file: Path | None
    why: str = ""
    lacking: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    labels: list[Labels | None] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    networks: list[StageDifference | None] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether the file gives label maps, and not the network's output alone."""
        target = known_target(self.runtime.target)
        return target is None or target.whole

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
        misfits = {index: why for index in indices if (why := _misfit(run, self.batches[index].shape))}
        self.steps.expect(-len(misfits))
        fitting = [index for index in indices if index not in misfits]
        outcomes = iter(self._run_fitting(run, fitting, stages=stages) if fitting else [])
        return [
            Outcome(error=misfits[index], unavailable=True) if index in misfits else next(outcomes) for index in indices
        ]

    def _run_fitting(self, run: RuntimeRun, indices: Sequence[int], *, stages: bool) -> list[Outcome]:
        def tell(place: int) -> None:
            self.steps.end(f"{run.label}: {self.images[indices[place]].name}")

        ahead = self._ahead if run.device == "cpu" else None
        found = None if ahead is None else ahead.take(run.runtime.name, indices, stages=stages)
        if found is not None:
            for place in range(len(indices)):
                tell(place)
            return found
        kind = "stages" if stages else "labels"
        return self._call(run, kind, {index: self._input(index) for index in indices}, tell, stages=stages)

    def _call(
        self, run: RuntimeRun, kind: str, inputs: Mapping[int, Path], tell: Callable[[int], None], *, stages: bool
    ) -> list[Outcome]:
        """Run a program on files, by the place of their image; ``kind`` names what it writes."""
        assert run.file is not None
        kind = f"{kind}-{run.runtime.name}-{run.device.replace(':', '-')}"
        return run_runtime(
            run.runtime,
            run.file,
            list(inputs.values()),
            [self._folder / f"{kind}-{index:03d}.npz" for index in inputs],
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

    def run_network(self, run: RuntimeRun, reference: RuntimeRun | None) -> None:
        """Run a network alone on the images that the reference's network sees, and compare what both give."""
        if reference is None or not _gives_stages(reference.runtime):
            run.why = "there is no reference whose stages the network's output can be compared with"
            self.steps.expect(-len(self.images))
            return
        fitting = [index for index, batch in enumerate(self.batches) if not _misfit(run, batch.shape)]
        self.steps.expect(len(fitting))
        expected: dict[int, Stages] = {}
        missing: dict[int, str] = {}
        for index, outcome in zip(fitting, self._run(reference, fitting, stages=True), strict=True):
            try:
                found = outcome.stages()
                expected[index] = {name: found[name] for name in ("normalize", NETWORK)}
            except (KeyError, ValueError):
                missing[index] = f"{reference.runtime.title} does not give its stages"
        inputs = {}
        for index, stages in expected.items():
            # A model may rescale an image before it normalises it.
            if why := _misfit(run, stages["normalize"].shape):
                missing[index] = why
                continue
            inputs[index] = self._folder / f"normal-{run.runtime.name}-{run.device.replace(':', '-')}-{index:03d}.npy"
            np.save(inputs[index], stages["normalize"].astype(np.float32), allow_pickle=False)
        self.steps.expect(len(inputs) - len(self.images))
        places = list(inputs)

        def tell(place: int) -> None:
            self.steps.end(f"{run.label}: {self.images[places[place]].name}")

        ran = dict(zip(places, self._call(run, NETWORK, inputs, tell, stages=False), strict=True)) if inputs else {}
        for index, batch in enumerate(self.batches):
            if index in ran:
                outcome, difference = ran[index], None
                if not outcome.error:
                    outcome, difference = _compare_network(expected[index][NETWORK], outcome)
            else:
                why = missing.get(index) or _misfit(run, batch.shape)
                outcome, difference = Outcome(error=why, unavailable=True), None
            run.outcomes.append(outcome)
            run.networks.append(difference)
        if all(outcome.unavailable for outcome in run.outcomes):
            run.why = run.outcomes[-1].error

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


def _misfit(run: RuntimeRun, shape: tuple[int, ...]) -> str:
    """Return why the file takes no image of that shape; empty where it does."""
    assert run.file is not None
    return misfit(known_target(run.runtime.target), run.file, shape)


def _compare_network(expected: npt.NDArray[Any], outcome: Outcome) -> tuple[Outcome, StageDifference | None]:
    """Compare the output of a network alone; an outcome without one becomes an error."""
    try:
        found = outcome.further()
    except ValueError as error:
        return Outcome(error=str(error)), None
    if NETWORK not in found:
        return Outcome(error=f"its output has no {NETWORK}"), None
    (difference,) = compare_stages({NETWORK: expected}, found)
    return outcome, difference


def _gives_stages(runtime: Runtime) -> bool:
    target = known_target(runtime.target)
    return target is None or target.exposes_stages
