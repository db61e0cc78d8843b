"""Runs every runtime on every image and compares what they find with what the reference finds."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ImageError, PackageError
from ..exported_model.model import Subject, open_subject
from ..families.settings import parse_settings, tunables_of
from ..files import scratch_folder, sha256_of
from ..images.synthetic import NamedImage, standard_images
from ..progress import Steps
from ..runtimes.outcome import Outcome
from ..runtimes.registry import Runtime, build_runtime, find_runtime, list_runtimes
from ..targets.quantization import PRECISIONS, filename_of
from ..targets.trust import check_trust
from .compare import FEW_PIXELS, PPM, Comparison, compare_labels, compare_values
from .defects import name_defect
from .pictures import Pictures
from .quantization import PrecisionRecord, PrecisionSubject, compare_precisions
from .records import Cell, ImageRecord, Machine, RuntimeRecord, Status, overall
from .report import Report
from .stages import TOLERANCES, StageDifference, first_difference
from .trials import Labels, Trial, Validation

__all__ = ["RULE", "run_validation"]

RULE = (
    f"Two runtimes agree on an image when they find the same instances (each has a partner of IoU 0.5 or more) under "
    f"the same ids and at most {PPM} pixels in a million differ, or {FEW_PIXELS} pixels where that is more. Where the "
    f"stages of the forward are read, the normalised image may differ by {TOLERANCES['normalize']:g} of its largest "
    f"value and the network's output by {TOLERANCES['network']:g}; seeds are equal, and all else but for {FEW_PIXELS} "
    f"values or {PPM} in a million."
)


def run_validation(
    path: Path,
    *,
    images: Sequence[NamedImage] | None,
    runtimes: Sequence[str] | None = None,
    device: str = "cpu",
    time_limit: float = 120.0,
    settings: Mapping[str, Any] | None = None,
    precisions: Sequence[PrecisionRecord] | None = None,
    trust: bool,
    steps: Steps,
) -> Report:
    """Run a model in every runtime and compare what they find; see :func:`instanseg_export.validate`.

    Args:
        path: a package folder, its zip, or one exported file.
        images: to run; None for the package's samples and the standard set.
        runtimes: their names, or folders with a runtime.toml; None for all that there are.
        device: "cpu", "cuda", "cuda:1" or "mps".
        time_limit: seconds that a runtime may take for one image.
        settings: tunables to override in every runtime, by name.
        precisions: what is known already of a package's files of reduced precision. By default they are compared with
            fp32 here, on the images that are pictures of something, where all runtimes are asked for.
        trust: run files that this package did not write.
        steps: counts the images that were run.
    """
    # A runtime in Java is built where it is asked for by name, since that takes a minute and a network.
    selected = list_runtimes() if runtimes is None else [build_runtime(find_runtime(name)) for name in runtimes]
    with open_subject(path) as subject, scratch_folder() as folder:
        checked = parse_settings(settings or {}, tunables_of(subject.metadata))
        chosen = (
            [
                *subject.samples,
                *([] if subject.test is None or checked else [subject.test]),
                *standard_images(subject.channels, subject.dimensions),
            ]
            if images is None
            else list(images)
        )
        _check_images(chosen, subject.channels)
        _check_precision(subject)
        for runtime in selected:
            file = subject.file(runtime.filename)
            # Eager PyTorch reads weights and description of the file, and executes nothing of it.
            if runtime.available and not runtime.needs_exporter and file is not None:
                check_trust(file, trusted=trust, shown=path)
        validation = Validation(subject, chosen, folder, device, time_limit, checked, steps)
        report = _validate(validation, selected, device, checked)
        if precisions is None:
            precisions = _precisions(validation, checked) if runtimes is None else ()
        return report.model_copy(update={"precisions": tuple(precisions)})


def _check_precision(subject: Subject) -> None:
    precision = "fp32" if subject.metadata is None else subject.metadata.precision
    if precision != "fp32":
        raise PackageError(
            f"{subject.path} is of {precision}, which does not agree to the pixel with anything.",
            hint="Validate the whole package: its report has a table of precisions, compared with the fp32 file.",
        )


def _precisions(validation: Validation, settings: Mapping[str, Any]) -> tuple[PrecisionRecord, ...]:
    """Compare a package's files of reduced precision with its fp32 file."""
    subject = validation.subject
    reference = subject.file(filename_of("fp32"))
    found = {name: subject.file(filename_of(name)) for name in PRECISIONS if name != "fp32"}
    files = {name: file for name, file in found.items() if file is not None}
    if reference is None or not files or not subject.path.is_dir():
        return ()
    pictures = [image for image in validation.images if image.sample] or list(validation.images)
    images = [one for image in pictures for one in image.batch()]
    source = f"{len(images)} image{'s' * (len(images) != 1)}: {', '.join(image.name for image in pictures)}"
    return compare_precisions(
        PrecisionSubject(reference, files, images, source), settings=settings, steps=validation.steps
    )


def _check_images(images: Sequence[NamedImage], channels: int | None) -> None:
    names = [image.name for image in images]
    for image in images:
        try:
            shape = image.batch().shape
        except ValueError as error:
            raise ImageError(
                f"{error}.",
                hint="Give images as (C, H, W), volumes as (C, D, H, W), with a further axis in front for a batch.",
            ) from error
        if channels is not None and shape[1] != channels:
            raise ImageError(
                f"The image {image.name} has {shape[1]} channels, but the model takes {channels}.",
                hint=f"Give images with {channels} channels.",
            )
        if names.count(image.name) > 1:
            raise ImageError(f"Two images are called {image.name}.", hint="Give each a name of its own.")
    if not images:
        raise ImageError(
            "There is no image to compare runtimes on.", hint="Give at least one, or none for the standard set."
        )


def _validate(validation: Validation, selected: Sequence[Runtime], device: str, settings: Mapping[str, Any]) -> Report:
    known = {runtime.name for runtime in selected}
    trials = {runtime.name: validation.prepare(runtime) for runtime in selected}
    # The best reference that there is, also where it was not selected.
    candidates = [
        *(validation.prepare(runtime) for runtime in list_runtimes() if runtime.name not in known),
        *trials.values(),
    ]
    order = [runtime.name for runtime in list_runtimes()]
    candidates.sort(key=lambda trial: order.index(trial.runtime.name) if trial.runtime.name in order else len(order))
    count = len(validation.images)
    validation.steps.expect(count * sum(not trial.why for trial in trials.values()))
    reference = None
    for candidate in candidates:
        if candidate.why:
            continue
        if candidate.runtime.name not in trials:
            validation.steps.expect(count)
        validation.run(candidate)
        if candidate.runtime.name not in trials and not candidate.why:
            # Also where it dies: a row says so, although nobody asked for it, for it would have been the reference.
            trials = {candidate.runtime.name: candidate, **trials}
        if any(labels is not None for labels in candidate.labels):
            reference = candidate
            break
    for trial in trials.values():
        if not trial.why and not trial.outcomes:
            validation.run(trial)
    return _report(validation, list(trials.values()), reference, device, settings)


def _report(
    validation: Validation,
    trials: Sequence[Trial],
    reference: Trial | None,
    device: str,
    settings: Mapping[str, Any],
) -> Report:
    others = [trial for trial in trials if trial is not reference and not trial.why]
    comparisons = {} if reference is None else _compare_all(reference, others)
    stages = {}
    if reference is not None:
        samples = {index for index, image in enumerate(validation.images) if image.sample}
        wanted = {trial.runtime.name: (trial, _worth_stages(trial, comparisons, samples)) for trial in others}
        stages = validation.stage_differences(reference, wanted)
    cells = [
        _cell(validation, trial, reference, index, comparisons, stages)
        for trial in trials
        for index in range(len(validation.images))
    ]
    pictures = Pictures(validation.images)
    if reference is not None:
        pictures.draw(
            {trial.runtime.name: trial.labels for trial in trials if trial.labels},
            {trial.runtime.name: trial.runtime.title for trial in trials},
            reference.runtime.name,
            cells,
        )
    metadata = validation.subject.metadata
    return Report(
        model=validation.subject.name,
        source_sha256="" if metadata is None else metadata.source_sha256,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=device,
        settings={name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()},
        rule=RULE,
        machine=Machine(
            system=platform.platform(),
            processor=platform.processor() or platform.machine(),
            cores=os.cpu_count() or 1,
            python=platform.python_version(),
            exporter=__version__,
        ),
        images=tuple(
            ImageRecord(
                name=image.name,
                note=image.note,
                shape=batch.shape,
                sha256=hashlib.sha256(batch.tobytes()).hexdigest(),
                sample=image.sample,
                notes=image.notes,
            )
            for image, batch in zip(validation.images, validation.batches, strict=True)
        ),
        runtimes=tuple(
            _runtime_record(
                trial,
                trial is reference,
                [cell for cell in cells if cell.runtime == trial.runtime.name],
                ours=validation.subject.metadata is not None,
            )
            for trial in trials
        ),
        cells=tuple(cells),
        pictures=tuple(pictures.made),
        changed=validation.subject.changed,
    )


def _compare_all(reference: Trial, others: Sequence[Trial]) -> dict[tuple[str, int], Comparison]:
    found = {}
    for trial in others:
        for index, (expected, labels) in enumerate(zip(reference.labels, trial.labels, strict=True)):
            if expected is not None and labels is not None and expected.shape == labels.shape:
                found[trial.runtime.name, index] = compare_labels(expected, labels)
    return found


def _worth_stages(trial: Trial, comparisons: Mapping[tuple[str, int], Comparison], samples: set[int]) -> list[int]:
    compared = {index: value for (name, index), value in comparisons.items() if name == trial.runtime.name}
    return [index for index, comparison in compared.items() if index in samples or not comparison.agrees]


def _cell(
    validation: Validation,
    trial: Trial,
    reference: Trial | None,
    index: int,
    comparisons: Mapping[tuple[str, int], Comparison],
    stages: Mapping[tuple[str, int], tuple[StageDifference, ...]],
) -> Cell:
    name, image = trial.runtime.name, validation.images[index].name
    if trial.why:
        return Cell(runtime=name, image=image, status="not run", why=trial.why)
    labels, outcome = trial.labels[index], trial.outcomes[index]
    if labels is None:
        status: Status = "not run" if outcome.unavailable else "failed"
        return Cell(runtime=name, image=image, status=status, why=trial.errors[index])
    assert reference is not None
    instances = sum(len(np.unique(plane[plane > 0])) for plane in labels.reshape(-1, *labels.shape[2:]))
    row: dict[str, Any] = {"runtime": name, "image": image, "instances": instances, "run_s": outcome.run_s}
    if unlike := _unlike_stated(validation.images[index], labels):
        return Cell(**row, status="failed", why=unlike, defect=unlike)
    if trial is reference:
        return Cell(**row, status="passed")
    expected = reference.labels[index]
    if expected is None:
        return Cell(**row, status="not run", why=f"{reference.runtime.title} has no result to compare with")
    if expected.shape != labels.shape:
        why = f"its label map has shape {labels.shape}, the reference's {expected.shape}"
        return Cell(**row, status="failed", why=why, defect="a label map of another shape", first_stage="labels")
    comparison = comparisons[name, index]
    differences = stages.get((name, index), ())
    row |= {"comparison": comparison, "stages": differences}
    if comparison.agrees:
        further = _further_difference(reference.outcomes[index], outcome)
        if further:
            return Cell(**row, status="failed", why=further, defect=further)
        beyond = next((stage for stage in differences if not stage.tolerable), None)
        if beyond is None:
            return Cell(**row, status="passed")
        defect = f"the labels agree, but the stage {beyond.stage} differs by more than rounding"
        return Cell(**row, status="failed", why=f"{defect}: {beyond.detail}", defect=defect, first_stage=beyond.stage)
    defect = name_defect(expected, labels, comparison, differences)
    first = first_difference(differences)
    return Cell(**row, status="failed", why=_explain(defect, first, differences), defect=defect, first_stage=first)


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


def _runtime_record(trial: Trial, is_reference: bool, cells: Sequence[Cell], *, ours: bool) -> RuntimeRecord:
    runtime = trial.runtime
    outcomes = [outcome for outcome in trial.outcomes if outcome.output is not None]
    status = overall(cell.status for cell in cells)
    failures = [cell for cell in cells if cell.status == "failed"]
    why = trial.why or (f"{failures[0].image}: {failures[0].why}" if failures else "")
    peaks = [outcome.peak_mb for outcome in outcomes if outcome.peak_mb is not None]
    return RuntimeRecord(
        name=runtime.name,
        title=runtime.title,
        description=runtime.description,
        target=runtime.target,
        reference=is_reference,
        status=status,
        why=why or (cells[0].why if status == "not run" else ""),
        install="" if runtime.available else runtime.install,
        model_sha256=sha256_of(trial.model) if trial.model else "",
        copied_input=not ours and runtime.target == "torchscript" and bool(outcomes),
        version=outcomes[0].version if outcomes else "",
        device=outcomes[0].device if outcomes else "",
        load_s=outcomes[0].load_s if outcomes else None,
        peak_mb=max(peaks, default=None),
    )
