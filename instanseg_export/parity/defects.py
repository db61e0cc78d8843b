"""A name, in plain words, for what is wrong with a label map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .compare import Comparison
from .stages import StageDifference, first_difference

__all__ = ["find_shift", "name_defect"]

Labels = npt.NDArray[Any]


def name_defect(
    reference: Labels, other: Labels, comparison: Comparison, stages: Sequence[StageDifference] = ()
) -> str:
    """Say what distinguishes two label maps that disagree.

    Args:
        reference: (B, T, H, W).
        other: another of the same shape.
        comparison: of the two.
        stages: of the two, if both runtimes could give them.
    """
    by_name = {stage.stage: stage for stage in stages}
    first = first_difference(stages)
    if first == "normalize":
        return f"an overall different normalisation ({by_name['normalize'].detail})"
    if first == "network":
        return f"the weights drifted: the network's output differs from the same input {by_name['network'].detail}"
    return _name_labels(reference, other, comparison)


def _name_labels(reference: Labels, other: Labels, comparison: Comparison) -> str:
    if comparison.differing_after_matching == 0:
        return "the same instances under permuted ids"
    shift = find_shift(reference, other)
    if shift:
        return f"labels are shifted by ({shift[0]}, {shift[1]})"
    missing = f"{_count(comparison.missing)} missing"
    extra = f"{_count(comparison.extra)} too many"
    if comparison.missing and comparison.extra:
        return f"{missing} and {extra}"
    if comparison.missing or comparison.extra:
        return missing if comparison.missing else extra
    ids = "" if comparison.equal_ids else " and their ids are permuted"
    return f"the outlines differ in {comparison.differing_after_matching} pixels{ids}"


def _count(number: int) -> str:
    return "1 instance is" if number == 1 else f"{number} instances are"


def find_shift(reference: Labels, other: Labels) -> tuple[int, int] | None:
    """Return (rows, columns) by which ``other`` is the reference moved, or None.

    The best shift of the foregrounds, by their circular cross-correlation, must make 99.9 % of the foreground's labels
    in the common part equal.

    Args:
        reference: (..., H, W).
        other: another of the same shape.
    """
    height, width = reference.shape[-2:]
    first, second = reference.reshape(-1, height, width), other.reshape(-1, height, width)
    spectrum = np.fft.rfft2(second > 0) * np.conj(np.fft.rfft2(first > 0))
    correlation = np.fft.irfft2(spectrum.sum(axis=0), s=(height, width))
    row, column = (int(place) for place in np.unravel_index(int(correlation.argmax()), correlation.shape))
    for dy in (row, row - height):
        for dx in (column, column - width):
            if (dy or dx) and _is_shifted(first, second, dy, dx):
                return dy, dx
    return None


def _is_shifted(first: Labels, second: Labels, dy: int, dx: int) -> bool:
    height, width = first.shape[-2:]
    before = first[:, max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
    after = second[:, max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
    foreground = (before > 0) | (after > 0)
    return bool(foreground.any()) and float((before == after)[foreground].mean()) >= 0.999
