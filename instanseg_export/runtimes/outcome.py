"""What became of one image in one runtime, and how its results are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InstansegExportError, PackageError
from ..metadata import INCOMPLETE, LABELS, SEED_COUNT
from ..untrusted.arrays import read_npz
from ..untrusted.boundary import plain

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What became of one image in one runtime.

    Attributes:
        error: why there is no result; empty when there is one.
        out_of_memory: whether that is because there was not enough memory; neither file nor image is at fault.
        unavailable: the machine or the format lacks what was asked for; neither file nor image is at fault.
        output: the npz with the result.
        image: shape of the image (B, C, [D,] H, W), which the label map has to fit; empty where nobody says.
        version, device, load_s, run_s, peak_mb: as the program reported them.
        split_s: seconds of "normalisation" and "network" in one run, where that was asked for and can be told.
        not_split: why it cannot.
    """

    error: str = ""
    out_of_memory: bool = False
    unavailable: bool = False
    output: Path | None = None
    image: tuple[int, ...] = ()
    version: str = ""
    device: str = ""
    load_s: float = 0.0
    run_s: tuple[float, ...] = ()
    peak_mb: float | None = None
    split_s: Mapping[str, float] | None = None
    not_split: str = ""

    def labels(self) -> npt.NDArray[np.int64]:
        """Return the label map (B, T, H, W), or (B, T, D, H, W) of volumes.

        Raises:
            ValueError: the output is damaged, or is no label map.
        """
        labels = self._read(lambda name: name == LABELS).get(LABELS)
        if labels is None:
            raise ValueError(f"its output has no {LABELS}")
        if labels.ndim not in (4, 5) or labels.dtype.kind not in "fiu":
            raise ValueError(f"its {LABELS} is {labels.dtype} {labels.shape}, not a label map (B, T, [D,] H, W)")
        if self.image and (labels.shape[0], *labels.shape[2:]) != (self.image[0], *self.image[2:]):
            raise ValueError(f"its label map has shape {labels.shape} for an image of shape {self.image}")
        whole: npt.NDArray[np.int64] = np.zeros(labels.shape, dtype=np.int64)
        with np.errstate(invalid="ignore"):
            whole[...] = labels
        if not np.array_equal(whole, labels) or (whole < 0).any():
            raise ValueError(f"its {LABELS} holds values that are not whole numbers from 0 on")
        return whole

    def further(self) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs beside the label map, by name, without those of :meth:`incomplete`.

        Raises:
            ValueError: the output is damaged.
        """
        known = (LABELS, SEED_COUNT, INCOMPLETE)
        return self._read(lambda name: name not in known and not name.startswith("stage."))

    def incomplete(self) -> tuple[str, bool]:
        """Return why a file of a fixed capacity could not find all, and whether whole objects may be missing.

        The words are empty where it could.

        Raises:
            ValueError: the output is damaged.
        """
        found = self._read(lambda name: name in (SEED_COUNT, INCOMPLETE))
        flags = int(found[INCOMPLETE].max()) if INCOMPLETE in found and found[INCOMPLETE].size else 0
        if flags & 1:
            seeds = int(found[SEED_COUNT].max()) if SEED_COUNT in found else 0
            return f"the image has {seeds:,} seeds, more than the file has room for", True
        if flags & 2:
            return (
                "some masks are so winding, or so many over one another, that the file's fixed steps end before",
                False,
            )
        return "", False

    def stages(self) -> dict[str, npt.NDArray[Any]]:
        """Return the intermediate results, by the name of their stage.

        Raises:
            ValueError: the output is damaged.
        """
        found = self._read(lambda name: name.startswith("stage."))
        return {name.removeprefix("stage."): value for name, value in found.items()}

    def _read(self, wanted: Callable[[str], bool]) -> dict[str, npt.NDArray[Any]]:
        if self.output is None:
            raise ValueError(self.error)
        try:
            return read_npz(self.output, wanted, PackageError)
        except InstansegExportError as error:
            # The file is a temporary one, whose place means nothing to anybody.
            fact = error.message.replace(str(self.output), "it").rstrip(".")
            raise ValueError(f"its output cannot be read: {plain(fact)}") from error
