"""Ten thousand random images through both formats: the same cells, in every one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from instanseg_export.parity.compare import compare_labels
from support.exported_models import OnnxModel, TorchScriptModel
from support.figures import tell

pytestmark = pytest.mark.campaign

IMAGES = 10_000
PARTS = 10


def random_image(rng: np.random.Generator) -> np.ndarray:
    """Any size from 1 pixel on, any range, and whatever people's images hold: (1, 3, H, W) float32."""
    height, width = (int(size) for size in np.exp(rng.uniform(0, np.log(160), 2)).round())
    kind = rng.choice(["blobs", "noise", "flat", "steps", "gaps"], p=[0.6, 0.15, 0.05, 0.1, 0.1])
    planes = rng.normal(0, 1, (3, height, width))
    if kind != "noise":
        planes = ndimage.gaussian_filter(planes, (0, *rng.uniform(1, 6, 2)))
        planes /= np.abs(planes).max() + 1e-9
    if kind == "blobs":
        rows, columns = np.mgrid[:height, :width]
        for _ in range(int(rng.integers(0, max(height * width // 150, 2)))):
            centre = rng.uniform(0, 1, 2) * (height, width)
            radius = rng.uniform(2, 10)
            inside = np.hypot(rows - centre[0], columns - centre[1]) < radius
            planes[:, inside] += rng.uniform(-1, 2, (3, 1))
    if kind == "flat":
        planes[:] = rng.uniform(-3, 3)
    if kind == "steps":
        planes = np.round(planes * rng.integers(1, 5))
    image: np.ndarray = (planes * 10.0 ** rng.uniform(-3, 4) + rng.uniform(-2, 300)).astype(np.float32)
    if kind == "gaps":
        image[rng.random(image.shape) < rng.uniform(0, 0.3)] = rng.choice([np.nan, np.inf, -np.inf, 0, 65535])
    return image[None]


@pytest.fixture(scope="module")
def models(demo_package: Path) -> tuple[TorchScriptModel, OnnxModel]:
    return TorchScriptModel(demo_package), OnnxModel(demo_package)


@pytest.mark.parametrize("part", range(PARTS))
def test_random_images(models: tuple[Any, Any], part: int, record_property: Callable[[str, object], None]) -> None:
    scripted, exported = models
    instances = pixels = differing = 0
    failed = []
    for number in range(part * IMAGES // PARTS, (part + 1) * IMAGES // PARTS):
        image = random_image(np.random.default_rng(number))
        comparison = compare_labels(scripted(image).astype(np.int64), exported(image).astype(np.int64))
        instances += comparison.reference_instances
        pixels += comparison.pixels
        differing += comparison.differing_pixels
        if not comparison.agrees:
            failed.append((number, image.shape, comparison))
    figures = {"disagree": len(failed), "objects": instances, "pixels": pixels, "pixels that differ": differing}
    tell(record_property, "Random images through TorchScript and ONNX", IMAGES // PARTS, figures)
    assert instances > IMAGES // PARTS, "the images must hold something that can differ"
    assert failed == []
