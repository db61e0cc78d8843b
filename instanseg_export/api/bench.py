"""Models side by side in every runtime: time, its parts, memory, and how far all that is from the machine's best."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from ..benchmark.floor import floor_of, matrix_peak
from ..benchmark.inputs import batches_of, choose_images
from ..benchmark.measure import WARM_UP, take_turns, threads_of_environment
from ..benchmark.programs import check_that_some_ran, name_apart, programs_of, reasons
from ..benchmark.result import Benchmark, this_machine
from ..benchmark.rows import BenchmarkImage, row_of, with_ratios
from ..errors import PackageError, RuntimeUnavailableError
from ..exported_model import ExportedModel, open_model
from ..families.settings import parse_settings
from ..images.named import NamedImage
from ..metadata import SettingValue
from ..progress import Progress
from ..runtimes.selection import select_runtimes
from ..targets.trust import check_trust
from .given_images import GivenImage, image_files, named_images
from .options import BenchKeywords, BenchOptions
from .report_folder import report_folder

__all__ = ["bench"]


def bench(
    models: str | Path | Sequence[str | Path],
    options: BenchOptions | None = None,
    *,
    images: Sequence[GivenImage] | None = None,
    progress: Progress | None = None,
    **keywords: Unpack[BenchKeywords],
) -> Benchmark:
    """Measure models in every runtime of this machine.

    The programs take turns, each turn in a fresh process whose first runs are not counted. Time is that of one call,
    from an image in memory to labels in memory, without loading. The parts of a run are timed in a further process:
    in ONNX Runtime by running the graph up to the stage that ends the part, in PyTorch by the clock at the network's
    first and last convolution; what is left of the whole is post-processing.

    Args:
        models: packages' folders or zips, or exported files, upstream's included; ratios are to the first.
        options: how to measure.
        images: files, or arrays with names; by default those of the first package, or a drawn one if it has none.
        progress: told what comes next.
        **keywords: fields of :class:`.BenchOptions`, as in ``turns=5``; they win over those of ``options``.

    Raises:
        UntrustedFileError: this package did not write a file, and it is not trusted.
        PackageError: a model is missing or damaged, or every runtime failed on it.
        ImageError: an image does not fit a model, or a size is not positive.
        RuntimeUnavailableError: nothing here runs any of the models.
        UnknownNameError: there is no runtime of a name in ``runtimes``.
        SettingError: a setting, the number of threads or turns, or the time limit is out of range.
        OutputError: ``output`` exists or cannot be written.
    """
    options = replace(options or BenchOptions(), **keywords)
    paths = [Path(models)] if isinstance(models, str | Path) else [Path(path) for path in models]
    if not paths:
        raise PackageError("No model is given.", hint="Give the folder or zip of a package, or an exported file.")
    inputs = [*paths, *image_files(images)]
    with report_folder(options.output, kind="benchmark", overwrite=options.overwrite, inputs=inputs) as folder:
        result = _measure(paths, options, named_images(images, paths[0], options.channels), progress)
        if folder is not None:
            result.write(folder)
    return result


def _measure(
    paths: Sequence[Path], options: BenchOptions, images: Sequence[NamedImage] | None, progress: Progress | None
) -> Benchmark:
    threads = options.threads or threads_of_environment()
    selected = select_runtimes(options.runtimes or None)
    with contextlib.ExitStack() as stack:
        opened = name_apart([stack.enter_context(open_model(path)) for path in paths], paths)
        settings = _check(opened, options.settings)
        chosen = choose_images(opened, images, options.size, options.objects)
        batches, notes = batches_of(chosen, opened)
        notes += dict.fromkeys(note for image in chosen for note in image.notes)
        programs, not_run = programs_of(opened, selected)
        if not programs:
            raise RuntimeUnavailableError(
                f"No runtime here runs {' or '.join(map(str, paths))}: {reasons(not_run)}.",
                hint="instanseg-export doctor shows what this machine has, and how to install the rest.",
            )
        for program, _ in programs:
            if not program.runtime.needs_exporter:
                check_trust(program.model, trusted=options.trust)
        timings = take_turns(
            [program for program, _ in programs],
            batches,
            turns=options.turns,
            threads=threads,
            device=options.device,
            settings=settings,
            time_limit=options.time_limit,
            progress=progress,
        )
        measured = [
            row_of(program, model.name, image.name, batch, timing, threads)
            for (program, model), found in zip(programs, timings, strict=True)
            for image, batch, timing in zip(chosen, batches, found, strict=True)
        ]
        check_that_some_ran(measured, paths, options.device)
        peak = matrix_peak(threads) if options.device == "cpu" else None
        floors = [
            floor_of(model.file("instanseg.pt"), model.name, image.name, batch.shape, peak)
            for model in opened
            for image, batch in zip(chosen, batches, strict=True)
        ]
    if peak is None:
        notes.append("The matrix peak is measured on the CPU only: no floor is given for other devices.")
    return Benchmark(
        machine=this_machine(),
        device=options.device,
        threads=threads,
        turns=options.turns,
        warm_up=WARM_UP,
        images=tuple(
            BenchmarkImage(name=image.name, shape=list(batch.shape), note=image.note)
            for image, batch in zip(chosen, batches, strict=True)
        ),
        matrix_peak_gflops=peak,
        floors=tuple(floors),
        rows=tuple(with_ratios([*measured, *not_run], opened[0].name)),
        notes=tuple(notes),
    )


def _check(opened: Sequence[ExportedModel], settings: Mapping[str, Any]) -> Mapping[str, SettingValue]:
    """Refuse volumes, and return the settings as numbers."""
    checked: Mapping[str, SettingValue] = {}
    for model in opened:
        if model.dimensions == 3:
            raise PackageError(f"{model.name} takes volumes.", hint="Only models of images can be measured yet.")
        checked = parse_settings(settings, model.settings)
    return checked
