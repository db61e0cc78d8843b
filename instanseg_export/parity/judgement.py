"""What a run of a runtime is worth: each image compared with the reference's, and a verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..files import sha256_of
from ..images.named import NamedImage
from ..runtimes.outcome import Outcome
from .compare import Comparison, compare_labels, compare_values
from .defects import name_defect
from .precision_records import keeps
from .records import Result, RuntimeRecord, Status, overall
from .runs import Labels, Row, RuntimeRun
from .stages import StageDifference, first_difference

__all__ = ["compare_all", "judge", "judge_network", "record_of"]


def compare_all(reference: RuntimeRun, others: Sequence[RuntimeRun]) -> dict[tuple[Row, int], Comparison]:
    """Compare label maps with the reference's where shapes are equal, by the row and the image's place."""
    found = {}
    for run in others:
        for index, (expected, labels) in enumerate(zip(reference.labels, run.labels, strict=True)):
            if expected is not None and labels is not None and expected.shape == labels.shape:
                found[run.row, index] = compare_labels(expected, labels)
    return found


def judge(
    image: NamedImage,
    index: int,
    run: RuntimeRun,
    reference: RuntimeRun | None,
    comparisons: Mapping[tuple[Row, int], Comparison],
    stages: Mapping[tuple[Row, int], tuple[StageDifference, ...]],
) -> Result:
    """Return what one image came to in one runtime.

    Args:
        image: that was run, or would have been.
        index: its place in the runs.
        run: of the runtime.
        reference: the run to compare with; None if nothing could be run.
        comparisons: of :func:`compare_all`.
        stages: how the stages compare, by row and place of the image, where they were read.
    """
    name, device = run.row
    if run.why:
        return Result(runtime=name, device=device, image=image.name, status="not run", why=run.why)
    labels, outcome = run.labels[index], run.outcomes[index]
    if labels is None:
        status: Status = "not run" if outcome.unavailable else "failed"
        return Result(runtime=name, device=device, image=image.name, status=status, why=run.errors[index])
    if (beyond := outcome.incomplete()[0]) and run is not reference:
        return Result(runtime=name, device=device, image=image.name, status="not run", why=beyond)
    assert reference is not None
    instances = sum(len(np.unique(plane[plane > 0])) for plane in labels.reshape(-1, *labels.shape[2:]))
    found = Result(
        runtime=name, device=device, image=image.name, status="passed", instances=instances, run_s=outcome.run_s
    )
    if unlike := _unlike_stated(image, labels):
        return _failed(found, unlike, unlike)
    if run is reference:
        return found
    expected = reference.labels[index]
    if expected is None:
        why = f"{reference.runtime.title} has no result to compare with"
        return found.model_copy(update={"status": "not run", "why": why})
    if expected.shape != labels.shape:
        why = f"its label map has shape {labels.shape}, the reference's {expected.shape}"
        return _failed(found, why, "a label map of another shape", "labels")
    comparison = comparisons[run.row, index]
    differences = stages.get((run.row, index), ())
    found = found.model_copy(update={"comparison": comparison, "stages": differences})
    if not run.runtime.exact:
        if keeps(comparison.reference_instances, comparison.instances, comparison.matched_50):
            return found
        defect = (
            f"only {comparison.matched_50} of {comparison.reference_instances} instances are matched pairs (IoU 0.5)"
        )
        return _failed(found, defect, defect)
    if comparison.agrees:
        further = _further_difference(reference.outcomes[index], outcome)
        if further:
            return _failed(found, further, further)
        stage = next((stage for stage in differences if not stage.tolerable), None)
        if stage is None:
            return found
        defect = f"the labels agree, but the stage {stage.stage} differs by more than rounding"
        return _failed(found, f"{defect}: {stage.detail}", defect, stage.stage)
    defect = name_defect(expected, labels, comparison, differences)
    first = first_difference(differences)
    return _failed(found, _explain(defect, first, differences), defect, first)


def judge_network(image: NamedImage, index: int, run: RuntimeRun) -> Result:
    """Return what one image came to in a runtime that runs the network alone; see :func:`judge`."""
    blank = Result(runtime=run.runtime.name, image=image.name, status="not run", why=run.why)
    if run.why:
        return blank
    outcome, difference = run.outcomes[index], run.networks[index]
    if difference is None:
        return blank.model_copy(update={"status": "not run" if outcome.unavailable else "failed", "why": outcome.error})
    found = blank.model_copy(update={"status": "passed", "stages": (difference,), "run_s": outcome.run_s})
    if difference.tolerable:
        return found
    defect = "the network's output differs by more than rounding"
    return _failed(found, f"{defect}: {difference.detail}", defect, difference.stage)


def _failed(result: Result, why: str, defect: str, first_stage: str | None = None) -> Result:
    return result.model_copy(update={"status": "failed", "why": why, "defect": defect, "first_stage": first_stage})


def _unlike_stated(image: NamedImage, labels: Labels) -> str:
    """Return in words how a label map differs from the one that the package states; empty where it does not."""
    if image.expected is None:
        return ""
    if image.expected.shape != labels.shape:
        return f"its label map has shape {labels.shape}, that of the package's test tensor {image.expected.shape}"
    compared = compare_labels(image.expected, labels)
    if compared.agrees:
        return ""
    return (
        f"it does not find what the package's test tensor holds: {compared.instances} instances instead of "
        f"{compared.reference_instances}, and {compared.differing_pixels} of {compared.pixels} pixels differ"
    )


def _further_difference(reference: Outcome, other: Outcome) -> str:
    """Return in words which output beside the label map differs, and how; empty where none does."""
    expected, found = reference.further(), other.further()
    for name in dict.fromkeys([*expected, *found]):
        if name not in expected or name not in found:
            return f"{name} is missing on one side"
        if difference := compare_values(expected[name], found[name]):
            return f"another {name}: {difference}"
    return ""


def _explain(defect: str, first: str | None, stages: Sequence[StageDifference]) -> str:
    if first is not None:
        return f"{defect}; the first stage that differs is {first}"
    if stages:
        return f"{defect}; all stages agree when they are read out, so that an optimisation of the runtime is at fault"
    return f"{defect}; its stages cannot be read"


def record_of(run: RuntimeRun, is_reference: bool, results: Sequence[Result], *, ours: bool) -> RuntimeRecord:
    """Return what the report says of a runtime; ``ours`` tells whether the model's files are."""
    runtime = run.runtime
    outcomes = [outcome for outcome in run.outcomes if outcome.output is not None]
    status = overall(result.status for result in results)
    failures = [result for result in results if result.status == "failed"]
    why = run.why or (f"{failures[0].image}: {failures[0].why}" if failures else "")
    peaks = [outcome.peak_mb for outcome in outcomes if outcome.peak_mb is not None]
    return RuntimeRecord(
        name=runtime.name,
        title=runtime.title,
        description=runtime.description,
        target=runtime.target,
        device=run.device,
        reference=is_reference,
        exact=runtime.exact,
        network_only=not run.whole,
        status=status,
        why=why or (results[0].why if status == "not run" else ""),
        install=runtime.install.hint if run.lacking else "",
        model_sha256=sha256_of(run.file) if run.file else "",
        copied_input=not ours and runtime.target == "torchscript" and bool(outcomes),
        version=outcomes[0].version if outcomes else "",
        hardware=outcomes[0].device if outcomes else "",
        load_s=outcomes[0].load_s if outcomes else None,
        peak_mb=max(peaks, default=None),
    )
