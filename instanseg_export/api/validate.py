"""Prove that every exported file of a model finds the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from ..parity.baseline import read_baseline
from ..parity.report import Report
from ..parity.validation import run_validation
from ..progress import Progress, Steps
from .given_images import GivenImage, image_files, named_images
from .options import ValidateKeywords, ValidateOptions
from .report_folder import report_folder

__all__ = ["validate"]


def validate(
    path: str | Path,
    options: ValidateOptions | None = None,
    *,
    images: Sequence[GivenImage] | None = None,
    progress: Progress | None = None,
    **keywords: Unpack[ValidateKeywords],
) -> Report:
    """Run a model in every runtime and compare what they find, instance by instance.

    The reference is the forward in eager PyTorch, rebuilt from the TorchScript file; where that cannot be built,
    TorchScript, else ONNX Runtime. It runs once, on the CPU, and every runtime on every device is compared with it.
    Where one disagrees, both are run again with their intermediate results, to name the first stage that differs. A
    package's files of reduced precision are compared with its fp32 file, on the images that are pictures of something,
    where all runtimes are asked for.

    Args:
        path: a package folder, its zip, or one exported file.
        options: how to compare.
        images: files, or arrays with names; by default the package's samples and the standard set of hard cases.
        progress: told what was done last.
        **keywords: fields of :class:`.ValidateOptions`, as in ``devices=["cuda"]``; they win over those of
            ``options``. Where a runtime has no such device here, the row is "not run"; ``runtimes`` may name folders
            with a runtime.toml.

    Returns:
        The report. It is ``passed`` when at least two runtimes were compared, all agree on all images, and nothing
        drifted from the baseline, if one is given.

    Raises:
        PackageError: ``path`` is missing, damaged, neither a package nor an exported file, or a file of reduced
            precision alone, without its package; or the baseline is missing or no report.
        UntrustedFileError: this package did not write a file, and it is not trusted.
        UnsafeFileError: a zip would write outside of its folder.
        UnknownNameError: there is no runtime of a name in ``runtimes``.
        SettingError: a setting is unknown, out of range, or not as in the baseline.
        ImageError: an image does not fit the model, or the baseline has none of the images.
        OutputError: ``output`` exists or cannot be written.
    """
    options = replace(options or ValidateOptions(), **keywords)
    baseline = None if options.baseline is None else read_baseline(Path(options.baseline))
    inputs = [path, *image_files(images), *([] if baseline is None else [baseline.path])]
    with report_folder(options.output, kind="report", overwrite=options.overwrite, inputs=inputs) as folder:
        report = run_validation(
            Path(path),
            images=named_images(images, path, options.channels),
            runtimes=options.runtimes or None,
            devices=options.devices,
            time_limit=options.time_limit,
            settings=options.settings,
            baseline=baseline,
            trust=options.trust,
            steps=Steps(progress),
        )
        if folder is not None:
            report.write(folder, for_ci=True)
    return report
