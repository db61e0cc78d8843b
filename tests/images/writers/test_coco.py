"""Run-length encoding of masks, judged by pycocotools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.images.writers.coco import encode_mask, write_coco


def _masks() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    drawn = [
        generator.random((int(h), int(w))) < p for h, w, p in ((1, 1, 1.0), (1, 9, 0.5), (57, 40, 0.1), (33, 64, 0.9))
    ]
    disc = np.hypot(*np.mgrid[-300:301, -250:251]) < 240
    return [*drawn, disc, np.zeros((7, 5), bool), np.ones((5, 7), bool)]


@pytest.mark.parametrize("mask", _masks(), ids=lambda mask: f"{mask.shape[0]}x{mask.shape[1]}")
def test_codes_are_those_of_pycocotools(mask: np.ndarray) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    expected = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encode_mask(mask) == {"size": expected["size"], "counts": expected["counts"].decode()}


def test_known_code() -> None:
    """By hand: four 0, two 1, three 0 in columns are the characters 4, 2 and 3."""
    mask = np.array([[0, 0, 0], [0, 1, 0], [0, 1, 0]])
    assert encode_mask(mask) == {"size": [3, 3], "counts": "423"}


def test_file_says_which_instance_is_which(tmp_path: Path) -> None:
    masks = np.zeros((2, 6, 8), np.uint8)
    masks[0, 1:4, 2:7] = 1
    masks[1, 3:6, 0:3] = 1
    write_coco(
        tmp_path / "a.json", masks, image="a.png", scores=[0.75, 0.5], categories=[2, 1], names=["cell", "nucleus"]
    )
    content = json.loads((tmp_path / "a.json").read_text())
    assert [(one["id"], one["category_id"], one["area"], one["bbox"]) for one in content["annotations"]] == [
        (1, 2, 15, [2, 1, 5, 3]),
        (2, 1, 9, [0, 3, 3, 3]),
    ]
    assert [one["name"] for one in content["categories"]] == ["cell", "nucleus"]
    coco = pytest.importorskip("pycocotools.mask")
    decoded = [coco.decode(one["segmentation"]) for one in content["annotations"]]
    np.testing.assert_array_equal(np.stack(decoded), masks)
