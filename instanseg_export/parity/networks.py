"""Runs files that hold the network alone on what the reference's network sees, and compares what both give."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..metadata import NETWORK
from ..runtimes.ahead import is_room
from ..runtimes.outcome import Outcome
from ..runtimes.process import has_comparable_stages
from .runs import RuntimeRun, Validation, why_not
from .stages import StageDifference, Stages, compare_stages

__all__ = ["run_networks"]


def run_networks(validation: Validation, runs: Sequence[RuntimeRun], reference: RuntimeRun | None) -> None:
    """Run each on the images that its file takes, after the reference has normalised them.

    Two programs run beside each other where cores and memory allow: they are small, and it is their start that takes
    time.
    """
    if reference is None or not has_comparable_stages(reference.runtime):
        for run in runs:
            run.why = "there is no reference whose stages the network's output can be compared with"
            validation.steps.expect(-len(validation.images))
        return
    prepared = [_prepare(validation, run, reference) for run in runs]
    lock = threading.Lock()

    def call(one: _Prepared) -> list[Outcome]:
        places = list(one.inputs)

        def tell(place: int) -> None:
            with lock:
                validation.steps.end(f"{one.run.label}: {validation.images[places[place]].name}")

        return validation.call(one.run, list(one.inputs.values()), tell) if places else []

    two = all(is_room(one.run.file) for one in prepared if one.run.file is not None)
    with ThreadPoolExecutor(max_workers=2 if two else 1) as pool:
        for one, outcomes in zip(prepared, pool.map(call, prepared), strict=True):
            _settle(validation, one, dict(zip(one.inputs, outcomes, strict=True)))


@dataclass(frozen=True)
class _Prepared:
    """A network and what it is run on.

    Attributes:
        run: of the network.
        inputs: normalised images as files, by their place.
        expected: what the reference's network gives for each of them.
        missing: by the place of each other image, why it is not run.
    """

    run: RuntimeRun
    inputs: Mapping[int, Path]
    expected: Mapping[int, npt.NDArray[Any]]
    missing: Mapping[int, str]


def _prepare(validation: Validation, run: RuntimeRun, reference: RuntimeRun) -> _Prepared:
    missing = {index: why for index, batch in enumerate(validation.batches) if (why := why_not(run, batch.shape))}
    fitting = [index for index in range(len(validation.batches)) if index not in missing]
    inputs, expected = {}, {}
    kind = f"normal-{run.runtime.name}-{run.device.replace(':', '-')}"
    for index, outcome in validation.stages_of(reference, fitting).items():
        stages = _stages_of(outcome)
        # A model may rescale an image before it normalises it.
        why = (
            why_not(run, stages["normalize"].shape) if stages else f"{reference.runtime.title} does not give its stages"
        )
        if why:
            missing[index] = why
            continue
        inputs[index], expected[index] = validation.place(kind, index), stages[NETWORK]
        np.save(inputs[index], stages["normalize"].astype(np.float32), allow_pickle=False)
    validation.steps.expect(len(inputs) - len(validation.images))
    return _Prepared(run, inputs, expected, missing)


def _stages_of(outcome: Outcome) -> Stages:
    """Return what the network sees and gives; empty where the program did not tell both."""
    try:
        found = outcome.stages()
        return {name: found[name] for name in ("normalize", NETWORK)}
    except (KeyError, ValueError):
        return {}


def _settle(validation: Validation, one: _Prepared, outcomes: Mapping[int, Outcome]) -> None:
    for index in range(len(validation.images)):
        outcome, difference = outcomes.get(index), None
        if outcome is None:
            outcome = Outcome(error=one.missing[index], unavailable=True)
        elif not outcome.error:
            outcome, difference = _compare(one.expected[index], outcome)
        one.run.outcomes.append(outcome)
        one.run.networks.append(difference)
    if all(outcome.unavailable for outcome in one.run.outcomes):
        one.run.why = one.run.outcomes[-1].error


def _compare(expected: npt.NDArray[Any], outcome: Outcome) -> tuple[Outcome, StageDifference | None]:
    """Compare the output of a network alone; an outcome without one becomes an error."""
    try:
        found = outcome.further()
    except ValueError as error:
        return Outcome(error=str(error)), None
    if NETWORK not in found:
        return Outcome(error=f"its output has no {NETWORK}"), None
    (difference,) = compare_stages({NETWORK: expected}, found)
    return outcome, difference
