"""Models side by side in every runtime: time, its parts, memory, and how far all that is from the machine's best."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..benchmark.floor import gflop_of, matrix_peak
from ..benchmark.inputs import choose_images, normalised
from ..benchmark.measure import WARM_UP, Program, Timing, take_turns
from ..benchmark.result import Benchmark
from ..benchmark.rows import BenchmarkImage, Floor, Row
from ..errors import InstansegExportError, PackageError, RuntimeUnavailableError
from ..exported_model import ExportedModel, open_model
from ..families.settings import parse_settings
from ..images.synthetic import NamedImage
from ..runtimes.description import Runtime
from ..runtimes.selection import select_runtimes
from ..targets.trust import check_trust
from ..untrusted.numbers import check_number, check_time_limit

__all__ = ["bench", "threads_of_environment"]

_PARTS = ("normalisation", "network", "post-processing")


def bench(
    models: str | Path | Sequence[str | Path],
    *,
    images: Sequence[NamedImage] | None = None,
    size: int | None = None,
    objects: int | None = None,
    runtimes: Sequence[str] | None = None,
    threads: int | None = None,
    turns: int = 3,
    device: str = "cpu",
    settings: Mapping[str, Any] | None = None,
    time_limit: float = 600.0,
    trust: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Benchmark:
    """Measure models in every runtime of this machine.

    The programs take turns, each turn in a fresh process whose first runs are not counted. Time is that of one call,
    from an image in memory to labels in memory, without loading. The parts of a run are timed in a further process:
    in ONNX Runtime by running the graph up to the stage that ends the part, in PyTorch by the clock at the network's
    first and last convolution; what is left of the whole is post-processing.

    Args:
        models: packages' folders or zips, or exported files, upstream's included; ratios are to the first.
        images: to run; by default those of the first package, or a drawn one if it has none.
        size: height and width of a drawn image of crowded nuclei, in pixels.
        objects: about how many nuclei are drawn.
        runtimes: their names, or folders with a runtime.toml; by default all that are here.
        threads: for each runtime; by default all cores, or what OMP_NUM_THREADS says.
        turns: counted runs of each program and image.
        device: "cpu", "cuda", "cuda:1" or "mps".
        settings: tunables to override, by name.
        time_limit: seconds that a runtime may take for one image in one turn, which is three runs.
        trust: run files that this package did not write. A TorchScript file from elsewhere can read and write files.
        progress: called with what comes next, steps done, and steps in all.

    Raises:
        UntrustedFileError: this package did not write a file, and ``trust`` is False.
        PackageError: a model is missing or damaged, or every runtime failed on it.
        ImageError: an image does not fit a model, or a size is not positive.
        RuntimeUnavailableError: nothing here runs any of the models.
        UnknownNameError: there is no runtime of a name in ``runtimes``.
        SettingError: a setting, the number of threads or turns, or the time limit is out of range.
    """
    paths = [Path(models)] if isinstance(models, str | Path) else [Path(path) for path in models]
    if not paths:
        raise PackageError("No model is given.", hint="Give the folder or zip of a package, or an exported file.")
    check_number("number of threads", threads, 1, 4096)
    check_number("number of turns", turns, 1, 10_000)
    check_time_limit(time_limit)
    used = threads or threads_of_environment()
    selected = select_runtimes(runtimes)
    with contextlib.ExitStack() as stack:
        opened = _named_apart([stack.enter_context(open_model(path)) for path in paths], paths)
        checked = {}
        for model in opened:
            if model.dimensions == 3:
                raise PackageError(f"{model.name} takes volumes.", hint="Only models of images can be measured yet.")
            checked = parse_settings(settings or {}, model.tunables)
        chosen = choose_images(opened, images, size, objects)
        batches, notes = _prepare(chosen, opened)
        notes += dict.fromkeys(note for image in chosen for note in image.notes)
        programs, rows = _programs(opened, selected)
        if not programs:
            raise RuntimeUnavailableError(
                f"No runtime here runs {' or '.join(map(str, paths))}: {_reasons(rows)}.",
                hint="instanseg-export doctor shows what this machine has, and how to install the rest.",
            )
        for program, _ in programs:
            if not program.runtime.needs_exporter:
                check_trust(program.model, trusted=trust)
        timings = take_turns(
            [program for program, _ in programs],
            batches,
            turns=turns,
            threads=used,
            device=device,
            settings=checked,
            time_limit=time_limit,
            progress=progress,
        )
        measured = [
            _row(program, model, image, batch, timing, used)
            for (program, model), found in zip(programs, timings, strict=True)
            for image, batch, timing in zip(chosen, batches, found, strict=True)
        ]
        _check_that_some_ran(measured, paths, device)
        peak = matrix_peak(used) if device == "cpu" else None
        floors = [
            _floor(model, image, batch, peak) for model in opened for image, batch in zip(chosen, batches, strict=True)
        ]
    if device != "cpu":
        notes.append("The matrix peak is measured on the CPU only: no floor is given for other devices.")
    return Benchmark(
        machine={
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count() or 1,
            "python": platform.python_version(),
            "exporter": __version__,
        },
        device=device,
        threads=used,
        turns=turns,
        warm_up=WARM_UP,
        images=tuple(
            BenchmarkImage(name=image.name, shape=list(batch.shape), note=image.note)
            for image, batch in zip(chosen, batches, strict=True)
        ),
        matrix_peak_gflops=peak,
        floors=tuple(floors),
        rows=tuple(_with_ratios([*measured, *rows], opened[0].name)),
        notes=tuple(notes),
    )


def threads_of_environment() -> int:
    """Return how many threads a runtime is given by default: OMP_NUM_THREADS, or all cores of this process."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    if text.isdigit() and int(text) > 0:
        return int(text)
    # A container or a job may own fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _named_apart(opened: Sequence[ExportedModel], paths: Sequence[Path]) -> list[ExportedModel]:
    """Return the models under names that differ."""
    names = [model.name for model in opened]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names, start=1)]
    return [replace(model, name=name) for model, name in zip(opened, names, strict=True)]


def _prepare(
    images: Sequence[NamedImage], opened: Sequence[ExportedModel]
) -> tuple[list[npt.NDArray[np.float32]], list[str]]:
    batches = [image.batch() for image in images]
    foreign = [model.name for model in opened if model.metadata is None]
    if not foreign:
        return batches, []
    note = f"Images are normalised beforehand for all models, since {' and '.join(foreign)} may not do it."
    return [normalised(batch) for batch in batches], [note]


def _programs(
    opened: Sequence[ExportedModel], runtimes: Sequence[tuple[Runtime, str]]
) -> tuple[list[tuple[Program, ExportedModel]], list[Row]]:
    """Return what can be run, and a row for each pair that cannot."""
    programs, rows = [], []
    for model in opened:
        for runtime, why in runtimes:
            file = model.file(runtime.filename)
            if file is None:
                continue
            if not why and runtime.needs_exporter and model.metadata is None:
                why = "the file does not describe its network, so that its forward cannot be built again"
            if why:
                rows.append(Row(model.name, runtime.name, runtime.title, "", "not run", why))
            else:
                programs.append((Program(f"{model.name} in {runtime.title}", runtime, file), model))
    return programs, rows


def _reasons(rows: Sequence[Row]) -> str:
    return "; ".join(f"{row.title}: {row.why}" for row in rows) or "none takes such a file"


def _row(
    program: Program,
    model: ExportedModel,
    image: NamedImage,
    batch: npt.NDArray[np.float32],
    timing: Timing,
    threads: int,
) -> Row:
    runtime = program.runtime
    row = Row(model.name, runtime.name, runtime.title, image.name, "measured", version=timing.version)
    if timing.error:
        return replace(row, status="not run" if timing.unavailable else "failed", why=timing.error)
    seconds, rest = timing.median, timing.post_processing
    split = None
    if timing.split_s is not None and rest is not None:
        split = dict(zip(_PARTS, (*(timing.split_s[part] for part in _PARTS[:2]), rest), strict=True))
    return replace(
        row,
        threads="its own choice" if runtime.own_threads else str(threads),
        seconds=seconds,
        fastest_s=min(timing.seconds),
        slowest_s=max(timing.seconds),
        peak_mb=timing.peak,
        objects=timing.objects,
        megapixels_per_s=batch.shape[0] * batch.shape[2] * batch.shape[3] / 1e6 / seconds,
        objects_per_s=timing.objects / seconds,
        split_s=split,
        not_split=timing.not_split,
    )


def _check_that_some_ran(rows: Sequence[Row], paths: Sequence[Path], device: str) -> None:
    if any(row.status == "measured" for row in rows):
        return
    what = " or ".join(map(str, paths))
    if all(row.status == "not run" for row in rows):
        error: type[InstansegExportError] = RuntimeUnavailableError
        message, hint = f"No runtime here runs {what} on {device}", "Use --device cpu, or see instanseg-export doctor."
    else:
        error = PackageError
        message, hint = f"Every runtime failed with {what}", "instanseg-export validate shows what is at fault."
    raise error(f"{message}: {_reasons(rows)}.", hint=hint)


def _floor(model: ExportedModel, image: NamedImage, batch: npt.NDArray[np.float32], peak: float | None) -> Floor:
    gflop = gflop_of(model.file("instanseg.pt"), batch.shape)
    seconds = None if gflop is None or peak is None else gflop / peak
    return Floor(model.name, image.name, gflop, seconds)


def _with_ratios(rows: Sequence[Row], first: str) -> list[Row]:
    """Compare the other models with the first one, in the same runtime where it was measured there."""
    result = []
    for row in rows:
        peers = [one for one in rows if one.model == first and one.image == row.image and one.seconds is not None]
        peers.sort(key=lambda one: one.runtime != row.runtime)
        if row.model == first or row.seconds is None or not peers:
            result.append(row)
            continue
        peer, memory = peers[0], None
        if row.peak_mb is not None and peer.peak_mb:
            memory = row.peak_mb / peer.peak_mb
        faster = peer.seconds / row.seconds if peer.seconds else None
        result.append(replace(row, times_faster=faster, memory_ratio=memory, compared_to=f"{first} in {peer.title}"))
    return result
