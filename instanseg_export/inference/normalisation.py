"""Raw or normalised: decided for the whole image, which the model's file cannot tell from a tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import SpecError, UnknownNameError
from ..images.image import Array
from ..metadata import ModelMetadata
from .model import PERCENTILES, Ready

__all__ = ["decide", "is_standard", "is_standardised", "is_unit_range", "percentiles_of", "stretch"]

_TOLERANCE = 0.01


def decide(ready: Ready, planes: Array) -> tuple[str, str]:
    """Tell how the model is to take an image, as a value of its setting ``normalize``, and why in one sentence.

    A raw image is normalised, always, whatever its range: a file by itself takes an image between 0 and 1 as
    normalised, and so misreads raw intensities that another program divided by 65,535. An image is taken as normalised
    only if the user says so, or if it shows: each channel's 0.1 and 99.9 percentiles are 0 and 1.

    Args:
        ready: the model.
        planes: (C, ...), the channels that it will see, as they were read.

    Returns:
        "always" or "never", or what the user wants or the file fixes; and the sentence.
    """
    if "normalize" in ready.fixed:
        baked = str(ready.value("normalize"))
        return baked, f"Intensities: normalize={baked}, which {ready.file.name} has fixed at export."
    if ready.normalize is not None:
        return ready.normalize, f"Intensities: normalize={ready.normalize}, as asked for."
    if not is_standard(ready) and planes.dtype.kind == "f" and _is_normalised(planes):
        return "never", (
            "Intensities: each channel goes from 0 to 1 by its 0.1 and 99.9 percentiles already, so that the image is "
            "taken as normalised (normalize=never)."
        )
    return "always", f"Intensities: the image is raw ({planes.dtype}), so that it is normalised (normalize=always)."


def is_standard(ready: Ready) -> bool:
    """Tell whether a model brings all channels together to mean 0 and standard deviation 1."""
    return is_standardised(ready.metadata)


def is_standardised(metadata: ModelMetadata | None) -> bool:
    """Tell of what a file says of itself whether its model brings channels to mean 0 and standard deviation 1."""
    return metadata is not None and metadata.spec.whole().get("normalization") == "standard"


def percentiles_of(metadata: ModelMetadata | None, file: Path) -> tuple[float, float]:
    """Return the percentiles by which the family of a file normalises.

    Asks the family; a file runs also where its family is not installed or its description does not fit.
    """
    from ..checkpoints.single_file import parse_spec
    from ..families.registry import FAMILIES

    if metadata is None:
        return PERCENTILES
    try:
        return FAMILIES.get(parse_spec(metadata.spec.whole(), file).family).percentiles
    except (SpecError, UnknownNameError):
        return PERCENTILES


def _is_normalised(planes: Array) -> bool:
    for channel in planes:
        values = channel[np.isfinite(channel)]
        if values.size == 0:
            return False
        low, high = np.percentile(values, PERCENTILES)
        if not is_unit_range(low, high):
            return False
    return True


def is_unit_range(low: float, high: float) -> bool:
    """Tell whether two percentiles of a channel are 0 and 1, as those of a normalised image are."""
    return bool(abs(low) <= _TOLERANCE and abs(high - 1) <= _TOLERANCE)


def stretch(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bring each channel's 0.1 and 99.9 percentiles to 0 and 1, for files that do not normalise by themselves.

    Args:
        image: (C, ...); what is no finite number becomes its channel's smallest value.
    """
    result = np.empty_like(image)
    for channel, out in zip(image, result, strict=True):
        finite = np.isfinite(channel)
        values = channel[finite]
        if values.size == 0:
            out[...] = 0
            continue
        low, high = np.percentile(values, PERCENTILES)
        out[...] = (np.where(finite, channel, values.min()) - low) / max(high - low, 1e-6)
    return result
