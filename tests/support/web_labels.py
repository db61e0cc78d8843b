"""What Python finds in an image, to compare a page with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import instanseg_export

__all__ = ["by_python"]


def by_python(model: Path, image: Path, folder: Path, **options: Any) -> np.ndarray:
    """The label maps (T, H, W) that ``run`` writes."""
    result = instanseg_export.run(model, image, output=folder, runtime="onnxruntime", **options)
    labels = tifffile.imread(result.labels)
    return np.asarray(labels if labels.ndim == 3 else labels[None])
