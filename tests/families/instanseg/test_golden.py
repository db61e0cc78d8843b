"""Faithfulness: exported files against upstream's own outputs on real images, with genuine checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.exported_models import MODELS
from support.golden import GOLDEN, SLOW_ON_LARGE, agreement
from support.paths import VARIANTS

Open = Callable[[str, str], Any]

# Upstream's file accepts min_size and ignores it, and leaves instances in pieces.
AS_UPSTREAM = {"min_size": 0, "connected": False}


def check(labels: np.ndarray, expected: np.ndarray) -> None:
    assert labels.shape == expected.shape
    for found, reference in zip(labels, expected, strict=True):
        instances, pixels = agreement(found, reference)
        assert instances >= 0.999
        assert pixels >= 0.999


@pytest.mark.parametrize("variant", VARIANTS)
def test_references_hold_objects(shared: Path, variant: str) -> None:
    found = [np.load(path)["labels"] for path in (shared / "golden" / variant).glob("*.npz")]
    assert sum(len(np.unique(labels)) - 1 for labels in found) > 100


@pytest.mark.parametrize(("variant", "name"), GOLDEN)
def test_labels_are_upstreams_and_equal_in_both_formats(
    shared: Path, opened: Open, variant: str, name: str, record_property: Callable[[str, object], None]
) -> None:
    reference = np.load(shared / "golden" / variant / f"{name}.npz")
    image = reference["input"][None]
    labels = {target: opened(variant, target)(image, **AS_UPSTREAM) for target in MODELS}
    for found in labels.values():
        check(found[0], reference["labels"])

    first, second = labels.values()
    differing = 1e6 * float((first != second).mean())
    record_property("ppm between torchscript and onnx", differing)
    assert differing <= 10
    for structure in range(first.shape[1]):
        np.testing.assert_array_equal(np.unique(first[:, structure]), np.unique(second[:, structure]))


@pytest.mark.parametrize(("variant", "name"), SLOW_ON_LARGE)
@pytest.mark.parametrize("target", MODELS)
def test_labels_without_cleanup_are_upstreams(shared: Path, opened: Open, variant: str, name: str, target: str) -> None:
    reference = np.load(shared / "golden" / variant / f"{name}.npz")
    labels = opened(variant, target)(reference["input"][None], cleanup_fragments=False, **AS_UPSTREAM)
    check(labels[0], reference["labels_no_cleanup"])


@pytest.mark.parametrize(
    ("variant", "name"), [case for case in SLOW_ON_LARGE if case.values[0] == "nuclei_cells_channelnet"]
)
@pytest.mark.parametrize("target", MODELS)
def test_unmatched_nuclei_and_cells_are_upstreams(
    shared: Path, opened: Open, variant: str, name: str, target: str
) -> None:
    reference = np.load(shared / "golden" / variant / f"{name}.npz")
    labels = opened(variant, target)(reference["input"][None], resolve_cell_and_nucleus=False, **AS_UPSTREAM)
    check(labels[0], reference["labels_no_resolve"])


def test_instance_norm_of_a_flat_image_is_as_accurate_in_onnx(shared: Path, opened: Open) -> None:
    """A variance by the mean square less the squared mean is off by a hundredth here."""
    image = np.load(shared / "golden" / "nuclei_cells_channelnet" / "dsb_2cfa61bef654.npz")["input"][None]
    first, second = (opened("nuclei_cells_channelnet", target).stages(image)["network"] for target in MODELS)
    np.testing.assert_allclose(first, second, atol=5e-4, rtol=0)
