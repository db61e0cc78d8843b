"""Everything around the exported files: the folder becomes a BioImage.IO model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..files import files_in
from ..metadata import LABELS
from .card import Card
from .checkpoint_card import check_fit
from .contents import WEIGHTS, Contents
from .cover import write_cover
from .documents import readme, readme_name
from .fiji import write_macros
from .rdf import TEST_INPUT, describe, file_entry, preprocess, test_output, with_pixel_size
from .rdf_file import QUPATH_FILE, write_rdf
from .samples import Sample

if TYPE_CHECKING:
    from ..families.base import SegmentationForward
    from ..families.checkpoint import Checkpoint
    from ..parity.precision_records import PrecisionRecord
    from ..parity.report import Report
    from ..targets.base import Artifact

__all__ = ["write_package"]

_COVER = "cover.png"


def write_package(
    folder: Path,
    *,
    artifacts: Sequence[Artifact],
    checkpoint: Checkpoint,
    forward: SegmentationForward,
    card: Card,
    samples: Sequence[Sample],
    report: Report | None = None,
    precisions: Sequence[PrecisionRecord] = (),
) -> None:
    """Write what makes a BioImage.IO model of the exported files in ``folder``.

    That is ``rdf.yaml`` (and for QuPath the same with pixel sizes), the README, the cover, test tensors, the samples
    with the label maps that the forward makes of them, and ImageJ macros. The same arguments give the same bytes. It
    may be called again on the same folder, as when a report is there that was not before.

    Args:
        folder: exists and is the caller's to fill; the files of ``artifacts`` lie in it.
        artifacts: the exported files; at least TorchScript or ONNX.
        checkpoint: that was exported.
        forward: that was exported.
        card: for people.
        samples: of :func:`choose_samples`; the first with something in every output becomes test tensor and cover.
        report: of the parity check, for the README; None says there that none was made.
        precisions: what the files of reduced precision among the artifacts find, for the README.

    Raises:
        CardError: the card does not fit the checkpoint.
        PackageError: none of the artifacts is TorchScript or ONNX, or the zoo's reader refuses the description.
    """
    check_fit(card, checkpoint)
    model = Contents(card, checkpoint, forward, artifacts, samples)
    results = [_segment(model, sample.image) for sample in samples]
    # The zoo refuses a test output of zeros, as where all objects are of the first class.
    order = sorted(range(len(samples)), key=lambda place: not all(values.any() for values in results[place].values()))
    samples, results = [samples[place] for place in order], [results[place] for place in order]
    model = replace(model, samples=samples)
    labels = [result[LABELS][0] for result in results]

    np.save(folder / TEST_INPUT, samples[0].image[None])
    dtypes = {output.name: output.dtype for output in forward.further}
    for name, values in results[0].items():
        # A model whose output is zero in all samples has no test output: the zoo cannot test it.
        if labels[0].any() and values.any():
            np.save(folder / test_output(name), values.astype(dtypes.get(name, "float32")))
        else:
            (folder / test_output(name)).unlink(missing_ok=True)
    pictures = _write_samples(folder, model, samples, labels)
    write_cover(folder / _COVER, samples[0].image, labels[0])
    macros = write_macros(folder, model.structures, model.checkpoint.spec.channels, forward.dimensions)
    documentation = readme_name(card)
    (folder / documentation).write_text(readme(model, report, precisions), encoding="utf-8", newline="\n")

    # The test tensors show the first sample already.
    shown = pictures[min(1, len(pictures) - 1)]
    others = [
        file.relative_to(folder).as_posix()
        for artifact in artifacts
        if artifact.target not in WEIGHTS
        for file in files_in(artifact.path)
    ]
    content = describe(
        folder,
        model,
        documentation=documentation,
        cover=_COVER,
        pictures=shown,
        attachments=[*others, *macros, *(name for pair in pictures if pair is not shown for name in pair)],
    )
    (folder / QUPATH_FILE).unlink(missing_ok=True)
    if model.pixel_size:
        write_rdf(folder, with_pixel_size(content, model), QUPATH_FILE)
        content["attachments"].append(file_entry(folder, QUPATH_FILE))
    write_rdf(folder, content)


def _segment(model: Contents, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return what the forward makes of an image as bioimageio.core feeds it, by the name of the output."""
    import torch

    with torch.inference_mode():
        result = model.forward(torch.from_numpy(preprocess(model, image[None])))
    names = [LABELS, *(output.name for output in model.forward.further)]
    tensors = result if isinstance(result, tuple) else (result,)
    return {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}


def _write_samples(
    folder: Path, model: Contents, samples: Sequence[Sample], labels: Sequence[NDArray[np.float32]]
) -> list[tuple[str, str]]:
    """Write each sample and its label map as TIFF; return the pairs of file names."""
    names = []
    for sample, label in zip(samples, labels, strict=True):
        pair = f"sample-{sample.name}.tif", f"sample-{sample.name}-labels.tif"
        _write_tiff(folder / pair[0], sample.image, model.channel_names, model)
        _write_tiff(folder / pair[1], label, model.structures, model)
        names.append(pair)
    return names


def _write_tiff(path: Path, array: NDArray[np.float32], names: Sequence[str] | None, model: Contents) -> None:
    """Write an ImageJ hyperstack whose pixels have the size that the model sees them in.

    Args:
        path: of the file.
        array: (C, H, W), or (C, D, H, W).
        names: of the channels, which become the labels of the slices; None where they have none.
        model: tells the size of a pixel.
    """
    import tifffile

    pixels = _compact(array)
    metadata: dict[str, Any] = {"axes": "CYX"}
    if pixels.ndim == 4:  # ImageJ keeps the channels of a slice together
        pixels = pixels.swapaxes(0, 1)
        metadata["axes"] = "ZCYX"
        if model.slice_distance:
            metadata["spacing"] = model.slice_distance
    if names:
        metadata["Labels"] = list(names) * (len(pixels) if pixels.ndim == 4 else 1)
    per_micron = 1 / model.pixel_size if model.pixel_size else None
    if per_micron:
        metadata["unit"] = "micron"
    tifffile.imwrite(
        path,
        pixels,
        imagej=True,
        resolution=(per_micron, per_micron) if per_micron else None,
        resolutionunit="NONE",
        metadata=metadata,
    )


def _compact(array: NDArray[np.float32]) -> NDArray[Any]:
    """Return the values in 8 or 16 bits where nothing is lost."""
    for dtype in (np.uint8, np.uint16):
        if np.isfinite(array).all() and array.min() >= 0 and array.max() <= np.iinfo(dtype).max:
            small = array.astype(dtype)
            if (small == array).all():
                return small
    return array
