"""The straight line from a checkpoint to a package with its proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExportError, SettingError

if TYPE_CHECKING:
    from ..families.checkpoint import Checkpoint
    from ..images.image_sets import ImageSet, LabelledImage
    from ..packaging import Sample, ZooCheck
    from ..parity.quantization import PrecisionRecord
    from ..parity.report import Report
    from ..targets.base import Artifact

__all__ = ["REPORT_FOLDER", "ExportResult", "Progress", "export"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and how many there are."""

REPORT_FOLDER = "parity"
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
    *,
    targets: Sequence[str] = ("torchscript", "onnx"),
    output: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    tta: bool = False,
    spec: Mapping[str, str] | None = None,
    card: str | Path | None = None,
    samples: Sequence[str | Path] | None = None,
    precision: Sequence[str] = ("fp32",),
    calibrate: str | Path | None = None,
    labelled: str | Path | None = None,
    allow_loss: bool = False,
    overwrite: bool = False,
    validate: bool = True,
    progress: Progress | None = None,
) -> ExportResult:
    """Write one self-contained file per target, package them as a BioImage.IO model, and compare them in all runtimes.

    Args:
        checkpoint: a file, a run folder, or what :func:`instanseg_export.load_checkpoint` returned.
        targets: names of formats; see ``targets/``.
        output: the folder to make; by default one named after the model, in the current folder.
        settings: values of tunables to bake in.
        tta: bake in test-time augmentation, where the family has it; the same as ``settings={"tta": True}``.
        spec: facts about the network that win over what the checkpoint says.
        card: card.yaml; by default the one beside the checkpoint, else one made of what the checkpoint says.
        samples: images that the model is made for; by default the card's, else two that come with this package.
        precision: of the ONNX files: "fp32", which is always written, "fp16" and "int8"; see docs/precision.md.
        calibrate: a folder of images from which int8 learns the ranges of values, and on which each precision is
            compared with fp32; by default the samples.
        labelled: a folder of images with true label maps, on which each precision is judged.
        allow_loss: package a file of reduced precision although it loses more than the tolerance.
        overwrite: replace an output folder that this package wrote, and that holds nothing else.
        validate: compare the files in all runtimes and run the model zoo's test. Without it the package says that
            nobody did.
        progress: told about each step.

    Raises:
        InstansegExportError: of the kind that fits, with a hint; nothing is left behind.
    """
    from ..checkpoints import load_checkpoint
    from ..families.checkpoint import Checkpoint
    from ..families.registry import build_forward
    from ..files import staged_folder
    from ..images.image_sets import calibration_set, read_calibration, read_labelled
    from ..packaging import card_for, choose_samples, write_package, zip_package, zoo_test
    from ..packaging.checkpoint_card import with_pixel_size
    from ..packaging.contents import Contents
    from ..targets import TARGETS, write_artifact
    from ..targets.capture import shared_captures
    from ..targets.quantization import check_precisions, filename_of
    from ..targets.quantization.write import write_precision

    started = time.perf_counter()
    if tta and "tta" in (settings or {}):
        raise SettingError("Test-time augmentation is asked for twice.", hint="Give either --tta or --set tta=...")
    names = list(dict.fromkeys(targets))
    if not names:
        raise ExportError("No target was given.", hint=f"Targets are: {', '.join(TARGETS.names())}.")
    writers = [TARGETS.get(name) for name in names]
    reduced = check_precisions(precision, names)
    if not reduced and (calibrate is not None or labelled is not None):
        raise SettingError(
            "Images for calibration or with labels have no effect on fp32.", hint="Add int8 or fp16 to --precision."
        )
    tell = _Steps(progress, total=3 + len(names) + validate + 2 * bool(reduced))

    tell("reading the checkpoint")
    source = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint, spec=spec)
    if isinstance(checkpoint, Checkpoint) and spec:
        raise SettingError("spec has no effect on a checkpoint that is loaded.", hint="Pass it to load_checkpoint.")
    model_card = card_for(source, card)
    source = with_pixel_size(source, model_card)
    forward = build_forward(source, {**(settings or {}), **({"tta": True} if tta else {})})
    channels, outputs = source.spec.channels, Contents(model_card, source, forward, (), ()).targets
    if reduced and source.spec.dimensions == 3:
        raise ExportError("Models of volumes are exported in fp32 only.", hint="Leave --precision out.")
    given = None if calibrate is None else read_calibration(Path(calibrate), channels)
    truth = [] if labelled is None else read_labelled(Path(labelled), channels, len(outputs))
    file_name = model_card.name.replace(" ", "_")
    folder = Path(output if output is not None else file_name)

    paths = [Path(path) for path in samples or ()] or [Path(path) for path in model_card.samples]
    inputs = [source.source, *(() if isinstance(checkpoint, Checkpoint) else (checkpoint,)), *paths]
    inputs += [path for path in (card, calibrate, labelled) if path is not None]

    with staged_folder(folder, kind="package", overwrite=overwrite, inputs=map(Path, inputs)) as staging:
        artifacts = []
        with shared_captures():
            for writer in writers:
                tell(f"writing {writer.name}")
                artifacts.append(write_artifact(writer.name, forward, source, staging / writer.filename))

        tell("segmenting the samples")
        chosen = choose_samples(source, forward, paths or None)
        precisions: tuple[PrecisionRecord, ...] = ()
        if reduced:
            tell(f"writing {' and '.join(reduced)}")
            images = given or calibration_set([one.name for one in chosen], [one.image for one in chosen])
            made = [write_precision(name, staging / filename_of("fp32"), images, staging) for name in reduced]
            artifacts += made
            tell("comparing precisions")
            precisions = _judge(dict(zip(reduced, made, strict=True)), staging, images, truth, allow_loss)
        report = _compare(staging, chosen, source, precisions, progress) if validate else None

        tell("writing the package")
        write_package(
            staging,
            artifacts=artifacts,
            checkpoint=source,
            forward=forward,
            card=model_card,
            samples=chosen,
            report=report,
            precisions=precisions,
        )
        # Beside the folder first, so that the zip does not hold itself.
        packed = staging.parent / f"{file_name}.zip"
        zip_package(staging, packed)
        packed.rename(staging / packed.name)
        zoo: tuple[ZooCheck, ...] = ()
        if report is not None:
            report.write(staging / REPORT_FOLDER)
            tell("running the model zoo's test")
            zoo = tuple(zoo_test(staging))
        tell("done")

    return ExportResult(
        folder=folder,
        zip=folder / packed.name,
        artifacts=[replace(artifact, path=folder / artifact.path.name) for artifact in artifacts],
        report=report,
        precisions=precisions,
        zoo=zoo,
        checkpoint=source,
        seconds=time.perf_counter() - started,
    )


def _judge(
    made: Mapping[str, Artifact],
    folder: Path,
    images: ImageSet,
    truth: Sequence[LabelledImage],
    allow_loss: bool,
) -> tuple[PrecisionRecord, ...]:
    """Compare each precision with fp32, and refuse what loses too much."""
    from ..parity.quantization import PrecisionFiles, compare_precisions, require_kept
    from ..targets.quantization import filename_of

    files = PrecisionFiles(
        reference=folder / filename_of("fp32"),
        files={name: artifact.path for name, artifact in made.items()},
        images=images.images,
        source=images.source,
        labelled=[(one.image, one.labels) for one in truth],
    )
    records = compare_precisions(files, allow_loss=allow_loss)
    require_kept(records)
    return records


def _compare(
    folder: Path,
    samples: Sequence[Sample],
    checkpoint: Checkpoint,
    precisions: Sequence[PrecisionRecord],
    progress: Progress | None,
) -> Report:
    from ..images.named import NamedImage
    from ..images.synthetic import standard_images
    from .validate import validate

    spec = checkpoint.spec
    images = [
        NamedImage(sample.name, sample.image, sample.note, sample=True, dimensions=spec.dimensions)
        for sample in samples
    ]
    images += standard_images(spec.channels, spec.dimensions)
    return validate(folder, images=images, precisions=precisions, trust=True, progress=progress)


class _Steps:
    """Counts the steps of an export for whoever wants to know."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def __call__(self, step: str) -> None:
        if self._progress is not None:
            self._progress(step, self._done, self._total)
        self._done += 1
