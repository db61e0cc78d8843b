"""Images through one model: each is read, segmented and written, and one that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ImageError, InstansegExportError, OutputError, PackageError, RuntimeUnavailableError
from ..exported_model import open_model
from ..files import check_file, scratch_folder
from ..images import rescale_labels
from ..images.image import Array
from ..images.writers import check_table
from ..runtimes.outcome import Outcome
from ..targets.trust import check_trust
from ..untrusted.boundary import enough_memory, plain
from ..untrusted.numbers import check_time_limit
from .advice import advise
from .inputs import Outputs, expand, name_outputs
from .model import Ready, get_ready
from .prepare import Prepared, Wishes, prepare
from .result import RunFailure, RunResult, count
from .write import POLYGONS, Segmented, planned, write_results

__all__ = ["run", "run_many"]

_TOGETHER = 32
_TOGETHER_BYTES = 2_000_000_000
"""How many images wait on disk for one process of the runtime, and how large they may be."""

Progress = Callable[[str, int, int], None]


@dataclass
class _Job:
    """An image on its way.

    Attributes:
        place: among all images.
        image: the file.
        files: that are written, by what they are.
        replacing: which files may be replaced, as ``staged_files`` takes it.
        prepared: it, as the model wants it.
        seconds: spent on it so far.
    """

    place: int
    image: Path
    files: Mapping[str, Path]
    replacing: Mapping[str, Any]
    prepared: Prepared
    seconds: float


@dataclass
class _Run:
    """The state of one call."""

    ready: Ready
    wishes: Wishes
    overwrite: bool
    time_limit: float
    report: Progress
    total: int
    ended: dict[int, RunResult | RunFailure] = field(default_factory=dict)


def run(
    model: str | Path,
    image_path: str | Path,
    *,
    output: str | Path | None = None,
    pixel_size: float | None = None,
    channels: Sequence[int | str] | None = None,
    region: tuple[int, int, int, int] | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    runtime: str | None = None,
    polygons: Sequence[str] = (),
    table: str | None = None,
    trust: bool = False,
    ignore_memory: bool = False,
    time_limit: float = 3600.0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Segment one image with an exported model and write ``<stem>_labels.tif`` and ``<stem>_overlay.png``.

    Models whose masks may overlap get ``<stem>_masks.json`` too: see :func:`.images.writers.write_coco`. For a model
    with a row per label, such as a classifier of cells, there is ``<stem>_objects.csv``.

    Args:
        model: a package folder, its zip, or one exported file.
        image_path: any image that :func:`read_image` reads.
        output: folder of the results; by default the current one.
        pixel_size: of the image, in micrometres, where the file does not say or is wrong. Where it and the model's are
            known and differ, the image is resampled for the model, and the labels back by the nearest pixel.
        channels: which channels the model sees, by number from 1 or by name, in the model's order; by default all.
        region: x, y, width and height of the part to segment, in pixels of the image; by default all of it.
        settings: tunables to override, as in ``{"seed_threshold": 0.6}``. Without ``normalize``, a raw image is
            normalised, whatever its range.
        device: "cpu", "cuda", "cuda:1" or "mps".
        runtime: name of the runtime; by default one that fits the model and the device.
        polygons: kinds of outline files to write: "geojson" (``<stem>_objects.geojson``, for QuPath) and "roi"
            (``<stem>_rois.zip``, for ImageJ).
        table: "csv" or "parquet", for a row of measurements per object in ``<stem>_objects.csv`` or ``.parquet``.
        trust: run a file that this package did not write. A TorchScript file from elsewhere can read and write files.
        ignore_memory: go on where memory does not seem to suffice.
        time_limit: seconds that the runtime may take.
        overwrite: replace files that this package wrote, for an image of the same name.
        progress: called with (what, done, total).

    Raises:
        PackageError: the model is damaged, or fails on the image.
        UnsafeFileError: the file was not written by this package, and ``trust`` is False.
        ImageError: the image cannot be read, its channels do not fit the model, or it does not fit into memory.
        SettingError: a setting is unknown, out of range, or fixed in this file.
        RuntimeUnavailableError: nothing here runs the model on that device.
        OutputError: a file exists or cannot be written.
    """
    (ended,) = _run_all(
        Path(model),
        [Path(image_path)],
        output=None if output is None else Path(output),
        wishes=Wishes(pixel_size, channels, region, ignore_memory, tuple(polygons), table),
        settings=settings or {},
        device=device,
        runtime=runtime,
        trust=trust,
        time_limit=time_limit,
        overwrite=overwrite,
        report=progress or (lambda what, done, total: None),
    )
    if isinstance(ended, RunFailure):
        raise ended.error
    return ended


def run_many(
    model: str | Path,
    images: Sequence[str | Path],
    *,
    recursive: bool = False,
    output: str | Path | None = None,
    pixel_size: float | None = None,
    channels: Sequence[int | str] | None = None,
    region: tuple[int, int, int, int] | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    runtime: str | None = None,
    polygons: Sequence[str] = (),
    table: str | None = None,
    trust: bool = False,
    ignore_memory: bool = False,
    time_limit: float = 3600.0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[tuple[RunResult | RunFailure, ...], tuple[str, ...]]:
    """Segment several images, with the runtime started once for many of them; one that fails does not stop the others.

    Args:
        model: as for :func:`run`.
        images: files, and folders, which stand for the images in them.
        recursive: whether folders in folders count too.
        output: folder of all results. Images of the same name get longer ones there, so that none is lost.
        pixel_size: of all images, as for :func:`run`.
        channels: of all images, as for :func:`run`.
        region: of all images, as for :func:`run`.
        settings: as for :func:`run`.
        device: as for :func:`run`.
        runtime: as for :func:`run`.
        polygons: as for :func:`run`.
        table: as for :func:`run`.
        trust: as for :func:`run`.
        ignore_memory: as for :func:`run`.
        time_limit: seconds that the runtime may take for each image.
        overwrite: replace files that this package wrote, for an image of the same name.
        progress: as for :func:`run`.

    Returns:
        What became of each image, in order, and a sentence for each thing in the folders that was left out.

    Raises:
        InstansegExportError: as for :func:`run`, where it concerns the model or the settings, or no image was found.
    """
    found, notes = expand([Path(image) for image in images], recursive=recursive)
    ended = _run_all(
        Path(model),
        found,
        output=None if output is None else Path(output),
        wishes=Wishes(pixel_size, channels, region, ignore_memory, tuple(polygons), table),
        settings=settings or {},
        device=device,
        runtime=runtime,
        trust=trust,
        time_limit=time_limit,
        overwrite=overwrite,
        report=progress or (lambda what, done, total: None),
    )
    return tuple(ended), tuple(notes)


def _run_all(
    model: Path,
    images: Sequence[Path],
    *,
    output: Path | None,
    wishes: Wishes,
    settings: Mapping[str, Any],
    device: str,
    runtime: str | None,
    trust: bool,
    time_limit: float,
    overwrite: bool,
    report: Progress,
) -> list[RunResult | RunFailure]:
    _check_wishes(wishes)
    check_time_limit(time_limit)
    places = name_outputs(images, output)
    report("read", 0, len(images))
    with open_model(model) as exported:
        ready = get_ready(model, exported, settings, runtime, device)
        if wishes.polygons and ready.contract.dimensions == 3:
            raise OutputError(
                "Polygons outline the objects of images, and this model finds those of volumes.",
                hint="Leave out --polygons: the label file opens in Fiji, whose 3D ImageJ Suite measures objects.",
            )
        check_trust(ready.file, shown=model, trusted=trust)
        state = _Run(ready, wishes, overwrite, time_limit, report, len(images))
        waiting = list(range(len(images)))
        while waiting:
            with scratch_folder() as folder:
                batch = _fill(state, images, places, waiting, folder)
                if batch.jobs:
                    _segment(state, batch)
    report("done", len(images), len(images))
    return [state.ended[place] for place in range(len(images))]


def _check_wishes(wishes: Wishes) -> None:
    size = wishes.pixel_size
    if size is not None and not 1e-6 < size < 1e6:
        raise ImageError(f"The pixel size {size:g} is no length.", hint="Give it in micrometres, as in 0.5.")
    for kind in wishes.polygons:
        if kind not in POLYGONS:
            raise OutputError(f"There are no polygons of kind {kind!r}.", hint=f"Kinds are: {', '.join(POLYGONS)}.")
    if wishes.table is not None:
        check_table(wishes.table)


@dataclass
class _Batch:
    """Images that wait for one process of the runtime, all with the same ``normalize``."""

    jobs: list[_Job] = field(default_factory=list)
    normalize: str = ""
    size: int = 0


def _fill(state: _Run, images: Sequence[Path], places: Sequence[Outputs], waiting: list[int], folder: Path) -> _Batch:
    """Read the next images into a folder, until there are enough; those that were dealt with leave ``waiting``."""
    batch = _Batch()
    while waiting and len(batch.jobs) < _TOGETHER and batch.size < _TOGETHER_BYTES:
        job = _read(state, images, waiting[0], places[waiting[0]], folder)
        if job is not None:
            if batch.jobs and job.prepared.normalize != batch.normalize:
                break  # its turn comes with the next batch, which reads it again
            batch.normalize = job.prepared.normalize
            batch.jobs.append(job)
            batch.size += job.prepared.seen.stat().st_size + job.prepared.raw.stat().st_size
        waiting.pop(0)
    return batch


def _read(state: _Run, images: Sequence[Path], place: int, outputs: Outputs, folder: Path) -> _Job | None:
    """Prepare an image; None where that fails, which is noted."""
    image = images[place]
    started = time.perf_counter()
    state.report(f"read {image.name}" if state.total > 1 else "read", len(state.ended), state.total)
    files = planned(outputs, state.ready, state.wishes.polygons, state.wishes.table)
    replacing: dict[str, Any] = {
        "overwrite": state.overwrite,
        "inputs": [state.ready.model, *images],
        "sealed": files["labels"],
        "origin": image.name,
    }
    try:
        with enough_memory(image, "the image", ImageError):
            for path in files.values():
                check_file(path, **replacing)
            prepared = prepare(image, state.ready, state.wishes, folder, place)
    except InstansegExportError as error:
        state.ended[place] = RunFailure(image, error)
        return None
    return _Job(place, image, files, replacing, prepared, time.perf_counter() - started)


def _segment(state: _Run, batch: _Batch) -> None:
    """Run the model on a batch and write what it finds."""
    from ..runtimes.process import run_runtime

    ready = state.ready
    inputs = [job.prepared.seen for job in batch.jobs]
    results = [path.with_suffix(".npz") for path in inputs]
    finished = len(state.ended)
    state.report("segment", finished, state.total)
    known = ready.metadata is not None and "normalize" in ready.metadata.settings
    normalizes = known and "normalize" not in ready.fixed
    settings = {**ready.settings, **({"normalize": batch.normalize} if normalizes else {})}
    outcomes = run_runtime(
        ready.runtime,
        ready.file,
        inputs,
        results,
        device=ready.device,
        settings=settings,
        time_limit=state.time_limit,
        on_image=lambda index: state.report("segment", finished, state.total),
    )
    for job, outcome, source, result in zip(batch.jobs, outcomes, inputs, results, strict=True):
        started = time.perf_counter()
        state.report(f"write {job.image.name}" if state.total > 1 else "write", len(state.ended), state.total)
        source.unlink(missing_ok=True)
        try:
            with enough_memory(job.image, "what was found in it", ImageError):
                done = _finish(state, job, job.prepared, outcome)
        except InstansegExportError as error:
            state.ended[job.place] = RunFailure(job.image, error)
        else:
            taken = job.seconds + sum(outcome.run_s) + outcome.load_s + time.perf_counter() - started
            state.ended[job.place] = done(taken)
        for path in (result, job.prepared.raw):
            path.unlink(missing_ok=True)


def _finish(state: _Run, job: _Job, image: Prepared, outcome: Outcome) -> Callable[[float], RunResult]:
    """Write the results of one image; what is returned wants to know the seconds."""
    ready = state.ready
    labels, further = _results(ready, job.image, outcome)
    facts = ready.contract.output("masks")
    masks = None if facts is None else further.get(facts.name)
    notes = list(image.notes)
    if ready.metadata is None and ready.runtime.target == "torchscript":
        notes.append(f"{ready.file.name} is not ours and may write to its input: it was given a copy of the image.")
    lost: list[int] = []
    if image.resampled:
        labels, lost = rescale_labels(labels, image.shape)
        masks = None if masks is None else rescale_labels(masks, image.shape)[0]
    if lost:
        notes.append(f"{len(lost)} instances are smaller than a pixel of the image and are not in the label file.")
    names = _target_names(ready, labels.shape[0])
    write_results(Segmented(labels, names, masks, further), image, ready, job.files, job.replacing)
    found = tuple(count(name, plane, image.pixel_size) for name, plane in zip(names, labels, strict=True))
    notes += advise(found, image, ready)

    def done(seconds: float) -> RunResult:
        return RunResult(
            model=ready.model,
            image=job.image,
            labels=job.files["labels"],
            overlay=job.files["overlay"],
            masks=job.files.get("masks"),
            objects=job.files.get("objects"),
            polygons=tuple(job.files[kind] for kind in state.wishes.polygons),
            found=found,
            runtime=f"{ready.runtime.title} {outcome.version}".strip(),
            pixel_size=image.pixel_size,
            model_pixel_size=ready.contract.pixel_size,
            resampled=image.resampled,
            region=image.region,
            normalize=image.normalize,
            lost=tuple(lost),
            notes=tuple(notes),
            seconds=seconds,
        )

    return done


def _results(ready: Ready, image: Path, outcome: Outcome) -> tuple[Array, Mapping[str, Any]]:
    """Return the label maps (T, H, W), and what the model gives beside them."""
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
            "segment it in tiles in QuPath.",
        )
    try:
        return outcome.labels()[0], outcome.further()
    except ValueError as error:
        raise PackageError(
            f"{ready.runtime.title} failed with {ready.file.name}: {plain(error)}.",
            hint="instanseg-export validate shows whether the model or the image is at fault.",
        ) from error


def _target_names(ready: Ready, count: int) -> tuple[str, ...]:
    targets = ready.contract.targets
    if count == len(targets):
        return tuple(targets)
    flags = ready.flags
    chosen = tuple(name for name, flag in zip(targets, flags, strict=False) if flag)
    return chosen if len(chosen) == count else tuple(f"target {index + 1}" for index in range(count))
