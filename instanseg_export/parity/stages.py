"""Which stage of the forward is the first to differ between two runtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from .compare import FEW_PIXELS, compare_labels, compare_values

__all__ = ["TOLERANCES", "StageDifference", "Stages", "compare_stages", "first_difference"]

Stages = Mapping[str, npt.NDArray[Any]]
"""Intermediate results of the forward, by name."""

TOLERANCES = {"normalize": 1e-4, "network": 1e-3}
"""Largest difference of a float stage that is rounding, as a part of the reference's largest value (at least 1).
Floats are rounded to 6e-8; summed over the layers of a network, CPUs and GPUs differ by about 1e-5.

All other stages are exact, but for what such rounding can do at a threshold: see ``StageDifference.tolerable``."""


class StageDifference(BaseModel):
    """One stage in two runtimes.

    Attributes:
        stage: its name.
        same: within the tolerance for floats, else equal.
        tolerable: whether the two may differ like this and still agree: floats within their tolerance, no seed at all,
            and a few pixels at a threshold, in label maps, in masks and in the counts of a mask's pixels.
        maximum: the largest difference of an element; None where shapes differ or a NaN or infinity stands on one side.
        detail: the difference in words; empty where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    same: bool
    tolerable: bool = True
    maximum: float | None
    detail: str = ""


def compare_stages(reference: Stages, other: Stages) -> list[StageDifference]:
    """Compare the stages that both sides have, in the order of the reference, which is that of the forward.

    Args:
        reference: stage name to array; see ``families.base.SegmentationForward.stage_names``.
        other: the same of another runtime.
    """
    return [_compare(stage, reference[stage], other[stage]) for stage in reference if stage in other]


def first_difference(stages: Sequence[StageDifference]) -> str | None:
    """Return the name of the first stage that is not the same, or None."""
    return next((stage.stage for stage in stages if not stage.same), None)


def _compare(stage: str, reference: npt.NDArray[Any], other: npt.NDArray[Any]) -> StageDifference:
    if reference.shape != other.shape:
        if stage in ("seeds", "cluster"):
            detail = f"{len(other)} seeds, the reference has {len(reference)}"
        else:
            detail = f"shape {other.shape}, the reference has {reference.shape}"
        return StageDifference(stage=stage, same=False, tolerable=False, maximum=None, detail=detail)
    maximum = _largest_difference(reference, other)
    if stage in TOLERANCES:
        finite = reference[np.isfinite(reference)]
        scale = max(1.0, float(np.abs(finite).max(initial=0.0)))
        same = maximum is not None and maximum <= TOLERANCES[stage] * scale
        words = (
            "not finite on one side only" if maximum is None else f"by up to {maximum:.3g}, of values up to {scale:.3g}"
        )
        detail = words if maximum != 0 else ""
        return StageDifference(stage=stage, same=same, tolerable=same, maximum=maximum, detail=detail)
    # A few pixels on a threshold may differ in the final labels, as in any two runs that agree.
    same = compare_labels(reference, other).agrees if stage == "labels" else maximum == 0
    elements = int((reference != other).sum())
    detail = f"{elements} of {reference.size} values differ" if elements else ""
    tolerable = same or (stage not in ("labels", "seeds") and _few_pixels(stage, reference, other))
    return StageDifference(stage=stage, same=same, tolerable=tolerable, maximum=maximum, detail=detail)


def _few_pixels(stage: str, reference: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    if stage == "cluster":  # pixels of each seed's mask
        return bool(np.abs(reference.astype(np.float64) - other).sum() <= FEW_PIXELS)
    return not compare_values(reference, other)


def _largest_difference(reference: npt.NDArray[Any], other: npt.NDArray[Any]) -> float | None:
    if reference.size == 0:
        return 0.0
    first, second = reference.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.abs(first - second)
    difference[(first == second) | (np.isnan(first) & np.isnan(second))] = 0.0
    largest = float(difference.max())
    return largest if np.isfinite(largest) else None
