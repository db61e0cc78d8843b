"""Every object of an image: found, missed or false."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .metrics import Overlaps, match

__all__ = ["Outcomes", "object_outcomes"]

Kind = Literal["found", "missed", "false"]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outcomes:
    """The objects of one image and structure.

    Attributes:
        true_ids, true_areas: of all true instances, ascending; areas in pixels.
        true_iou: the largest IoU of each with anything that was found; 0 where nothing overlaps it.
        partners: the id of its match; 0 where it is missed.
        false_ids, false_areas: of what was found and matches nothing.
        false_iou: the largest IoU of each of those with a true instance.
    """

    true_ids: Indices
    true_areas: Indices
    true_iou: npt.NDArray[np.float64]
    partners: Indices
    false_ids: Indices
    false_areas: Indices
    false_iou: npt.NDArray[np.float64]

    def rows(self) -> Iterator[tuple[Kind, int, int, int, float]]:
        """Yield kind, id, id of the partner, area and IoU of each: true ones first."""
        for label, partner, area, iou in zip(
            self.true_ids.tolist(),
            self.partners.tolist(),
            self.true_areas.tolist(),
            self.true_iou.tolist(),
            strict=True,
        ):
            yield "found" if partner else "missed", label, partner, area, iou
        for label, area, iou in zip(
            self.false_ids.tolist(), self.false_areas.tolist(), self.false_iou.tolist(), strict=True
        ):
            yield "false", label, 0, area, iou


def object_outcomes(pairs: Overlaps, threshold: float) -> Outcomes:
    """Tell what became of each object.

    Args:
        pairs: the prediction first.
        threshold: smallest IoU of a match.
    """
    chosen = match(pairs, threshold)
    partners = np.zeros(len(pairs.second_ids), dtype=np.int64)
    partners[pairs.second[chosen]] = pairs.first_ids[pairs.first[chosen]]
    true_iou, found_iou = np.zeros(len(pairs.second_ids)), np.zeros(len(pairs.first_ids))
    np.maximum.at(true_iou, pairs.second, pairs.iou)
    np.maximum.at(found_iou, pairs.first, pairs.iou)
    true_iou[pairs.second[chosen]] = pairs.iou[chosen]  # below 0.5 the best partner may be another's
    alone = np.ones(len(pairs.first_ids), dtype=bool)
    alone[pairs.first[chosen]] = False
    return Outcomes(
        true_ids=pairs.second_ids,
        true_areas=pairs.second_areas,
        true_iou=true_iou,
        partners=partners,
        false_ids=pairs.first_ids[alone],
        false_areas=pairs.first_areas[alone],
        false_iou=found_iou[alone],
    )
