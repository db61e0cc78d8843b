"""An image with a name, to be run in every runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FloatImage", "NamedImage"]

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NamedImage:
    """An image to run.

    Attributes:
        name: unique in a report.
        array: (C, H, W), or (B, C, H, W) for a batch; with D before H for volumes; any real type, raw range.
        note: what it is, or what it tests.
        sample: a picture of something rather than a corner case: reports show it even where all agree.
        dimensions: 2, or 3 for a volume.
        notes: what its reader assumed or converted, as sentences.
        expected: the label map (B, T, [D,] H, W) that its publisher states; None where nobody does.
    """

    name: str
    array: npt.NDArray[Any]
    note: str = ""
    sample: bool = False
    dimensions: int = 2
    notes: tuple[str, ...] = ()
    expected: npt.NDArray[Any] | None = None

    def batch(self) -> FloatImage:
        """Return it as float32 (B, C, [D,] H, W).

        Raises:
            ValueError: it has fewer or more axes, or one that is empty.
        """
        full = self.dimensions + 2
        array = self.array if self.array.ndim == full else self.array[None]
        if array.ndim != full or 0 in array.shape:
            expected = "(C, H, W) or (B, C, H, W)" if self.dimensions == 2 else "(C, D, H, W) or (B, C, D, H, W)"
            raise ValueError(f"the image {self.name} has shape {self.array.shape}, not {expected}")
        return np.ascontiguousarray(array, dtype=np.float32)
