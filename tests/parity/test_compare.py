"""The rule of agreement, instance by instance, and the names of defects, on label maps worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from instanseg_export.parity.compare import compare_labels
from instanseg_export.parity.defects import find_shift, name_defect
from instanseg_export.parity.stages import TOLERANCES, compare_stages, first_difference

Labels = NDArray[np.int64]


def grid(count: int = 16, size: int = 200) -> Labels:
    """``count`` squares of 20 x 20 pixels at ragged places, (1, 1, size, size)."""
    labels = np.zeros((1, 1, size, size), dtype=np.int64)
    for index in range(count):
        row, column = 8 + 45 * (index // 4) + 3 * (index % 3), 6 + 45 * (index % 4) + 5 * (index // 5)
        labels[0, 0, row : row + 20, column : column + 20] = index + 1
    return labels


def defect_of(reference: Labels, other: Labels) -> str:
    return name_defect(reference, other, compare_labels(reference, other))


def test_equal_maps_agree() -> None:
    comparison = compare_labels(grid(), grid())
    assert comparison.agrees
    assert (comparison.reference_instances, comparison.matched_50, comparison.matched_99) == (16, 16, 16)
    assert (comparison.missing, comparison.extra, comparison.differing_pixels, comparison.ppm) == (0, 0, 0, 0.0)


def test_a_few_pixels_may_differ_and_no_more() -> None:
    reference, other = grid(), grid()
    other[0, 0, 0, :3] = other.max()  # far from the instance, but of it
    comparison = compare_labels(reference, other)
    assert (comparison.differing_pixels, comparison.allowed_pixels) == (3, 3)
    assert comparison.ppm == pytest.approx(75.0)
    assert comparison.agrees
    other[0, 0, 1, 1] = other.max()
    assert not compare_labels(reference, other).agrees
    assert defect_of(reference, other) == "the outlines differ in 4 pixels"


def test_in_a_large_image_ten_pixels_in_a_million_may_differ() -> None:
    reference = np.ones((1, 1, 1000, 1000), dtype=np.int64)
    other = reference.copy()
    other[0, 0, 0, :10] = 0
    assert compare_labels(reference, other).agrees
    other[0, 0, 0, 10] = 0
    assert not compare_labels(reference, other).agrees


def test_an_instance_that_is_gone_never_agrees_however_small() -> None:
    reference = np.zeros((1, 1, 1000, 1000), dtype=np.int64)
    reference[0, 0, 5, 5] = 1
    comparison = compare_labels(reference, np.zeros_like(reference))
    assert comparison.differing_pixels < comparison.allowed_pixels
    assert not comparison.agrees
    assert defect_of(reference, np.zeros_like(reference)) == "1 instance is missing"


def test_ids_of_images_and_structures_are_apart() -> None:
    one = np.concatenate([grid(), grid()], axis=1)
    swapped = one.copy()
    swapped[0, 1] = np.where(one[0, 1] == 1, 2, np.where(one[0, 1] == 2, 1, one[0, 1]))
    comparison = compare_labels(one, swapped)
    assert comparison.reference_instances == comparison.matched_99 == 32
    assert not comparison.equal_ids
    assert comparison.differing_after_matching == 0
    assert comparison.differing_pixels == 800
    assert defect_of(one, swapped) == "the same instances under permuted ids"
    assert compare_labels(np.concatenate([grid(), grid()]), np.concatenate([grid(), grid()])).agrees


@pytest.mark.parametrize("shift", [(0, 1), (3, -2), (-50, 60), (0, -1)])
def test_a_shift_is_found_with_its_direction(shift: tuple[int, int]) -> None:
    reference, other = grid(), np.zeros_like(grid())
    dy, dx = shift
    other[..., max(0, dy) : 200 + min(0, dy), max(0, dx) : 200 + min(0, dx)] = reference[
        ..., max(0, -dy) : 200 - max(0, dy), max(0, -dx) : 200 - max(0, dx)
    ]
    assert defect_of(reference, other) == f"labels are shifted by ({dy}, {dx})"
    assert find_shift(reference, reference) is None


def test_missing_and_surplus_instances_are_counted() -> None:
    reference, other = grid(), grid()
    other[other == 3] = 0
    other[other == 9] = 0
    assert defect_of(reference, other) == "2 instances are missing"
    assert defect_of(other, reference) == "2 instances are too many"
    other[0, 0, 190:, 190:] = 99
    assert defect_of(reference, other) == "2 instances are missing and 1 instance is too many"


def test_dropping_one_and_closing_the_gap_is_a_missing_instance() -> None:
    reference = grid()
    other = np.where(reference == 4, 0, np.where(reference > 4, reference - 1, reference))
    comparison = compare_labels(reference, other)
    assert (comparison.missing, comparison.matched_99, comparison.equal_ids) == (1, 15, False)
    assert defect_of(reference, other) == "1 instance is missing"


def test_merged_neighbours_are_a_missing_instance() -> None:
    reference, other = grid(), grid()
    other[other == 2] = 1
    comparison = compare_labels(reference, other)
    assert comparison.matched_50 == 15  # the union has an IoU of exactly 0.5 with one of the two
    assert not comparison.agrees


small = st.lists(st.integers(0, 3), min_size=30, max_size=30).map(lambda v: np.array(v).reshape(1, 1, 5, 6))


@settings(max_examples=100, deadline=None)
@given(first=small, second=small)
def test_comparing_is_symmetric_and_complete(first: Labels, second: Labels) -> None:
    there, back = compare_labels(first, second), compare_labels(second, first)
    assert there.agrees == back.agrees
    assert (there.missing, there.extra, there.matched_50) == (back.extra, back.missing, back.matched_50)
    assert there.matched_50 + there.missing == there.reference_instances
    assert there.differing_after_matching <= np.count_nonzero(first | second)
    if not there.agrees:
        assert name_defect(first, second, there)


def stages() -> dict[str, NDArray[np.float64 | np.int64]]:
    network = np.linspace(-40, 40, 600).reshape(1, 1, 20, 30)
    return {
        "normalize": network / 40,
        "network": network,
        "seeds": np.array([[0, 3, 4], [0, 9, 1]]),
        "cluster": np.array([5.0, 6.0]),
        "labels": grid(1, 30),
    }


def test_the_first_stage_that_differs_is_named() -> None:
    reference = stages()
    assert first_difference(compare_stages(reference, stages())) is None
    later = stages() | {"cluster": np.array([5.0, 7.0]), "labels": grid(0, 30)}
    differences = compare_stages(reference, later)
    assert first_difference(differences) == "cluster"
    assert [row.stage for row in differences if not row.same] == ["cluster", "labels"]
    fewer = stages() | {"seeds": np.array([[0, 3, 4]])}
    assert first_difference(compare_stages(reference, fewer)) == "seeds"
    assert "1 seeds, the reference has 2" in {row.detail for row in compare_stages(reference, fewer)}


LATER = {
    "a seed elsewhere": ("seeds", np.array([[0, 3, 5], [0, 9, 1]]), False),
    "a seed less": ("seeds", np.array([[0, 3, 4]]), False),
    "a pixel of a mask": ("cluster", np.array([5.0, 7.0]), True),
    "many pixels of a mask": ("cluster", np.array([5.0, 16.0]), False),
    "a class": ("detection_classes", np.array([1.0, 2.0, 3.0]), True),
    "rounding of a score": ("instance_scores", np.array([0.5, 0.25 + 1e-6]), True),
    "another score": ("instance_scores", np.array([0.5, 0.26]), False),
    "other labels": ("labels", np.zeros((1, 1, 30, 30)), False),
}


@pytest.mark.parametrize("name", LATER)
def test_what_rounding_at_a_threshold_can_do_is_tolerable_and_no_more(name: str) -> None:
    stage, value, tolerable = LATER[name]
    reference = stages() | {"detection_classes": np.array([1.0, 2.0, 2.0]), "instance_scores": np.array([0.5, 0.25])}
    other = reference | {stage: value if stage != "labels" else np.zeros_like(reference["labels"])}
    (found,) = (row for row in compare_stages(reference, other) if row.stage == stage)
    assert not found.same
    assert found.tolerable == tolerable


def test_rounding_is_no_difference_but_is_reported() -> None:
    reference: dict[str, Any] = stages()
    other: dict[str, Any] = stages()
    other["network"] = other["network"] + 0.5 * 40 * TOLERANCES["network"]
    (network,) = (row for row in compare_stages(reference, other) if row.stage == "network")
    assert network.same
    assert network.maximum == pytest.approx(0.02)
    other["network"] = other["network"] + 40 * TOLERANCES["network"]
    assert first_difference(compare_stages(reference, other)) == "network"


def test_nan_on_one_side_is_a_difference_and_on_both_is_none() -> None:
    reference, other = stages(), stages()
    other["normalize"] = other["normalize"].copy()
    other["normalize"][0, 0, 0, 0] = np.nan
    assert first_difference(compare_stages(reference, other)) == "normalize"
    assert first_difference(compare_stages(other, other)) is None
