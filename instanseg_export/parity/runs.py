"""Runs runtimes on the images of one validation, and reads what they found."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
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
from ..runtimes.process import has_comparable_stages, run_runtime
from ..targets import known_target
from ..targets.capabilities import misfit
from .records import label_of
from .stages import StageDifference, compare_stages

__all__ = ["Labels", "Row", "RuntimeRun", "Validation", "why_not"]

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
        self._calls = itertools.count()
        self._staged: dict[Row, dict[int, Outcome]] = {}
        self._samples = [index for index, image in enumerate(images) if image.sample]
        for index, batch in enumerate(self.batches):
            np.save(self._input(index), batch, allow_pickle=False)

    def _input(self, index: int) -> Path:
        return self.place("image", index)

    def place(self, kind: str, index: int) -> Path:
        """Return where an image, or what is made of it, may lie as .npy."""
        return self._folder / f"{kind}-{index:03d}.npy"

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
        """Run all images and read the label maps; the samples are run for their stages too, while the program is up."""
        count = len(self.images)
        samples = self._samples if has_comparable_stages(run.runtime) else []
        self.steps.expect(len(samples))
        outcomes = self._run(run, [*range(count), *samples], count if samples else None)
        run.outcomes = outcomes[:count]
        self._staged[run.row] = dict(zip(samples, outcomes[count:], strict=True))
        for index in range(count):
            labels, error = self._read_labels(run.outcomes[index])
            run.labels.append(labels)
            run.errors.append(error)
        if all(outcome.unavailable for outcome in run.outcomes):
            run.why = run.outcomes[-1].error  # the images that a format of fixed sizes takes come last

    def _run(self, run: RuntimeRun, indices: Sequence[int], stages_from: int | None) -> list[Outcome]:
        misfits = {index: why for index in indices if (why := why_not(run, self.batches[index].shape))}
        fitting = [index for index in indices if index not in misfits]
        self.steps.expect(len(fitting) - len(indices))
        if stages_from is not None:
            stages_from = sum(index not in misfits for index in indices[:stages_from])
        outcomes = iter(self._run_fitting(run, fitting, stages_from) if fitting else [])
        return [
            Outcome(error=misfits[index], unavailable=True) if index in misfits else next(outcomes) for index in indices
        ]

    def _run_fitting(self, run: RuntimeRun, indices: Sequence[int], stages_from: int | None) -> list[Outcome]:
        def tell(place: int) -> None:
            kind = ", stages" if stages_from is not None and place >= stages_from else ""
            self.steps.end(f"{run.label}{kind}: {self.images[indices[place]].name}")

        ahead = self._ahead if run.device == "cpu" else None
        found = None if ahead is None else ahead.take(run.runtime.name, indices, stages_from)
        if found is None:
            return self.call(run, [self._input(index) for index in indices], tell, stages_from)
        for place in range(len(indices)):
            tell(place)
        return found

    def call(
        self,
        run: RuntimeRun,
        inputs: Sequence[Path],
        tell: Callable[[int], None],
        stages_from: int | None = None,
    ) -> list[Outcome]:
        """Run a program on files; the arguments are those of :func:`run_runtime`."""
        assert run.file is not None
        name = f"{next(self._calls)}-{run.runtime.name}"
        return run_runtime(
            run.runtime,
            run.file,
            inputs,
            [self._folder / f"{name}-{place:03d}.npz" for place in range(len(inputs))],
            device=run.device,
            time_limit=self._time_limit,
            settings=self._settings,
            stages_from=stages_from,
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

    def stages_of(self, run: RuntimeRun, indices: Sequence[int]) -> dict[int, Outcome]:
        """Run images for their stages too, each once however often it is asked for."""
        known = self._staged.setdefault(run.row, {})
        missing = [index for index in indices if index not in known]
        self.steps.expect(len(missing))
        known |= dict(zip(missing, self._run(run, missing, 0), strict=True))
        return {index: known[index] for index in indices}

    def stage_differences(
        self, reference: RuntimeRun, others: Sequence[tuple[RuntimeRun, Sequence[int]]]
    ) -> dict[tuple[Row, int], tuple[StageDifference, ...]]:
        """Run the reference and others once more with their stages, on the images asked for each, and compare them."""
        others = [(run, indices) for run, indices in others if has_comparable_stages(run.runtime)]
        wanted = sorted({index for _, indices in others for index in indices})
        if not wanted or not has_comparable_stages(reference.runtime):
            return {}
        expected = self.stages_of(reference, wanted)
        found = {}
        for run, indices in others:
            for index, outcome in self.stages_of(run, indices).items():
                found[run.row, index] = self._compare_stages(expected[index], outcome)
        return found

    def _compare_stages(self, reference: Outcome, other: Outcome) -> tuple[StageDifference, ...]:
        try:
            return tuple(compare_stages(reference.stages(), other.stages()))
        except ValueError:
            return ()  # the stages are a help for diagnosis: without them, the label maps still tell


def why_not(run: RuntimeRun, shape: tuple[int, ...]) -> str:
    """Return why the file takes no image of that shape; empty where it does."""
    assert run.file is not None
    return misfit(known_target(run.runtime.target), run.file, shape)
