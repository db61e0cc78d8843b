"""From what a runtime gave for one image to its files and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ImageError, PackageError, RuntimeUnavailableError
from ..images import rescale_labels
from ..images.image import Array
from ..runtimes.outcome import Outcome
from ..untrusted.boundary import plain
from .advice import advise
from .batch import Job
from .label_formats import PYRAMID
from .model import Ready
from .result import RunResult, count
from .write import Segmented, write_results

__all__ = ["finish", "results_of", "structure_names"]


def finish(ready: Ready, job: Job, outcome: Outcome, polygons: Sequence[str]) -> RunResult:
    """Bring what was found to the image's own pixel size and write it.

    Args:
        ready: the model.
        job: the image.
        outcome: what the runtime gave for it.
        polygons: kinds of outline files that are written.

    Returns:
        The result; its ``seconds`` are those of reading and running.

    Raises:
        RuntimeUnavailableError: the runtime has no such device.
        ImageError: memory did not suffice.
        PackageError: the model failed on the image.
        OutputError: a file exists already, cannot be written, or the disk is full.
    """
    image = job.prepared
    labels, further, incomplete = results_of(ready, job.image, outcome)
    facts = ready.contract.output("masks")
    masks = None if facts is None else further.get(facts.name)
    notes = [*image.notes, *incomplete]
    if ready.metadata is None and ready.runtime.target == "torchscript":
        notes.append(f"{ready.file.name} is not ours and may write to its input: it was given a copy of the image.")
    lost: list[int] = []
    if image.resampled:
        labels, lost = rescale_labels(labels, image.shape)
        masks = None if masks is None else rescale_labels(masks, image.shape)[0]
    if lost:
        notes.append(f"{len(lost)} instances are smaller than a pixel of the image and are not in the label file.")
    names = structure_names(ready, labels.shape[0])
    write_results(Segmented(labels, names, masks, further), image, ready, job.files, job.replacing)
    found = tuple(count(name, plane, image.pixel_size) for name, plane in zip(names, labels, strict=True))
    notes += advise(found, image, ready)
    return RunResult(
        model=ready.model,
        image=job.image,
        labels=job.files["labels"],
        overlay=job.files["overlay"],
        pyramid=job.files.get(PYRAMID),
        masks=job.files.get("masks"),
        objects=job.files.get("objects"),
        polygons=tuple(job.files[kind] for kind in polygons),
        found=found,
        runtime=f"{ready.runtime.title} {outcome.version}".strip(),
        pixel_size=image.pixel_size,
        model_pixel_size=ready.contract.pixel_size,
        resampled=image.resampled,
        region=image.region,
        normalize=image.normalize,
        lost=tuple(lost),
        notes=tuple(notes),
        seconds=job.seconds + sum(outcome.run_s) + outcome.load_s,
    )


def results_of(ready: Ready, image: Path, outcome: Outcome) -> tuple[Array, Mapping[str, Any], list[str]]:
    """Return the label maps (T, H, W), what the model gives beside them, and what is to be said of them."""
    if outcome.unavailable:
        raise RuntimeUnavailableError(
            f"{ready.runtime.title} cannot run on {ready.device}: {outcome.error}.",
            hint="Use --device cpu; instanseg-export doctor shows what this machine has.",
        )
    if outcome.out_of_memory:
        device = "" if ready.device == "cpu" else f" on {ready.device}"
        raise ImageError(
            f"{ready.runtime.title} could not segment {image}{device}: {plain(outcome.error, 300).rstrip('. ')}.",
            hint="Segment a part with --region X Y WIDTH HEIGHT, give fewer --channels, close other programs, or "
            "segment it in tiles with --tiled.",
        )
    try:
        labels, further, (why, lost) = outcome.labels()[0], outcome.further(), outcome.incomplete()
    except ValueError as error:
        raise PackageError(
            f"{ready.runtime.title} failed with {ready.file.name}: {plain(error)}.",
            hint="instanseg-export validate shows whether the model or the image is at fault.",
        ) from error
    if lost:
        raise ImageError(
            f"{ready.file.name} cannot segment {image}: {why}.",
            hint="Export with more --static-seeds, segment a smaller --region, or run a file without such a limit "
            "(torchscript, onnx).",
        )
    return labels, further, [f"Labels may be incomplete: {why}."] if why else []


def structure_names(ready: Ready, count: int) -> tuple[str, ...]:
    structures = ready.contract.structures
    if count == len(structures):
        return tuple(structures)
    flags = ready.flags
    chosen = tuple(name for name, flag in zip(structures, flags, strict=False) if flag)
    return chosen if len(chosen) == count else tuple(f"structure {index + 1}" for index in range(count))
