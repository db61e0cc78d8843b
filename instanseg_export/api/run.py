"""Images through one model: each is read, segmented and written, and one that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

from ..errors import ImageError, InstansegExportError, OutputError
from ..exported_model import open_model
from ..files import check_file, check_folder, scratch_folder
from ..images.writers import check_table
from ..inference.batch import Batch, Job
from ..inference.finish import finish
from ..inference.inputs import Outputs, expand, name_outputs
from ..inference.label_formats import PYRAMID, check_label_format
from ..inference.model import Ready, get_ready
from ..inference.prepare import prepare
from ..inference.result import RunFailure, RunResult
from ..inference.segment import segment
from ..inference.write import POLYGONS, planned
from ..progress import Progress, Steps
from ..runtimes.outcome import Outcome
from ..targets.trust import check_trust
from ..untrusted.boundary import enough_memory
from .options import RunKeywords, RunOptions

__all__ = ["run", "run_many"]


def run(
    model: str | Path,
    image_path: str | Path,
    options: RunOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[RunKeywords],
) -> RunResult:
    """Segment one image with an exported model and write ``<stem>_labels.tif`` and ``<stem>_overlay.png``.

    Where the pixel sizes of image and model are known and differ, the image is resampled for the model, and the labels
    back by the nearest pixel. Without the setting ``normalize``, a raw image is normalised, whatever its range.

    Further files: ``<stem>_objects.geojson`` and ``<stem>_rois.zip`` for the polygons "geojson" and "roi";
    ``<stem>_objects.csv`` or ``.parquet`` for a table, which models with a row per label, such as classifiers of cells,
    always get; ``<stem>_labels.zarr``, a folder, for the label format "ome-zarr"; ``<stem>_masks.json`` for models
    whose masks may overlap (see :func:`.images.writers.write_coco`).

    Args:
        model: a package folder, its zip, or one exported file.
        image_path: any image that :func:`read_image` reads.
        options: what to do with it.
        progress: told what is being done, and how many images are done.
        **keywords: fields of :class:`.RunOptions`, as in ``pixel_size=0.5``; they win over those of ``options``.

    Raises:
        PackageError: the model is damaged, or fails on the image.
        UntrustedFileError: this package did not write the file, and it is not trusted.
        ImageError: the image cannot be read, its channels do not fit the model, or it does not fit into memory.
        SettingError: a setting is unknown, out of range, or fixed in this file.
        RuntimeUnavailableError: nothing here runs the model on that device.
        OutputError: a file exists or cannot be written.
    """
    (ended,) = _run_all(Path(model), [Path(image_path)], replace(options or RunOptions(), **keywords), progress)
    if isinstance(ended, RunFailure):
        raise ended.error
    return ended


def run_many(
    model: str | Path,
    images: Sequence[str | Path],
    options: RunOptions | None = None,
    *,
    recursive: bool = False,
    progress: Progress | None = None,
    **keywords: Unpack[RunKeywords],
) -> tuple[tuple[RunResult | RunFailure, ...], tuple[str, ...]]:
    """Segment several images, with the runtime started once for many of them; one that fails does not stop the others.

    Args:
        model: as for :func:`run`.
        images: files, and folders, which stand for the images in them.
        options: for all images. Images of the same name get longer ones for their results, so that none is lost.
        recursive: whether folders in folders count too.
        progress: as for :func:`run`.
        **keywords: as for :func:`run`.

    Returns:
        What became of each image, in order, and a sentence for each thing in the folders that was left out.

    Raises:
        InstansegExportError: as for :func:`run`, where it concerns the model or the settings, or no image was found.
    """
    found, notes = expand([Path(image) for image in images], recursive=recursive)
    ended = _run_all(Path(model), found, replace(options or RunOptions(), **keywords), progress)
    return tuple(ended), tuple(notes)


@dataclass
class _Run:
    """The state of one call.

    Attributes:
        ready: the model.
        options: for all images.
        images: the files.
        outputs: where the results of each go.
        steps: counts the images that have ended.
        ended: what became of images, by their place.
    """

    ready: Ready
    options: RunOptions
    images: Sequence[Path]
    outputs: Sequence[Outputs]
    steps: Steps
    ended: dict[int, RunResult | RunFailure] = field(default_factory=dict)

    def tell(self, what: str, image: Path) -> None:
        self.steps.tell(f"{what} {image.name}" if len(self.images) > 1 else what)

    def end(self, place: int, ended: RunResult | RunFailure) -> None:
        self.ended[place] = ended
        self.steps.advance()


def _run_all(
    model: Path, images: Sequence[Path], options: RunOptions, progress: Progress | None
) -> list[RunResult | RunFailure]:
    _check(options)
    outputs = name_outputs(images, None if options.output is None else Path(options.output))
    steps = Steps(progress, len(images))
    steps.tell("read")
    with _opened(model, options) as ready:
        state = _Run(ready, options, images, outputs, steps)
        waiting = list(range(len(images)))
        while waiting:
            with scratch_folder() as folder:
                batch = _read(state, waiting, folder)
                if batch.jobs:
                    _write(state, batch, _segment(state, batch))
    failed = sum(isinstance(ended, RunFailure) for ended in state.ended.values())
    steps.tell("done" if not failed else "failed" if len(images) == 1 else f"done, {failed:,} failed")
    return [state.ended[place] for place in range(len(images))]


def _check(options: RunOptions) -> None:
    """Look up what the options name."""
    for kind in options.polygons:
        if kind not in POLYGONS:
            raise OutputError(f"There are no polygons of kind {kind!r}.", hint=f"Kinds are: {', '.join(POLYGONS)}.")
    if options.table is not None:
        check_table(options.table)
    if options.label_format is not None:
        check_label_format(options.label_format)


@contextmanager
def _opened(model: Path, options: RunOptions) -> Iterator[Ready]:
    """Choose a file of the model and what runs it."""
    with open_model(model) as exported:
        ready = get_ready(model, exported, options.settings, options.runtime, options.device)
        if options.polygons and ready.contract.dimensions == 3:
            raise OutputError(
                "Polygons outline the objects of images, and this model finds those of volumes.",
                hint="Leave out --polygons: the label file opens in Fiji, whose 3D ImageJ Suite measures objects.",
            )
        check_trust(ready.file, shown=model, trusted=options.trust)
        yield ready


def _read(state: _Run, waiting: list[int], folder: Path) -> Batch:
    """Read the next images into a folder, until there are enough; those that were dealt with leave ``waiting``."""
    batch = Batch()
    while waiting and not batch.full:
        job = _read_one(state, waiting[0], folder)
        if job is not None:
            if not batch.takes(job):
                break  # its turn comes with the next batch, which reads it again
            batch.add(job)
        waiting.pop(0)
    return batch


def _read_one(state: _Run, place: int, folder: Path) -> Job | None:
    """Prepare an image; None where that fails, which is noted."""
    image, options = state.images[place], state.options
    started = time.perf_counter()
    state.tell("read", image)
    files = planned(state.outputs[place], state.ready, options.polygons, options.table, options.label_format)
    replacing: dict[str, Any] = {
        "overwrite": options.overwrite,
        "inputs": [state.ready.model, *state.images],
        "sealed": files["labels"],
        "origin": image.name,
    }
    try:
        with enough_memory(image, "the image", ImageError):
            for what, path in files.items():
                if what == PYRAMID:
                    check_folder(path, kind=PYRAMID, overwrite=options.overwrite, inputs=replacing["inputs"])
                else:
                    check_file(path, **replacing)
            prepared = prepare(image, state.ready, options, folder, place)
    except InstansegExportError as error:
        state.end(place, RunFailure(image, error))
        return None
    return Job(place, image, files, replacing, prepared, time.perf_counter() - started)


def _segment(state: _Run, batch: Batch) -> list[Outcome]:
    """Run the model on a batch."""
    state.steps.tell("segment")
    inputs = [job.prepared.seen for job in batch.jobs]
    return segment(state.ready, inputs, batch.normalize, time_limit=state.options.time_limit)


def _write(state: _Run, batch: Batch, outcomes: Sequence[Outcome]) -> None:
    """Write what was found in each image of a batch."""
    for job, outcome in zip(batch.jobs, outcomes, strict=True):
        started = time.perf_counter()
        state.tell("write", job.image)
        try:
            with enough_memory(job.image, "what was found in it", ImageError):
                result = finish(state.ready, job, outcome, state.options.polygons)
        except InstansegExportError as error:
            state.end(job.place, RunFailure(job.image, error))
        else:
            state.end(job.place, replace(result, seconds=result.seconds + time.perf_counter() - started))
        for path in (job.prepared.seen.with_suffix(".npz"), job.prepared.raw):
            path.unlink(missing_ok=True)
