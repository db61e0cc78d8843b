"""Two label maps of one image, instance by instance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ..evaluation.metrics import Overlaps, match, overlaps

__all__ = ["FEW_PIXELS", "PPM", "Comparison", "allowed_pixels", "compare_labels", "compare_planes", "compare_values"]

PPM = 10
"""Two runtimes agree when at most this many pixels in a million differ."""

FEW_PIXELS = 3
"""Where 10 pixels in a million are fewer than this, as in all images below 300,000 pixels, this many may differ."""


VALUE_TOLERANCE = 1e-3
"""Largest difference of a float output that is rounding, as a part of the reference's largest value (at least 1)."""


class Comparison(BaseModel):
    """How a runtime's label map compares with the reference's. Counts are over all images of the batch and structures.

    Attributes:
        pixels: of the label map.
        reference_instances, instances: in the reference and in the runtime's map.
        matched_50, matched_99: pairs with an IoU of at least 0.5 and 0.99.
        missing: instances of the reference without a partner at IoU 0.5.
        extra: instances of the runtime without one.
        equal_ids: whether both instances of every matched pair (IoU 0.5) have the same id.
        differing_pixels: pixels with another id.
        differing_after_matching: pixels that still differ once each matched instance has its partner's id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: int
    reference_instances: int
    instances: int
    matched_50: int
    matched_99: int
    missing: int
    extra: int
    equal_ids: bool
    differing_pixels: int
    differing_after_matching: int

    @property
    def ppm(self) -> float:
        """Differing pixels in a million."""
        return 1e6 * self.differing_pixels / self.pixels if self.pixels else 0.0

    @property
    def allowed_pixels(self) -> int:
        """The most pixels that may differ: 10 in a million, or :data:`FEW_PIXELS` in a small image."""
        return allowed_pixels(self.pixels)

    @property
    def same_instances(self) -> bool:
        """Whether every instance has a partner on the other side."""
        return self.missing == 0 and self.extra == 0

    @property
    def agrees(self) -> bool:
        """The same instances under the same ids, and hardly a pixel that differs."""
        return self.same_instances and self.equal_ids and self.differing_pixels <= self.allowed_pixels


def allowed_pixels(pixels: int) -> int:
    """Return how many of so many pixels may differ: 10 in a million, or :data:`FEW_PIXELS` where that is more."""
    return max(FEW_PIXELS, pixels * PPM // 1_000_000)


def compare_labels(reference: npt.NDArray[Any], other: npt.NDArray[Any]) -> Comparison:
    """Compare two label maps.

    Args:
        reference: (B, T, H, W) or (B, T, D, H, W), integer-valued. Ids of different images and structures are apart.
        other: another of the same shape.

    Raises:
        ValueError: the shapes differ, or a label is negative.
    """
    pairs, stride = compare_planes(reference, other, axes=reference.ndim - 2)
    chosen = match(pairs, 0.5)
    same_id = pairs.first_ids[pairs.first[chosen]] % stride == pairs.second_ids[pairs.second[chosen]] % stride
    foreground = int(pairs.first_areas.sum() + pairs.second_areas.sum() - pairs.shared.sum())
    return Comparison(
        pixels=reference.size,
        reference_instances=len(pairs.first_ids),
        instances=len(pairs.second_ids),
        matched_50=len(chosen),
        matched_99=int((pairs.iou[chosen] >= 0.99).sum()),
        missing=len(pairs.first_ids) - len(chosen),
        extra=len(pairs.second_ids) - len(chosen),
        equal_ids=bool(same_id.all()),
        differing_pixels=int((reference != other).sum()),
        differing_after_matching=foreground - int(pairs.shared[chosen].sum()),
    )


def compare_planes(reference: npt.NDArray[Any], other: npt.NDArray[Any], axes: int = 2) -> tuple[Overlaps, int]:
    """Return the overlaps of two label maps with the ids of each plane kept apart, and the id's stride.

    An id in the result modulo the stride is the id in its own plane.

    Args:
        reference: (..., H, W), or (..., D, H, W).
        other: of the same shape.
        axes: of a plane: 2, or 3 for volumes.
    """
    stride = 1 + int(max(reference.max(initial=0), other.max(initial=0)))
    return overlaps(_apart(reference, stride, axes), _apart(other, stride, axes)), stride


def _apart(labels: npt.NDArray[Any], stride: int, axes: int) -> npt.NDArray[np.int64]:
    whole = labels.astype(np.int64)
    planes = whole.reshape(-1, *whole.shape[-axes:])
    offsets = np.arange(len(planes), dtype=np.int64).reshape(-1, *[1] * axes) * stride
    return np.where(planes > 0, planes + offsets, planes).reshape(whole.shape)


def compare_values(reference: npt.NDArray[Any], other: npt.NDArray[Any]) -> str:
    """Return in words how an output beside the label map differs by more than rounding; empty where it does not.

    Args:
        reference: of any shape.
        other: of the runtime that is judged.
    """
    if reference.shape != other.shape:
        return f"it has shape {other.shape}, the reference's {reference.shape}"
    first, second = reference.astype(np.float64), other.astype(np.float64)
    scale = max(1.0, float(np.abs(first[np.isfinite(first)]).max(initial=0.0)))
    far = ~np.isclose(first, second, rtol=0.0, atol=VALUE_TOLERANCE * scale, equal_nan=True)
    allowed = max(FEW_PIXELS, first.size * PPM // 1_000_000) if _whole(first) and _whole(second) else 0
    return f"{int(far.sum())} of {first.size} values differ" if far.sum() > allowed else ""


def _whole(values: npt.NDArray[np.float64]) -> bool:
    """Tell whether values are classes or masks, where a step at a threshold flips one as in a label map."""
    return bool((np.isfinite(values) & (values == np.round(values))).all())
