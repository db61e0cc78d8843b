"""Which files of a model are of reduced precision, what each is compared with, and on which images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..targets import TARGETS, require_metadata
from ..targets.quantization import REDUCED
from .fixed_sizes import fitted
from .quantization import Labels, PrecisionFiles

__all__ = ["precision_files"]

Image = npt.NDArray[Any]


def precision_files(
    find: Callable[[str], Path | None],
    images: Sequence[Image],
    source: str,
    labelled: Sequence[tuple[Image, Labels]] = (),
    *,
    overridden: bool = False,
) -> list[PrecisionFiles]:
    """Return what is to be compared: the files of each format with the fp32 file that they are made of.

    Files that take images of one size only are given images cut or mirrored to it, and true label maps cut alike.

    Args:
        find: returns the file of a name; None where there is none.
        images: (C, H, W) each, of any size; without labels.
        source: what they are, in plain words.
        labelled: pairs of an image (C, H, W) and its true label maps (T, H, W), both of any one size.
        overridden: whether settings are, for which formats that fix them have no files.

    Raises:
        PackageError: a file is damaged, or was not written by this package.
    """
    sets = []
    for reference in dict.fromkeys(one.reference for one in REDUCED):
        alike = [one for one in REDUCED if one.reference == reference]
        fp32 = find(reference)
        files = {one.precision: file for one in alike if (file := find(one.filename)) is not None}
        if fp32 is None or not files or (overridden and not TARGETS.get(alike[0].target).overridable):
            continue
        shape = require_metadata(fp32).image_shape
        if shape is None:
            sets.append(PrecisionFiles(fp32, files, images, source, labelled))
            continue
        sets.append(
            PrecisionFiles(
                fp32,
                files,
                [fitted(image, shape[1:]) for image in images],
                f"{source}, each cut or mirrored to {' x '.join(map(str, shape[2:]))} pixels",
                [(fitted(image, shape[1:]), _cut(labels, shape[2:])) for image, labels in labelled],
            )
        )
    return sets


def _cut(labels: Labels, size: tuple[int, ...]) -> Labels:
    return np.ascontiguousarray(labels[:, : size[0], : size[1]])
