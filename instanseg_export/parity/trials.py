"""Runs runtimes on the images of one validation, and reads what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, PackageError
from ..exported_model.model import Subject
from ..images.synthetic import NamedImage
from ..progress import Steps
from ..runtimes.outcome import Outcome
from ..runtimes.process import run_runtime
from ..runtimes.registry import Runtime
from ..targets import known_target
from ..targets.capabilities import require_shape
from .stages import StageDifference, compare_stages

__all__ = ["Labels", "Trial", "Validation"]

Labels = npt.NDArray[np.int64]


@dataclass
class Trial:
    """A runtime and what became of it: ``why`` says why it was not run at all."""

    runtime: Runtime
    model: Path | None
    why: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    labels: list[Labels | None] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Validation:
    """The images of one validation as files, and how to run a runtime on them."""

    def __init__(
        self,
        subject: Subject,
        images: Sequence[NamedImage],
        folder: Path,
        device: str,
        time_limit: float,
        settings: Mapping[str, Any],
        steps: Steps,
    ) -> None:
        self.subject = subject
        self.images = images
        self.batches = [image.batch() for image in images]
        self._folder = folder
        self._device = device
        self._time_limit = time_limit
        self._settings = settings
        self.steps = steps
        for index, batch in enumerate(self.batches):
            np.save(self._input(index), batch, allow_pickle=False)

    def _input(self, index: int) -> Path:
        return self._folder / f"image-{index:03d}.npy"

    def prepare(self, runtime: Runtime) -> Trial:
        """Find out whether the runtime can be run on this model."""
        model = self.subject.file(runtime.filename)
        if not runtime.available:
            why = runtime.reason
        elif model is None:
            why = f"there is no {runtime.filename} here"
        elif runtime.needs_exporter and self.subject.metadata is None:
            why = "the file does not describe its network, so that its forward cannot be built again"
        else:
            why = ""
        return Trial(runtime, model, why)

    def run(self, trial: Trial) -> None:
        """Run all images and read the label maps."""
        everything = range(len(self.images))
        trial.outcomes = self._run(trial, everything, stages=False)
        for index in everything:
            labels, error = self._read_labels(trial.outcomes[index])
            trial.labels.append(labels)
            trial.errors.append(error)
        if all(outcome.unavailable for outcome in trial.outcomes):
            trial.why = trial.outcomes[0].error

    def _run(self, trial: Trial, indices: Sequence[int], *, stages: bool) -> list[Outcome]:
        misfits = {index: why for index in indices if (why := self._misfit(trial, index))}
        fitting = [index for index in indices if index not in misfits]
        outcomes = iter(self._run_fitting(trial, fitting, stages=stages) if fitting else [])
        return [
            Outcome(error=misfits[index], unavailable=True) if index in misfits else next(outcomes) for index in indices
        ]

    def _misfit(self, trial: Trial, index: int) -> str:
        """Return why the format takes no image of that size; empty where it does."""
        assert trial.model is not None
        try:
            if (target := known_target(trial.runtime.target)) is not None:
                require_shape(target, trial.model, self.batches[index].shape)
        except ImageError as error:
            return error.message.rstrip(".")
        except PackageError:
            pass  # the runtime says what is wrong with the file
        return ""

    def _run_fitting(self, trial: Trial, indices: Sequence[int], *, stages: bool) -> list[Outcome]:
        assert trial.model is not None
        kind = "stages" if stages else "labels"
        return run_runtime(
            trial.runtime,
            trial.model,
            [self._input(index) for index in indices],
            [self._folder / f"{kind}-{trial.runtime.name}-{index:03d}.npz" for index in indices],
            device=self._device,
            time_limit=self._time_limit,
            settings=self._settings,
            stages=stages,
            on_image=lambda place: self.steps.end(f"{trial.runtime.title}: {self.images[indices[place]].name}"),
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
        self, reference: Trial, others: Mapping[str, tuple[Trial, Sequence[int]]]
    ) -> dict[tuple[str, int], tuple[StageDifference, ...]]:
        """Run the reference and others once more with their stages, on the images asked for each, and compare them."""
        others = {name: pair for name, pair in others.items() if _gives_stages(pair[0].runtime)}
        wanted = sorted({index for _, indices in others.values() for index in indices})
        if not wanted or not _gives_stages(reference.runtime):
            return {}
        self.steps.expect(len(wanted) + sum(len(indices) for _, indices in others.values()))
        expected = dict(zip(wanted, self._run(reference, wanted, stages=True), strict=True))
        found = {}
        for name, (trial, indices) in others.items():
            outcomes = self._run(trial, indices, stages=True) if indices else []
            for index, outcome in zip(indices, outcomes, strict=True):
                found[name, index] = self._compare_stages(expected[index], outcome)
        return found

    def _compare_stages(self, reference: Outcome, other: Outcome) -> tuple[StageDifference, ...]:
        try:
            return tuple(compare_stages(reference.stages(), other.stages()))
        except ValueError:
            return ()  # the stages are a help for diagnosis: without them, the label maps still tell


def _gives_stages(runtime: Runtime) -> bool:
    target = known_target(runtime.target)
    return target is None or target.exposes_stages
