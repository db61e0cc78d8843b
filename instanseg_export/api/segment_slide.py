"""A slide or volume of any size through one model, tile by tile, in bounded memory."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from .. import __version__
from ..errors import OutputError, RuntimeUnavailableError
from ..exported_model import open_model
from ..files import check_apart, scratch_folder
from ..inference.model import Ready, get_ready
from ..interruption import raise_swallowed
from ..progress import Progress
from ..runtimes.description import Runtime
from ..slides.beside import beside
from ..slides.engine.connect import connected
from ..slides.engine.events import RunEvent
from ..slides.engine.job import Job, open_job
from ..slides.engine.needs import Needs
from ..slides.engine.run_tiles import TilesDone, run_tiles
from ..slides.plan import Plan, make_plan
from ..slides.records import records_of
from ..slides.result import SlideResult
from ..slides.seams.decide import decide
from ..slides.seams.decision import Decision, seam_notes
from ..slides.seams.paint import paint
from ..slides.sinks.labels import write_label_zarr
from ..slides.sinks.objects import KINDS, check_kinds, write_objects
from ..slides.sinks.overview import write_overview
from ..slides.sinks.record import Frame
from ..slides.sources.address import SlideAddress
from ..slides.sources.array import GivenArray
from ..slides.sources.open import open_slide
from ..slides.sources.remote import is_url
from ..slides.tile_file import TileResults
from ..slides.tile_work import SegmentTiles
from ..slides.written import LABELS, OVERVIEW, check_results, staged_results
from ..targets.trust import check_trust
from .options import RunKeywords, RunOptions

__all__ = ["segment_slide"]

_THUMBNAIL = 1024
_BETWEEN = 1.0
"""Seconds between two words on how far tiles have come."""

Tell = Callable[[RunEvent], None]


def segment_slide(
    model: str | Path,
    slide: str | Path | np.ndarray[Any, Any] | GivenArray,
    options: RunOptions | None = None,
    *,
    progress: Progress | None = None,
    tell: Tell | None = None,
    **keywords: Unpack[RunKeywords],
) -> SlideResult:
    """Segment a slide or a volume tile by tile, and write each object once.

    Into the output folder go ``labels.zarr`` (OME-Zarr 0.5, at the model's pixel size), ``objects.geojson`` (for
    QuPath, in pixels of full resolution; not for volumes), ``objects.parquet`` (GeoParquet), ``overview.png`` and
    ``run.json``. The result depends neither on the number of workers, their order nor on interruptions.

    In a program, the call must stand under ``if __name__ == "__main__":``, since the workers import it.

    Args:
        model: a package folder, its zip, or one exported file.
        slide: path of a TIFF pyramid, SVS, OME-Zarr or any image that ``run`` reads; URL of an OME-Zarr; or an array,
            (C, H, W) or (H, W) of an image and one axis more of a volume, see :class:`GivenArray` for zarr and dask.
        options: what to do; of the files that ``run`` writes beside the label map, none is written.
        progress: told what is being done, and how far it is.
        tell: is given an event for each tile that ends.
        **keywords: fields of :class:`.RunOptions`, as in ``halo=120``; they win over those of ``options``.

    Raises:
        ImageError: the slide cannot be read, its channels do not fit the model, or it does not say its pixel size.
        PackageError: the model is damaged, or fails on every tile.
        SettingError: a setting is unknown or out of range, or tiles and halo do not fit.
        RuntimeUnavailableError: nothing here runs the model on that device, or the workers do not answer.
        OutputError: a file exists or cannot be written; the folder holds an unfinished run, or another one.
        UntrustedFileError: this package did not write the model, and it is not trusted.
    """
    started = time.perf_counter()
    options = replace(options or RunOptions(), **keywords)
    folder = Path("." if options.output is None else options.output)
    with _opened(Path(model), options) as ready, scratch_folder() as scratch:
        axes = ready.contract.dimensions
        kinds = [kind for kind in KINDS if not (kind == "geojson" and axes == 3)]
        check_kinds(kinds, volume=axes == 3)
        if options.scheduler is not None:
            _check_shared(Path(model), slide)
        address = _address(slide, axes).for_workers(scratch)
        if isinstance(address.location, Path):
            check_apart(folder, [address.location])
        names = (LABELS, *(KINDS[kind] for kind in kinds), OVERVIEW)
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file.", hint="Give a folder for the results with --output.")
        in_the_way = check_results(folder, names, resume=options.resume, overwrite=options.overwrite)
        with open_slide(address) as source:
            plan = make_plan(source, ready, options, options, progress)
        clock = _Clock(started)
        clock.ends("plan")
        identity = plan.identity(ready, address)
        with open_job(folder, identity, resume=options.resume, overwrite=options.overwrite) as job:
            run = _Run(ready, address, plan, options, job, progress)
            done = _do_tiles(run, tell)
            clock.ends("tiles")
            decision, results = _decide(run, done)
            clock.ends("seams")
            frame = plan.frame(ready, decision.structures, _hash(identity))
            notes = (*plan.notes, *seam_notes(decision, plan.grid.halo), *_of_tiles(done))
            with staged_results(job, in_the_way) as made:
                counts = _write(run, made.place, frame, decision, results, kinds)
                clock.ends("writing")
                made.facts = _facts(run, frame, decision, done, counts, notes) | {"seconds": clock.seconds}
            if not options.keep_tiles and not done.failed:
                job.forget_tiles()
    return SlideResult(
        model=Path(model),
        slide=str(plan.info.path),
        folder=folder,
        written=made.written,
        counts=counts,
        plane=plan.geometry.shape,
        pixel_size=plan.geometry.pixel_size,
        tiles=len(plan.tiles),
        failed={index: report.reason for index, report in done.failed.items()},
        reused=done.reused,
        runtime=ready.runtime.title,
        notes=notes,
        seconds=time.perf_counter() - started,
    )


class _Clock:
    """How long each part of a run took."""

    def __init__(self, started: float) -> None:
        self._last = started
        self.seconds: dict[str, float] = {}

    def ends(self, part: str) -> None:
        """A part ends, and the next begins."""
        now = time.perf_counter()
        self.seconds[part] = round(now - self._last, 3)
        self._last = now


@dataclass(frozen=True)
class _Run:
    """What the steps share."""

    ready: Ready
    address: SlideAddress
    plan: Plan
    options: RunOptions
    job: Job
    progress: Progress | None


def _address(slide: Any, axes: int) -> SlideAddress:
    if isinstance(slide, GivenArray):
        return SlideAddress(slide, axes)
    if isinstance(slide, str | Path):
        return SlideAddress(str(slide) if is_url(str(slide)) else Path(slide), axes)
    return SlideAddress(GivenArray((slide,)), axes)


def _check_shared(model: Path, slide: Any) -> None:
    """Refuse what workers on other machines cannot see.

    Raises:
        RuntimeUnavailableError: the model is a zip, or the slide an array in memory.
    """
    if model.is_file() and zipfile.is_zipfile(model) and model.suffix == ".zip":
        raise RuntimeUnavailableError(
            f"{model} is unpacked on this machine, where the workers of a scheduler do not see it.",
            hint="Unzip it on shared storage, and give the folder.",
        )
    if isinstance(slide, np.ndarray):
        raise RuntimeUnavailableError(
            "An array in memory is not seen by the workers of a scheduler.",
            hint="Write it to shared storage, as a TIFF or OME-Zarr, and give the path.",
        )


@contextmanager
def _opened(model: Path, options: RunOptions) -> Iterator[Ready]:
    """Choose a file of the model and what runs it."""
    with open_model(model) as exported:
        ready = get_ready(model, exported, options.settings, options.runtime, options.device)
        check_trust(ready.file, shown=model, trusted=options.trust)
        yield ready


def _do_tiles(run: _Run, tell: Tell | None) -> TilesDone:
    plan, ready, options = run.plan, run.ready, run.options
    local = options.scheduler is None and ready.device == "cpu"
    work = SegmentTiles(
        ready=ready,
        address=run.address,
        geometry=plan.geometry,
        channels=plan.channels,
        measured=plan.measured,
        intensities=plan.intensities,
        settings=plan.settings,
        size=plan.size,
        area=plan.clipped,
        columns=plan.columns,
        paired=ready.paired and len(ready.contract.structures) == 2,
        halo=plan.grid.halo,
        time_limit=options.time_limit,
        # Workers that share cores are faster with a thread each than with all cores each.
        threads=1 if local else None,
    )

    shown = 0.0

    def hear(event: RunEvent) -> None:
        nonlocal shown
        raise_swallowed()
        now = time.monotonic()
        if run.progress is not None and (now - shown > _BETWEEN or event.event != "tile"):
            shown = now
            run.progress(event.words(), event.finished + event.failed, event.tiles)
        if tell is not None:
            tell(event)

    there = [run.job.files.folder]
    if isinstance(run.address.location, Path):
        there.append(run.address.location)
    with connected(options.scheduler, workers=options.workers, device=ready.device) as cluster:
        tiles = [plan.grid[index] for index in plan.tiles]
        # The record of the run too: a folder of the same name on a worker's own disk is not this one.
        needs = Needs.of([ready.file, *run.job.files.folder.glob("job.json")], there)
        return run_tiles(cluster, work, tiles, run.job.files, needs, strict=options.strict, tell=hear)


def _decide(run: _Run, done: TilesDone) -> tuple[Decision, TileResults]:
    """Choose which object of which tile stays."""
    if run.progress is not None:
        run.progress("matching objects at seams", 0, 1)
    results = TileResults(run.job.files.path)
    grid = run.plan.grid
    skipped = set(range(len(grid))).difference(run.plan.tiles)
    return decide((results.objects(index) for index in sorted(done.finished)), grid, skipped=skipped), results


def _write(
    run: _Run, folder: Path, frame: Frame, decision: Decision, results: TileResults, kinds: list[str]
) -> dict[str, int]:
    """Write the label pyramid, the objects and the picture into a folder, and return the number of objects."""
    plan = run.plan
    maps = TileResults(run.job.files.path)

    def write_labels(progress: Progress) -> None:
        write_label_zarr(
            folder / LABELS, lambda box: paint(box, decision, plan.grid, maps.labels), frame, progress=progress
        )

    records = records_of(decision, plan.grid, results, plan.columns)
    with beside(write_labels):
        objects = write_objects(
            folder, records, frame, kinds=kinds, total=decision.counts.objects, progress=run.progress
        )
    with open_slide(run.address) as source:
        write_overview(folder / OVERVIEW, objects.density, frame, _small(run, source))
    return dict(zip(frame.structures, objects.counts, strict=True))


def _small(run: _Run, source: Any) -> Any:
    """Return a picture of the plane, read from the smallest level that shows enough."""
    from ..slides.plane.thumbnail import read_thumbnail

    shown = run.plan.measured[:3]
    picture = read_thumbnail(source, [run.plan.channels[place] for place in shown], _THUMBNAIL, tolerant=True)
    low = run.plan.geometry.offset[-2:]
    size = run.plan.geometry.shape[-2:]
    spans = []
    for start, length, factor, scale, most in zip(
        low, size, run.plan.geometry.scale[-2:], picture.scale, picture.pixels.shape[1:], strict=True
    ):
        first = min(int(start / scale), most - 1)
        last = max(first + 1, min(most, round((start + length * factor) / scale)))
        spans.append(slice(first, last))
    return picture.pixels[(slice(None), *spans)]


def _hash(identity: Any) -> str:
    import hashlib
    import json

    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()


def _of_tiles(done: TilesDone) -> list[str]:
    """Return sentences on what became of tiles."""
    notes = []
    if done.failed:
        first = min(done.failed)
        notes.append(f"Tile {first} failed: {done.failed[first].reason}.")
    incomplete = sum(report.counts.get("incomplete", 0.0) > 0 for report in done.finished.values())
    if incomplete:
        notes.append(
            f"Labels of {incomplete:,} tiles may be incomplete: some masks there are so winding, or so many over one "
            "another, that the file's fixed steps end before. Files of other formats (torchscript, onnx) find them all."
        )
    return notes


def _facts(
    run: _Run, frame: Frame, decision: Decision, done: TilesDone, counts: dict[str, int], notes: tuple[str, ...]
) -> dict[str, Any]:
    """Return what the record of the run says."""
    runtime: Runtime = run.ready.runtime
    return {
        "version": __version__,
        "identity": {topic: dict(values) for topic, values in run.plan.identity(run.ready, run.address).items()},
        "plane": {
            "shape": frame.shape,
            "factor": frame.factor,
            "offset": frame.offset,
            "spacing_um": frame.spacing,
        },
        "runtime": runtime.name,
        "device": run.ready.device,
        "objects": counts,
        "seams": asdict(decision.counts),
        "tiles": {
            "done": len(done.finished),
            "reused": done.reused,
            "failed": {str(index): report.reason for index, report in done.failed.items()},
        },
        # Of all workers together: from a tile's pixels to its file, and of that the model alone.
        "seconds_of_tiles": round(sum(report.seconds for report in done.finished.values()), 3),
        "seconds_of_model": round(sum(report.counts.get("model_s", 0.0) for report in done.finished.values()), 3),
        "notes": list(notes),
    }
