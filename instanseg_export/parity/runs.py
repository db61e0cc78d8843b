"""Runs runtimes on the images of one validation, and reads what they found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, PackageError
from ..exported_model import ExportedModel
from ..images.named import NamedImage
from ..metadata import NETWORK, SettingValue
from ..progress import Steps
from ..runtimes.ahead import ProgramsAhead
from ..runtimes.description import Runtime
from ..runtimes.outcome import Outcome
from ..runtimes.process import run_runtime
from ..targets import known_target
from ..targets.capabilities import require_shape
from .stages import StageDifference, Stages, compare_stages

__all__ = ["Labels", "RuntimeRun", "Validation"]

Labels = npt.NDArray[np.int64]


@dataclass
class RuntimeRun:
    """A runtime and what became of it.

    Attributes:
        runtime: that was, or would have been, run.
        file: what it takes of the model; None where the model has no such file.
        why: why it was not run at all; empty where it was.
        lacking: what this machine lacks for it; empty if nothing.
        outcomes, labels, errors: of each image, in order; empty before it was run. Without labels, there is an error.
        networks: of each image, how the network's output compares with the reference's, where the file holds the
            network alone; None where there is an error.
    """

    runtime: Runtime
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


class Validation:
    """The images of one validation as files, and how to run a runtime on them."""

    def __init__(
        self,
        model: ExportedModel,
        images: Sequence[NamedImage],
        folder: Path,
        device: str,
        time_limit: float,
        settings: Mapping[str, SettingValue],
        steps: Steps,
        ahead: ProgramsAhead | None = None,
    ) -> None:
        self.model = model
        self.images = images
        self.batches = [image.batch() for image in images]
        self._folder = folder
        self._device = device
        self._time_limit = time_limit
        self._settings = settings
        self.steps = steps
        self._ahead = ahead
        for index, batch in enumerate(self.batches):
            np.save(self._input(index), batch, allow_pickle=False)

    def _input(self, index: int) -> Path:
        return self._folder / f"image-{index:03d}.npy"

    def prepare(self, runtime: Runtime, lacking: str) -> RuntimeRun:
        """Find out whether the runtime can be run on this model; ``lacking`` says what this machine lacks for it."""
        file = self.model.file(runtime.filename)
        if lacking:
            why = lacking
        elif file is None:
            why = f"there is no {runtime.filename} here"
        elif runtime.needs_exporter and self.model.metadata is None:
            why = "the file does not describe its network, so that its forward cannot be built again"
        else:
            why = ""
        return RuntimeRun(runtime, file, why, lacking)

    def run(self, run: RuntimeRun) -> None:
        """Run all images and read the label maps."""
        everything = range(len(self.images))
        run.outcomes = self._run(run, everything, stages=False)
        for index in everything:
            labels, error = self._read_labels(run.outcomes[index])
            run.labels.append(labels)
            run.errors.append(error)
        if all(outcome.unavailable for outcome in run.outcomes):
            run.why = run.outcomes[0].error

    def _run(self, run: RuntimeRun, indices: Sequence[int], *, stages: bool) -> list[Outcome]:
        misfits = {index: why for index in indices if (why := self._misfit(run, self.batches[index].shape))}
        self.steps.expect(-len(misfits))
        fitting = [index for index in indices if index not in misfits]
        outcomes = iter(self._run_fitting(run, fitting, stages=stages) if fitting else [])
        return [
            Outcome(error=misfits[index], unavailable=True) if index in misfits else next(outcomes) for index in indices
        ]

    def _misfit(self, run: RuntimeRun, shape: tuple[int, ...]) -> str:
        """Return why the format takes no image of that size; empty where it does."""
        assert run.file is not None
        try:
            if (target := known_target(run.runtime.target)) is not None:
                require_shape(target, run.file, shape)
        except ImageError as error:
            return error.message.rstrip(".")
        except PackageError:
            pass  # the runtime says what is wrong with the file
        return ""

    def _run_fitting(self, run: RuntimeRun, indices: Sequence[int], *, stages: bool) -> list[Outcome]:

        def tell(place: int) -> None:
            self.steps.end(f"{run.runtime.title}: {self.images[indices[place]].name}")

        found = None if self._ahead is None else self._ahead.take(run.runtime.name, indices, stages=stages)
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
        return run_runtime(
            run.runtime,
            run.file,
            list(inputs.values()),
            [self._folder / f"{kind}-{run.runtime.name}-{index:03d}.npz" for index in inputs],
            device=self._device,
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
        fitting = [index for index, batch in enumerate(self.batches) if not self._misfit(run, batch.shape)]
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
            if why := self._misfit(run, stages["normalize"].shape):
                missing[index] = why
                continue
            inputs[index] = self._folder / f"normal-{run.runtime.name}-{index:03d}.npy"
            np.save(inputs[index], stages["normalize"].astype(np.float32), allow_pickle=False)
        self.steps.expect(len(inputs) - len(self.images))
        places = list(inputs)

        def tell(place: int) -> None:
            self.steps.end(f"{run.runtime.title}: {self.images[places[place]].name}")

        ran = dict(zip(places, self._call(run, NETWORK, inputs, tell, stages=False), strict=True)) if inputs else {}
        for index, batch in enumerate(self.batches):
            if index in ran:
                outcome, difference = ran[index], None
                if not outcome.error:
                    outcome, difference = _compare_network(expected[index][NETWORK], outcome)
            else:
                why = missing.get(index) or self._misfit(run, batch.shape)
                outcome, difference = Outcome(error=why, unavailable=True), None
            run.outcomes.append(outcome)
            run.networks.append(difference)
        if all(outcome.unavailable for outcome in run.outcomes):
            run.why = run.outcomes[0].error

    def stage_differences(
        self, reference: RuntimeRun, others: Mapping[str, tuple[RuntimeRun, Sequence[int]]]
    ) -> dict[tuple[str, int], tuple[StageDifference, ...]]:
        """Run the reference and others once more with their stages, on the images asked for each, and compare them."""
        others = {name: pair for name, pair in others.items() if _gives_stages(pair[0].runtime)}
        wanted = sorted({index for _, indices in others.values() for index in indices})
        if not wanted or not _gives_stages(reference.runtime):
            return {}
        self.steps.expect(len(wanted) + sum(len(indices) for _, indices in others.values()))
        expected = dict(zip(wanted, self._run(reference, wanted, stages=True), strict=True))
        found = {}
        for name, (run, indices) in others.items():
            outcomes = self._run(run, indices, stages=True) if indices else []
            for index, outcome in zip(indices, outcomes, strict=True):
                found[name, index] = self._compare_stages(expected[index], outcome)
        return found

    def _compare_stages(self, reference: Outcome, other: Outcome) -> tuple[StageDifference, ...]:
        try:
            return tuple(compare_stages(reference.stages(), other.stages()))
        except ValueError:
            return ()  # the stages are a help for diagnosis: without them, the label maps still tell


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
