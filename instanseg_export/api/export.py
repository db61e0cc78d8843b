"""The straight line from a checkpoint to a package with its proof."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from ..checkpoints import Checkpoint, load_checkpoint
from ..errors import ExportError, SettingError
from ..families.base import SegmentationForward
from ..families.registry import build_forward
from ..files import staged_folder
from ..images.image_sets import ImageSet, LabelledImage, calibration_set, read_calibration, read_labelled
from ..images.named import NamedImage
from ..images.synthetic import standard_images
from ..packaging import Card, Sample, ZooCheck, card_for, choose_samples, write_package, zip_package, zoo_test
from ..packaging.checkpoint_card import with_pixel_size
from ..packaging.contents import Contents, require_weights
from ..packaging.zoo import load_libraries
from ..parity.fixed_sizes import with_fixed_sizes
from ..parity.precision_records import PrecisionRecord, require_kept
from ..parity.precision_sets import precision_files
from ..parity.quantization import compare_precisions
from ..parity.report import Report
from ..parity.validation import run_validation
from ..progress import Progress, Steps
from ..runtimes.ahead import ProgramsAhead, run_ahead
from ..targets import TARGETS, require_available, write_artifact
from ..targets.base import Artifact, Target
from ..targets.capabilities import require_form
from ..targets.capture import shared_captures
from ..targets.quantization import Reduced, check_precisions
from ..targets.quantization.write import write_reduced
from ..targets.static import StaticShape
from .options import ExportKeywords, ExportOptions

__all__ = ["ExportResult", "export"]

_REPORT_FOLDER = "parity"
"""In the output folder, the parity report. It holds timings, so it is no part of the package and its zip."""


@dataclass(frozen=True)
class ExportResult:
    """What an export wrote.

    Attributes:
        folder: the package: rdf.yaml, the exported files, documentation, samples; and the report in ``parity``.
        zip: the package in one file, in that folder.
        artifacts: the exported files.
        report: how the runtimes compare; None if that was not asked for.
        precisions: what the files of reduced precision find, compared with fp32.
        zoo: what the model zoo's own test says of each weights entry; empty if that was not asked for.
        checkpoint: what was read, with what was inferred.
        seconds: how long all of it took.
    """

    folder: Path
    zip: Path
    artifacts: list[Artifact]
    report: Report | None
    precisions: tuple[PrecisionRecord, ...]
    zoo: tuple[ZooCheck, ...]
    checkpoint: Checkpoint
    seconds: float

    @property
    def passed(self) -> bool | None:
        """Whether all runtimes agree and the zoo's test passes; None if that was not asked for."""
        if self.report is None:
            return None
        return self.report.passed and all(check.passed for check in self.zoo)


def export(
    checkpoint: str | Path | Checkpoint,
    options: ExportOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[ExportKeywords],
) -> ExportResult:
    """Write one self-contained file per target, package them as a BioImage.IO model, and compare them in all runtimes.

    Args:
        checkpoint: a file, a run folder, or what :func:`instanseg_export.load_checkpoint` returned.
        options: how to export.
        progress: told about each step.
        **keywords: fields of :class:`.ExportOptions`, as in ``targets=["onnx"]``; they win over those of ``options``.

    Raises:
        InstansegExportError: of the kind that fits, with a hint; nothing is left behind.
    """
    started = time.perf_counter()
    options = replace(options or ExportOptions(), **keywords)
    plan = _plan(options)
    steps = Steps(progress, plan.steps)
    model = _read(checkpoint, options, plan, steps)
    with staged_folder(model.folder, kind="package", overwrite=options.overwrite, inputs=model.inputs) as staging:
        images = _choose_images(model, plan, steps)
        with _programs(images, options) as ahead:
            files = _write(model, plan, images, staging, ahead, steps)
            proof = _compare(model, files, images, options, staging, ahead, steps)
        zoo = _package(model, files, images, proof, staging, steps)
    return ExportResult(
        folder=model.folder,
        zip=model.folder / f"{model.file_name}.zip",
        artifacts=[replace(artifact, path=model.folder / artifact.path.name) for artifact in files.artifacts],
        report=proof.report,
        precisions=proof.precisions,
        zoo=zoo,
        checkpoint=model.checkpoint,
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True)
class _Plan:
    """What is to be written: a file per target, and those of precisions beside fp32."""

    targets: Sequence[Target]
    reduced: Sequence[Reduced]
    static: StaticShape
    steps: int


def _plan(options: ExportOptions) -> _Plan:
    """Look up what the options name."""
    names = list(dict.fromkeys(options.targets))
    if not names:
        raise ExportError("--targets needs at least one name.", hint=f"Targets are: {', '.join(TARGETS.names())}.")
    for name in names:
        if name not in TARGETS.names() and Path(name).exists():
            raise ExportError(
                f"{name} is a file, and stands where a target is expected.",
                hint=f"Give the checkpoint before the options: instanseg-export {name} --targets ...",
            )
    targets = [TARGETS.get(name) for name in names]
    require_weights(names)
    for target in targets:
        require_available(target)
    reduced = check_precisions(options.precision, names)
    if not reduced and (options.calibrate is not None or options.labelled is not None):
        raise SettingError(
            "Images for calibration or with labels have no effect on fp32.", hint="Add int8 or fp16 to --precision."
        )
    static = StaticShape(*options.static_size, options.static_seeds, options.static_channels)
    if static != StaticShape() and all(target.dynamic_shapes for target in targets):
        raise SettingError(
            "A static size, room for seeds or number of channels has no effect on formats that take every image.",
            hint="Add a static format to --targets, such as onnx_static.",
        )
    return _Plan(targets, reduced, static, steps=3 + len(targets) + options.validate + 2 * bool(reduced))


@dataclass(frozen=True)
class _Model:
    """What was read.

    Attributes:
        checkpoint, card, forward: the model.
        samples: images that show it at work, where any are given.
        calibration, labelled: images to judge precisions on, where any are given.
        folder: of the package.
        inputs: every file and folder that was named, none of which may be written to.
    """

    checkpoint: Checkpoint
    card: Card
    forward: SegmentationForward
    samples: Sequence[Path]
    calibration: ImageSet | None
    labelled: Sequence[LabelledImage]
    folder: Path
    inputs: Sequence[Path]

    @property
    def file_name(self) -> str:
        return self.card.name.replace(" ", "_")


def _read(checkpoint: str | Path | Checkpoint, options: ExportOptions, plan: _Plan, steps: Steps) -> _Model:
    """Read the checkpoint, its card and the images, and build the forward."""
    steps.start("reading the checkpoint")
    if isinstance(checkpoint, Checkpoint):
        if options.spec:
            raise SettingError("spec has no effect on a checkpoint that is loaded.", hint="Pass it to load_checkpoint.")
        loaded, inputs = checkpoint, [checkpoint.source]
    else:
        loaded = load_checkpoint(checkpoint, spec=options.spec)
        inputs = [loaded.source, Path(checkpoint)]
    card = card_for(loaded, options.card)
    loaded = with_pixel_size(loaded, card)
    forward = build_forward(loaded, {**options.settings, **({"tta": True} if options.tta else {})})
    for target in plan.targets:
        require_form(target, forward, plan.static)  # before minutes of others
    if plan.reduced and loaded.spec.dimensions == 3:
        raise ExportError("Models of volumes are exported in fp32 only.", hint="Leave --precision out.")
    channels, structures = loaded.spec.channels, Contents(card, loaded, forward, (), ()).structures
    samples = [Path(path) for path in options.samples or card.samples]
    named = [Path(path) for path in (options.card, options.calibrate, options.labelled) if path is not None]
    return _Model(
        checkpoint=loaded,
        card=card,
        forward=forward,
        samples=samples,
        calibration=None if options.calibrate is None else read_calibration(Path(options.calibrate), channels),
        labelled=() if options.labelled is None else read_labelled(Path(options.labelled), channels, len(structures)),
        folder=Path(card.name.replace(" ", "_") if options.output is None else options.output),
        inputs=[*inputs, *samples, *named],
    )


@dataclass(frozen=True)
class _Images:
    """The images that the files are looked at with.

    Attributes:
        samples: that go into the package.
        calibration: that precisions are judged on.
        compared: that all runtimes are run on.
    """

    samples: Sequence[Sample]
    calibration: ImageSet
    compared: Sequence[NamedImage]


def _choose_images(model: _Model, plan: _Plan, steps: Steps) -> _Images:
    steps.start("segmenting the samples")
    spec = model.checkpoint.spec
    samples = choose_samples(model.checkpoint, model.forward, model.samples or None)
    named = [NamedImage(one.name, one.image, one.note, sample=True, dimensions=spec.dimensions) for one in samples]
    return _Images(
        samples=samples,
        calibration=model.calibration or calibration_set([one.name for one in samples], [one.image for one in samples]),
        compared=with_fixed_sizes(
            [*named, *standard_images(spec.channels, spec.dimensions)],
            [plan.static.image_shape(model.forward) for target in plan.targets if not target.dynamic_shapes][:1],
        ),
    )


@contextmanager
def _programs(images: _Images, options: ExportOptions) -> Iterator[ProgramsAhead | None]:
    """Yield what runs the runtimes of one target while the next is written, where runtimes are compared."""
    if not options.validate:
        yield None
        return
    samples = [place for place, image in enumerate(images.compared) if image.sample]
    with run_ahead([image.batch() for image in images.compared], samples, spare=load_libraries) as ahead:
        yield ahead


@dataclass(frozen=True)
class _Files:
    """What was exported: the files, and which of them are of reduced precision."""

    artifacts: Sequence[Artifact]
    reduced: Sequence[Artifact]


def _write(
    model: _Model, plan: _Plan, images: _Images, folder: Path, ahead: ProgramsAhead | None, steps: Steps
) -> _Files:
    """Write a file per target, and those of reduced precision."""
    artifacts = []
    with shared_captures():
        for target in plan.targets:
            steps.start(f"writing {target.name}")
            path = folder / target.filename
            artifacts.append(write_artifact(target.name, model.forward, model.checkpoint, path, plan.static))
            if ahead is not None:
                ahead.start(target.name, path)
    if plan.reduced:
        steps.start(f"writing {' and '.join(dict.fromkeys(one.precision for one in plan.reduced))}")
    reduced = [write_reduced(one, model.forward, images.calibration, folder) for one in plan.reduced]
    return _Files([*artifacts, *reduced], reduced)


@dataclass(frozen=True)
class _Proof:
    """What the files find, beside fp32 and beside each other."""

    precisions: tuple[PrecisionRecord, ...]
    report: Report | None


def _compare(
    model: _Model,
    files: _Files,
    images: _Images,
    options: ExportOptions,
    folder: Path,
    ahead: ProgramsAhead | None,
    steps: Steps,
) -> _Proof:
    """Compare each precision with fp32, refuse what loses too much, and compare all runtimes."""
    precisions: tuple[PrecisionRecord, ...] = ()
    if files.reduced:
        steps.start("comparing precisions")
        there = {artifact.path.name: artifact.path for artifact in files.artifacts}
        labelled = [(one.image, one.labels) for one in model.labelled]
        sets = precision_files(there.get, images.calibration.images, images.calibration.source, labelled)
        precisions = tuple(
            record for one in sets for record in compare_precisions(one, allow_loss=options.allow_loss, steps=steps)
        )
        require_kept(precisions)
    if not options.validate:
        return _Proof(precisions, None)
    report = run_validation(folder, images=images.compared, precisions=precisions, trust=True, steps=steps, ahead=ahead)
    return _Proof(precisions, report)


def _package(
    model: _Model, files: _Files, images: _Images, proof: _Proof, folder: Path, steps: Steps
) -> tuple[ZooCheck, ...]:
    """Write what belongs to a package beside the files, pack it, and run the model zoo's test if it was asked for."""
    steps.start("writing the package")
    write_package(
        folder,
        artifacts=files.artifacts,
        checkpoint=model.checkpoint,
        forward=model.forward,
        card=model.card,
        samples=images.samples,
        report=proof.report,
        precisions=proof.precisions,
    )
    # Beside the folder first, so that the zip does not hold itself.
    packed = folder.parent / f"{model.file_name}.zip"
    zip_package(folder, packed)
    packed.rename(folder / packed.name)
    zoo: tuple[ZooCheck, ...] = ()
    if proof.report is not None:
        proof.report.write(folder / _REPORT_FOLDER)
        steps.start("running the model zoo's test")
        zoo = tuple(zoo_test(folder))
    steps.tell("done")
    return zoo
