"""Prove that every exported file of a model finds the same cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..images.named import NamedImage
from ..parity.quantization import PrecisionRecord
from ..parity.report import Report

__all__ = ["validate"]


def validate(
    path: Path,
    *,
    images: Sequence[NamedImage] | None = None,
    runtimes: Sequence[str] | None = None,
    device: str = "cpu",
    time_limit: float = 120.0,
    settings: Mapping[str, Any] | None = None,
    precisions: Sequence[PrecisionRecord] | None = None,
    trust: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Run a model in every runtime and compare what they find, instance by instance.

    The reference is the forward in eager PyTorch, rebuilt from the TorchScript file; where that cannot be built,
    TorchScript, else ONNX Runtime. Where a runtime disagrees, both are run again with their intermediate results, to
    name the first stage that differs.

    Args:
        path: a package folder, its zip, or one exported file.
        images: to run; by default the package's samples and the standard set (see ``standard_images``).
        runtimes: their names, or paths of folders with a runtime.toml; by default all that there are.
        device: "cpu", "cuda", "cuda:1" or "mps". A runtime that has no such device here is "not run".
        time_limit: seconds that a runtime may take for one image.
        settings: tunables to override in every runtime, by name.
        precisions: what is known already of a package's files of reduced precision. By default they are compared with
            fp32 here, on the images that are pictures of something, where all runtimes are asked for.
        trust: run files that this package did not write. A TorchScript file from elsewhere can read and write files.
        progress: called with what was done last, steps done, and steps in all (which can grow).

    Returns:
        The report. It is ``passed`` when at least two runtimes were compared and all agree on all images.

    Raises:
        PackageError: ``path`` is missing, damaged, neither a package nor an exported file, or a file of reduced
            precision alone, without its package.
        UntrustedFileError: this package did not write a file, and ``trust`` is False.
        UnsafeFileError: a zip would write outside of its folder.
        UnknownNameError: there is no runtime of a name in ``runtimes``.
        SettingError: a setting is unknown or out of range.
        ImageError: an image does not fit the model.
    """
    from ..parity.validation import run_validation

    return run_validation(
        Path(path),
        images=images,
        runtimes=runtimes,
        device=device,
        time_limit=time_limit,
        settings=settings,
        precisions=precisions,
        trust=trust,
        progress=progress,
    )
