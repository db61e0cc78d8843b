"""Runs every runtime on every image and compares what they find with what the reference finds."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..errors import ImageError, PackageError, UnsafeFileError, UntrustedFileError
from ..exported_model import ExportedModel, open_model
from ..families.settings import parse_settings
from ..files import scratch_folder
from ..images.named import NamedImage
from ..images.synthetic import standard_images
from ..metadata import SettingValue
from ..progress import Steps
from ..runtimes.ahead import ProgramsAhead
from ..runtimes.description import Runtime
from ..runtimes.probe import probe
from ..runtimes.registry import list_runtimes
from ..runtimes.selection import select_runtimes
from ..targets import is_artifact
from ..targets.trust import check_trust
from .baseline import Baseline, compare_with_baseline, require_comparable
from .compare import FEW_PIXELS, PPM, Comparison
from .fixed_sizes import fixed_shapes, with_fixed_sizes
from .judgement import compare_all, judge, judge_network, record_of
from .networks import run_networks
from .pictures import Pictures
from .precision_records import FEWEST_MATCHED, PrecisionRecord
from .precision_sets import precision_files
from .quantization import compare_precisions
from .records import ImageRecord, Machine
from .report import Report
from .runs import Row, RuntimeRun, Validation
from .stages import TOLERANCES

__all__ = ["RULE", "run_validation"]

RULE = (
    f"Two runtimes agree on an image when they find the same instances (each has a partner of IoU 0.5 or more) under "
    f"the same ids and at most {PPM} pixels in a million differ, or {FEW_PIXELS} pixels where that is more. Where the "
    f"stages of the forward are read, the normalised image may differ by {TOLERANCES['normalize']:g} of its largest "
    f"value and the network's output by {TOLERANCES['network']:g}; seeds are equal, and all else but for {FEW_PIXELS} "
    f"values or {PPM} in a million. Of a file that holds the network alone, its output is compared in this way, and "
    f"nothing else. A runtime that rounds on purpose passes where at least {FEWEST_MATCHED:.0%} of the instances that "
    f"it and the reference find are matched pairs, or all but one, and fails no report."
)


def run_validation(
    path: Path,
    *,
    images: Sequence[NamedImage] | None,
    runtimes: Sequence[str] | None = None,
    devices: Sequence[str] = ("cpu",),
    time_limit: float = 120.0,
    settings: Mapping[str, object] | None = None,
    precisions: Sequence[PrecisionRecord] | None = None,
    baseline: Baseline | None = None,
    trust: bool,
    steps: Steps,
    ahead: ProgramsAhead | None = None,
) -> Report:
    """Run a model in every runtime and compare what they find; see :func:`instanseg_export.validate`.

    Args:
        path: a package folder, its zip, or one exported file.
        images: to run; None for the package's samples and the standard set.
        runtimes: their names, or folders with a runtime.toml; None for all that there are.
        devices: on which each is run: "cpu", "cuda", "cuda:1" or "mps". The reference runs on the CPU.
        time_limit: seconds that a runtime may take for one image.
        settings: values to override in every runtime, by name.
        precisions: what is known already of a package's files of reduced precision. By default they are compared with
            fp32 here, on the images that are pictures of something, where all runtimes are asked for.
        baseline: to compare the report with.
        trust: run files that this package did not write.
        steps: counts the images that were run.
        ahead: has programs that run on just these images, on the CPU and without settings.
    """
    selected = select_runtimes(runtimes)
    with open_model(path) as model, scratch_folder() as folder:
        checked = parse_settings(settings or {}, model.settings)
        chosen = (
            [
                *model.samples,
                *([] if model.test is None or checked else [model.test]),
                *standard_images(model.channels, model.dimensions),
            ]
            if images is None
            else list(images)
        )
        _check_images(chosen, model.channels)
        chosen = with_fixed_sizes(chosen, fixed_shapes(model))
        _check_precision(model)
        for runtime, lacking in selected:
            if not lacking:
                _check_trust(model, runtime, trusted=trust, shown=path)
        validation = Validation(model, chosen, folder, time_limit, checked, steps, ahead)
        if baseline is not None:
            require_comparable(baseline, _image_records(validation), checked)
        runs = [
            validation.prepare(runtime, lacking, device)
            for device in dict.fromkeys(devices)
            for runtime, lacking in selected
        ]
        names = {runtime.name for runtime, _ in selected}
        others = [one for one in list_runtimes() if one.name not in names and _is_trusted(model, one, trusted=trust)]
        everything = [*selected, *((runtime, probe(runtime)) for runtime in others)]
        on_cpu = [validation.prepare(runtime, lacking, "cpu") for runtime, lacking in everything]
        report = _validate(validation, runs, on_cpu, checked)
        if precisions is None:
            precisions = _precisions(validation, checked) if runtimes is None else ()
        report = report.model_copy(update={"precisions": tuple(precisions)})
        if baseline is None:
            return report
        record = compare_with_baseline(report, baseline, runtimes=runtimes, devices=devices)
        return report.model_copy(update={"baseline": record})


def _check_trust(model: ExportedModel, runtime: Runtime, *, trusted: bool, shown: Path | None = None) -> None:
    file = model.file(runtime.filename)
    # One that needs the exporter reads weights and description of the file, and executes nothing of it.
    if file is not None and not runtime.needs_exporter:
        check_trust(file, trusted=trusted, shown=shown)


def _is_trusted(model: ExportedModel, runtime: Runtime, *, trusted: bool) -> bool:
    """Tell whether a runtime that nobody asked for may run its file, to be the reference."""
    try:
        _check_trust(model, runtime, trusted=trusted)
    except (PackageError, UnsafeFileError, UntrustedFileError):
        return False
    return True


def _check_precision(model: ExportedModel) -> None:
    precision = "fp32" if model.metadata is None else model.metadata.precision
    if precision != "fp32":
        raise PackageError(
            f"{model.path} is of {precision}, which does not agree to the pixel with anything.",
            hint="Validate the whole package: its report has a table of precisions, compared with the fp32 file.",
        )


def _precisions(validation: Validation, settings: Mapping[str, SettingValue]) -> tuple[PrecisionRecord, ...]:
    """Compare a package's files of reduced precision with its fp32 files."""
    model = validation.model
    if is_artifact(model.path):
        return ()
    pictures = [image for image in validation.images if image.sample] or list(validation.images)
    images = [one for image in pictures for one in image.batch()]
    source = f"{len(images)} image{'s' * (len(images) != 1)}: {', '.join(image.name for image in pictures)}"
    sets = precision_files(model.file, images, source, overridden=bool(settings))
    return tuple(
        record for one in sets for record in compare_precisions(one, settings=settings, steps=validation.steps)
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


def _validate(
    validation: Validation,
    selected: Sequence[RuntimeRun],
    on_cpu: Sequence[RuntimeRun],
    settings: Mapping[str, SettingValue],
) -> Report:
    runs = {run.row: run for run in selected}
    # The best reference that there is, also where it was not selected.
    exact = (runs.get(run.row, run) for run in on_cpu if run.runtime.exact)
    candidates = sorted(exact, key=lambda run: run.runtime.rank)
    count = len(validation.images)
    validation.steps.expect(count * sum(not run.why for run in runs.values()))
    reference = None
    for candidate in candidates:
        if candidate.why or not candidate.whole:
            continue
        if candidate.row not in runs:
            validation.steps.expect(count)
        validation.run(candidate)
        if candidate.row not in runs and not candidate.why:
            # Also where it dies: a row says so, although nobody asked for it, for it would have been the reference.
            runs = {candidate.row: candidate, **runs}
        if any(labels is not None for labels in candidate.labels):
            reference = candidate
            break
    pending = [run for run in runs.values() if not run.why and not run.outcomes]
    for run in pending:
        if run.whole:
            validation.run(run)
    run_networks(validation, [run for run in pending if not run.whole], reference)
    return _report(validation, list(runs.values()), reference, settings)


def _report(
    validation: Validation,
    runs: Sequence[RuntimeRun],
    reference: RuntimeRun | None,
    settings: Mapping[str, SettingValue],
) -> Report:
    others = [run for run in runs if run is not reference and not run.why and run.whole]
    comparisons = {} if reference is None else compare_all(reference, others)
    stages = {}
    if reference is not None:
        samples = {index for index, image in enumerate(validation.images) if image.sample}
        wanted = [(run, _worth_stages(run, comparisons, samples)) for run in others if run.runtime.exact]
        stages = validation.stage_differences(reference, wanted)
    results = [
        judge(image, index, run, reference, comparisons, stages) if run.whole else judge_network(image, index, run)
        for run in runs
        for index, image in enumerate(validation.images)
    ]
    pictures = Pictures(validation.images)
    if reference is not None:
        pictures.draw(
            {run.row: run.labels for run in runs if run.labels},
            {run.row: run.label for run in runs},
            reference.row,
            results,
        )
    metadata = validation.model.metadata
    return Report(
        model=validation.model.name,
        source_sha256="" if metadata is None else metadata.source_sha256,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        settings=dict(settings),
        rule=RULE,
        machine=Machine(
            system=platform.platform(),
            processor=platform.processor() or platform.machine(),
            cores=os.cpu_count() or 1,
            python=platform.python_version(),
            exporter=__version__,
        ),
        images=_image_records(validation),
        runtimes=tuple(
            record_of(
                run,
                run is reference,
                [result for result in results if (result.runtime, result.device) == run.row],
                ours=validation.model.metadata is not None,
            )
            for run in runs
        ),
        results=tuple(results),
        pictures=tuple(pictures.made),
        changed=validation.model.changed,
    )


def _image_records(validation: Validation) -> tuple[ImageRecord, ...]:
    return tuple(
        ImageRecord(
            name=image.name,
            note=image.note,
            shape=batch.shape,
            sha256=hashlib.sha256(batch.tobytes()).hexdigest(),
            sample=image.sample,
            notes=image.notes,
        )
        for image, batch in zip(validation.images, validation.batches, strict=True)
    )


def _worth_stages(run: RuntimeRun, comparisons: Mapping[tuple[Row, int], Comparison], samples: set[int]) -> list[int]:
    compared = {index: value for (row, index), value in comparisons.items() if row == run.row}
    return [index for index, comparison in compared.items() if index in samples or not comparison.agrees]
