"""What a file found in all images, held against the label maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .labelled import Labelled
from .metrics import overlaps
from .objects import object_outcomes
from .records import ImageScores
from .scoring import METRICS, CountsAt, count_all, image_value
from .tables import ObjectRow

__all__ = ["ScoredFile"]

Labels = npt.NDArray[np.int64]


@dataclass
class ScoredFile:
    """Collects what one file found, image by image, in their order.

    Attributes:
        key: of the file.
        structures: that are evaluated.
        iou: the chosen threshold.
        counts: of each structure, by image; None where the file did not segment it.
        rows: figures of each image and structure.
        objects: all true and all false ones.
    """

    key: str
    structures: Sequence[str]
    iou: float
    counts: dict[str, list[CountsAt | None]] = field(default_factory=dict)
    rows: list[ImageScores] = field(default_factory=list)
    objects: list[ObjectRow] = field(default_factory=list)

    def add(self, image: Labelled, found: Labels, truth: Labels) -> None:
        """Score one image.

        Args:
            image: which one.
            found: what the file found, (T, [D,] H, W).
            truth: the label map, alike.
        """
        if found.shape != truth.shape:
            self.fail(image, f"it gave a label map of {found.shape}, and the true one has {truth.shape}")
            return
        for structure, one, true in zip(self.structures, found, truth, strict=True):
            pairs = overlaps(one, true)
            counts = count_all(pairs, self.iou)
            self.counts.setdefault(structure, []).append(counts)
            self.rows.append(
                ImageScores(
                    file=self.key,
                    image=image.pair.name,
                    structure=structure,
                    true=len(pairs.second_ids),
                    found=len(pairs.first_ids),
                    matched=counts[self.iou].true_positives,
                    scores={metric.key: image_value(metric, counts, self.iou) for metric in METRICS},
                )
            )
            self.objects += [
                (self.key, image.pair.name, structure, kind, label, partner, area, iou)
                for kind, label, partner, area, iou in object_outcomes(pairs, self.iou).rows()
            ]

    def fail(self, image: Labelled, why: str) -> None:
        """Note an image that was not segmented."""
        for structure, true in zip(self.structures, image.objects, strict=True):
            self.counts.setdefault(structure, []).append(None)
            self.rows.append(ImageScores(file=self.key, image=image.pair.name, structure=structure, true=true, why=why))
