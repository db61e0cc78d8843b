"""How good a model is: what its files find in images, held against label maps made by people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import numpy as np
import numpy.typing as npt

from ..benchmark.result import this_machine
from ..errors import PackageError, SettingError
from ..evaluation.alignment import Alignment
from ..evaluation.labelled import LabelledSet, read_labelled_set
from ..evaluation.pictures import Picture, Worst, draw
from ..evaluation.records import EvaluatedImage, EvaluationData, Stability
from ..evaluation.result import Evaluation
from ..evaluation.scored import ScoredFile
from ..evaluation.summing import Summing
from ..evaluation.worst import caption_of, worst_rows
from ..exported_model import ExportedModel, open_model
from ..families.settings import parse_settings
from ..files import scratch_folder
from ..images import read_image
from ..images.image import Array
from ..images.pairs import open_pairs
from ..inference.every_file import candidates
from ..inference.image_options import ImageOptions
from ..inference.model import Ready
from ..progress import Progress, Steps
from ..registry import closest
from .evaluated_file import EvaluatedOne, evaluate_file, kept_in
from .options import EvaluateKeywords, EvaluateOptions
from .report_folder import report_folder
from .stability import Asked, measure_stability

__all__ = ["evaluate"]

Labels = npt.NDArray[np.int64]

_MOST_PICTURES = 8


def evaluate(
    model: str | Path,
    images: str | Path,
    labels: str | Path,
    options: EvaluateOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[EvaluateKeywords],
) -> Evaluation:
    """Segment images with a model's files and compare what is found with label maps, instance by instance.

    Images are segmented as :func:`run` does, at the model's pixel size, and compared at their own. Grey images are
    shown to a model of several channels in each of them.

    Args:
        model: a package folder, its zip, or one exported file.
        images: a folder, file, pattern or zip; see :func:`.open_pairs`, which also says how names are paired.
        labels: the label maps, alike. A model of several structures needs a plane for each, or ``structure``.
        options: how to evaluate.
        progress: told what was done last.
        **keywords: fields of :class:`.EvaluateOptions`, as in ``iou=0.7``; they win over those of ``options``.

    Returns:
        Figures of all files, groups and images, with what makes them doubtful.

    Raises:
        ImageError: images and label maps cannot be read or paired, differ in size, or the label maps are none, are all
            empty, or are semantic masks.
        PackageError: the model is damaged, or failed on every image.
        RuntimeUnavailableError: nothing here runs the model.
        UnknownNameError: there is no such runtime or precision.
        SettingError: a setting, a column or a structure is unknown or out of range.
        UntrustedFileError: this package did not write a file, and it is not trusted.
        OutputError: ``output`` exists or cannot be written.
    """
    options = replace(options or EvaluateOptions(), **keywords)
    inputs = [path for path in (Path(model), Path(images), Path(labels)) if path.exists()]
    steps = Steps(progress)
    with report_folder(options.output, kind="evaluation", overwrite=options.overwrite, inputs=inputs) as folder:
        with open_model(Path(model)) as exported, open_pairs(images, labels) as files:
            chosen = candidates(
                Path(model),
                exported,
                runtimes=options.runtimes,
                precisions=options.precision,
                settings=options.settings,
                device=options.device,
                trust=options.trust,
            )
            ready = next(one.ready for one in chosen if one.ready is not None)
            structures, planes = _structures(ready, options.structure)
            found = read_labelled_set(
                files,
                structures,
                planes,
                exported.dimensions,
                index=None if options.index is None else Path(options.index),
                only=options.only,
                group_by=options.group_by,
                draw_by=options.draw_by,
                tell=steps.tell,
            )
            steps.expect(len(found.images) * sum(one.ready is not None for one in chosen))
            image_options = ImageOptions(
                pixel_size=options.pixel_size, channels=options.channels, ignore_memory=options.ignore_memory
            )
            with scratch_folder() as scratch:
                put, take = kept_in(scratch)
                alignment = Alignment()
                ran: list[EvaluatedOne] = []
                for one in chosen:
                    first = not any(other.scored for other in ran)

                    def look(place: int, labels: Labels, truth: Labels, first: bool = first) -> None:
                        if first:
                            put(place, labels)
                            alignment.add(place, found.images[place].pair.name, labels, truth)

                    ran.append(
                        evaluate_file(
                            one,
                            found,
                            image_options,
                            planes=planes,
                            iou=options.iou,
                            time_limit=options.time_limit,
                            tell=lambda image, title=one.title: steps.end(f"{title}: {image.pair.name}"),  # type: ignore[misc]
                            on_labels=look,
                        )
                    )
                best = _first(ran, Path(model))
                steps.tell("laying label maps over what was found")
                doubts = alignment.warnings(lambda place: (_there(take(place)), found.labels(found.images[place])))
                stability: list[Stability] = []
                if options.stability:
                    asked = Asked(Path(model), _ready(best), planes, tuple(enumerate(found.images)), take)
                    stability = measure_stability(asked, options, image_options, steps)
                steps.tell("figures and pictures")
                result = Evaluation(
                    data=_data(exported, Path(images).name, found, ran, options, stability, doubts),
                    objects=[row for one in ran if one.scored is not None for row in one.scored.objects],
                    pictures=_pictures(best.scored, found, take, options.iou),
                )
        if folder is not None:
            result.write(folder)
    steps.tell("done")
    return result


def _structures(ready: Ready, wanted: str | None) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the names of all that the model returns, and the places of those that are evaluated."""
    names = tuple(ready.contract.structures)
    if ready.flags:
        names = tuple(name for name, flag in zip(names, ready.flags, strict=True) if flag)
    if wanted is None:
        return names, tuple(range(len(names)))
    if wanted not in names:
        guess = closest(wanted, names)
        raise SettingError(
            f"The model finds no {wanted!r}.",
            hint=(f"Did you mean {guess!r}? " if guess else "") + f"It finds: {', '.join(names)}.",
        )
    return names, (names.index(wanted),)


def _first(ran: Sequence[EvaluatedOne], model: Path) -> EvaluatedOne:
    """Return the first file that segmented an image."""
    for one in ran:
        if one.scored is not None:
            return one
    reasons = "; ".join(dict.fromkeys(f"{one.record.title}: {one.record.why}" for one in ran))
    raise PackageError(
        f"{model} segmented none of the images. {reasons}.",
        hint="instanseg-export validate shows whether the model or the images are at fault.",
    )


def _ready(one: EvaluatedOne) -> Ready:
    assert one.candidate.ready is not None
    return one.candidate.ready


def _there(labels: Array | None) -> Array:
    assert labels is not None
    return labels


def _data(
    exported: ExportedModel,
    source: str,
    found: LabelledSet,
    ran: Sequence[EvaluatedOne],
    options: EvaluateOptions,
    stability: Sequence[Stability],
    doubts: Sequence[str],
) -> EvaluationData:
    scored = [one.scored for one in ran if one.scored is not None]
    first = next(one for one in ran if one.scored is not None)
    summings = [
        Summing(
            structure,
            [image.group for image in found.images],
            [image.unit for image in found.images],
            {one.key: one.counts[structure] for one in scored},
            options.iou,
        )
        for structure in found.structures
    ]
    grey = sum("is grey" in " ".join(notes) for notes in first.notes.values())
    notes = [*found.notes]
    if grey:
        notes.append(f"{grey} of {len(found.images)} images are grey, and were shown to the model in each channel.")
    return EvaluationData(
        model=exported.name,
        source_sha256="" if exported.metadata is None else exported.metadata.source_sha256,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=this_machine(),
        settings=dict(parse_settings(options.settings, exported.settings)),
        iou=options.iou,
        source=source,
        only={key: str(value) for key, value in options.only.items()},
        grouped_by=found.grouped_by,
        drawn_by=found.drawn_by,
        files=tuple(one.record for one in ran),
        images=tuple(
            EvaluatedImage(
                name=image.pair.name,
                group=image.group,
                unit=image.unit,
                shape=image.shape,
                objects=dict(zip(found.structures, image.objects, strict=True)),
                sha256=first.digests.get(place, ""),
                labels_sha256=image.digest,
                notes=first.notes.get(place, ()),
            )
            for place, image in enumerate(found.images)
        ),
        scores=tuple(row for one in summings for row in one.scores()),
        differences=tuple(row for one in summings for row in one.differences()),
        curves=tuple(row for one in summings for row in one.curves()),
        per_image=tuple(row for one in scored for row in one.rows),
        stability=tuple(stability),
        warnings=(*found.warnings, *doubts),
        notes=tuple(notes),
    )


def _pictures(
    scored: ScoredFile | None, found: LabelledSet, take: Callable[[int], Array | None], iou: float
) -> list[Picture]:
    """Draw the worst images, those of each group in turn."""
    assert scored is not None
    places = {image.pair.name: place for place, image in enumerate(found.images)}
    groups = {image.pair.name: image.group for image in found.images}
    worst = [
        Worst(
            places[row.image],
            found.structures.index(row.structure),
            caption_of(row, structure=len(found.structures) > 1),
        )
        for row in worst_rows(scored.rows, groups, _MOST_PICTURES)
    ]

    def load(place: int) -> tuple[Array, Labels, Labels]:
        image = found.images[place]
        return read_image(image.pair.image, found.dimensions).array, _there(take(place)), found.labels(image)

    return draw(worst, load, iou)
