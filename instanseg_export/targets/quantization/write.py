"""From an exported fp32 file to one of reduced precision."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ExportError
from ...files import sha256_of, size_of, staged_file, staged_part
from ...images.image_sets import ImageSet
from ...metadata import Calibration, ModelMetadata
from .. import TARGETS, require_metadata
from ..base import Artifact
from ..onnx.embedded import with_metadata
from .reduced import Reduced, reduced_file

if TYPE_CHECKING:
    import onnx

    from ...families.base import SegmentationForward

__all__ = ["write_precision", "write_reduced"]


def write_reduced(reduced: Reduced, forward: SegmentationForward, calibration: ImageSet, folder: Path) -> Artifact:
    """Write a file of reduced precision beside the fp32 file of the same target, in the same folder.

    Args:
        reduced: which.
        forward: that the fp32 file was written from.
        calibration: images that show the ranges of values that int8 has to cover; fp16 needs none.
        folder: of both files.

    Raises:
        ExportError: the network cannot be converted.
        OutputError: the file cannot be written.
        PackageError: the fp32 file is damaged, or was not written by this package.
    """
    source = folder / reduced.reference
    if reduced.target == "onnx":
        return write_precision(reduced.precision, source, calibration, folder)
    metadata = require_metadata(source).model_copy(update={"precision": reduced.precision})
    path = folder / reduced.filename
    with staged_part(path) as staged:
        TARGETS.get(reduced.target).write(forward, metadata, staged)
    return Artifact(reduced.name, path, sha256_of(path), size_of(path))


def write_precision(precision: str, source: Path, calibration: ImageSet, folder: Path) -> Artifact:
    """Write the ONNX file of a precision beside the fp32 file that it is made from.

    Everything outside of the network is that of the fp32 file: inputs, settings, stages, output, metadata. The metadata
    says which precision it is and, for int8, on what it was calibrated.

    Args:
        precision: "fp16" or "int8".
        source: a ``model.onnx`` of ours.
        calibration: images that show the ranges of values that int8 has to cover; fp16 needs none.
        folder: of the new file.

    Raises:
        ExportError: the network cannot be converted.
        OutputError: the file cannot be written.
        PackageError: ``source`` is damaged, or was not written by this package.
    """
    import onnx

    metadata = require_metadata(source)
    model = onnx.load(source)
    try:
        with _quiet():
            result = _convert(precision, model, metadata, calibration)
        changes: dict[str, Any] = {"precision": precision}
        if precision == "int8":
            changes["calibration"] = Calibration(images=len(calibration.images), sha256=calibration.sha256)
        _strip(result)
        data = with_metadata(result, metadata.model_copy(update=changes))
        onnx.checker.check_model(result, full_check=True)
    except ExportError:
        raise
    except Exception as error:  # the converters raise errors of many kinds
        reason = next((line for line in str(error).strip().splitlines() if line.strip()), type(error).__name__)
        raise ExportError(
            f"The network of {metadata.spec.name} cannot be converted to {precision}: {reason}",
            hint=f"Export without {precision}, and please report this with the output of --debug.",
        ) from error
    reduced = reduced_file("onnx", precision)
    path = folder / reduced.filename
    with staged_file(path) as staged:
        staged.write_bytes(data)
    return Artifact(reduced.name, path, sha256_of(path), path.stat().st_size)


def _convert(precision: str, model: onnx.ModelProto, metadata: ModelMetadata, calibration: ImageSet) -> onnx.ModelProto:
    from .float16 import halve_network
    from .int8 import quantize_network
    from .network import BorderReader, cut_network, replace_network

    stages = metadata.stages
    part = cut_network(model, stages)
    if any(node.op_type in ("Loop", "Scan") for node in part.graph.node):
        raise ExportError(
            f"The network of {metadata.spec.name} sees images tile by tile, in a loop, and {precision} is not "
            "made of networks in loops.",
            hint="Export it without --precision.",
        )
    if precision == "fp16":
        return replace_network(model, stages, halve_network(part))
    read = BorderReader(model, part)
    return replace_network(model, stages, quantize_network(part, (read(image) for image in calibration.images)))


def _strip(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' remarks off the terminal; they log through the root logger."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
