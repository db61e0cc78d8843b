"""Label maps of many images, as ``run`` finds them, without writing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ImageError, InstansegExportError
from ..images import probe_image, rescale_labels
from ..images.image import Array
from ..untrusted.boundary import enough_memory
from .batch import Batch, Job
from .finish import results_of
from .image_options import ImageOptions
from .model import Ready
from .prepare import Prepared, prepare
from .segment import segment

__all__ = ["FoundLabels", "find_labels", "prepare_grey"]


@dataclass(frozen=True)
class FoundLabels:
    """What a model finds in an image, or why it finds nothing.

    Attributes:
        place: of the image among those given.
        labels: (T, [D,] H, W) at the image's own pixel size; None where it failed.
        why: it failed.
        prepared: the image as the model saw it; None where it could not be read.
        seconds: of the run, without loading.
        version: of the runtime.
        notes: what was assumed, as sentences.
    """

    place: int
    labels: Array | None
    why: str = ""
    prepared: Prepared | None = None
    seconds: float = 0.0
    version: str = ""
    notes: tuple[str, ...] = ()


def find_labels(
    ready: Ready,
    images: Sequence[Path],
    options: ImageOptions,
    folder: Path,
    *,
    time_limit: float,
    tell: Callable[[int], None],
) -> Iterator[FoundLabels]:
    """Yield the label maps of images, in order; one that fails does not stop the others.

    A grey image is shown to a model of several channels in each of them, as in training.

    Args:
        ready: the model.
        images: files.
        options: pixel size and channels of all.
        folder: for what waits; the raw pixels of an image lie there until the next one is asked for.
        time_limit: seconds for each.
        tell: told the place of an image that has ended.
    """
    batch = Batch()
    for place, image in enumerate(images):
        try:
            with enough_memory(image, "the image", ImageError):
                prepared, notes = prepare_grey(image, ready, options, folder, place)
        except InstansegExportError as error:
            yield from _flush(ready, batch, time_limit, tell)
            batch = Batch()
            tell(place)
            yield FoundLabels(place, None, error.message.rstrip("."))
            continue
        job = Job(place, image, {}, {}, replace(prepared, notes=(*prepared.notes, *notes)), 0.0)
        if batch.full or not batch.takes(job):
            yield from _flush(ready, batch, time_limit, tell)
            batch = Batch()
        batch.add(job)
    yield from _flush(ready, batch, time_limit, tell)


def prepare_grey(
    image: Path, ready: Ready, options: ImageOptions, folder: Path, place: int
) -> tuple[Prepared, tuple[str, ...]]:
    """Prepare an image; one that is grey is shown to a model of several channels in each of them, which is noted."""
    taken = ready.contract.channels
    if not options.channels and taken is not None and taken > 1:
        channels = probe_image(image, ready.contract.dimensions).shape[0]
        if channels == 1:
            grey = replace(options, channels=("1",) * taken)
            note = f"{image.name} is grey: it was shown to the model in each of its {taken} channels."
            return prepare(image, ready, grey, folder, place), (note,)
    return prepare(image, ready, options, folder, place), ()


def _flush(ready: Ready, batch: Batch, time_limit: float, tell: Callable[[int], None]) -> Iterator[FoundLabels]:
    if not batch.jobs:
        return
    outcomes = segment(
        ready,
        [job.prepared.seen for job in batch.jobs],
        batch.normalize,
        time_limit=time_limit,
        on_image=lambda place: tell(batch.jobs[place].place),
    )
    for job, outcome in zip(batch.jobs, outcomes, strict=True):
        image = job.prepared
        try:
            labels, _, incomplete = results_of(ready, job.image, outcome)
        except InstansegExportError as error:
            yield FoundLabels(job.place, None, error.message.rstrip("."), image, notes=image.notes)
        else:
            lost: list[int] = []
            if image.resampled:
                labels, lost = rescale_labels(labels, image.shape)
            notes = [*image.notes, *incomplete]
            if lost:
                notes.append(f"{len(lost)} instances are smaller than a pixel of the image and were not counted.")
            yield FoundLabels(
                job.place, labels, "", image, min(outcome.run_s, default=0.0), outcome.version, tuple(notes)
            )
        for path in (image.seen.with_suffix(".npz"), image.raw):
            path.unlink(missing_ok=True)
