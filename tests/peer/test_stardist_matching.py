"""Figures against StarDist's matching, with which the papers computed theirs, on drawn and on real label maps."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from instanseg_export.evaluation.metrics import Counts, count_pairs, overlaps
from instanseg_export.evaluation.scoring import THRESHOLDS
from support.planted_shapes import shapes

matching = pytest.importorskip("stardist.matching", reason="needs StarDist: pip install '.[peer]'")

pytestmark = pytest.mark.peer

Labels = NDArray[np.int64]
LOW = (0.1, 0.25, 0.4)
"""Here an instance may have several partners, and they have to be assigned."""


def damaged(truth: Labels, seed: int) -> Labels:
    """A prediction: eaten at, split, merged, missing and false objects."""
    random = np.random.default_rng(seed)
    ids = np.unique(truth[truth > 0])
    found = np.where(random.random(truth.shape) < random.uniform(0.6, 1), truth, 0)
    if len(ids) > 4:
        gone, merged, split = random.choice(ids, 3, replace=False)
        found[found == gone] = 0
        found[found == merged] = ids[0]
        half = np.indices(truth.shape)[0] % 2 == 0
        found[(found == split) & half] = ids.max() + 1
    moved = np.roll(found, random.integers(-3, 4, 2), axis=(0, 1))
    return np.asarray(moved, dtype=np.int64)


def assert_equal(found: Labels, truth: Labels) -> None:
    pairs = overlaps(found, truth)
    total = Counts()
    for threshold in (*LOW, *THRESHOLDS):
        ours = count_pairs(pairs, threshold)
        theirs = matching.matching(truth, found, thresh=threshold)
        assert (ours.true_positives, ours.false_positives, ours.false_negatives) == (theirs.tp, theirs.fp, theirs.fn)
        for mine, other in (
            (ours.precision, theirs.precision),
            (ours.recall, theirs.recall),
            (ours.f1, theirs.f1),
            (ours.ap_dsb, theirs.accuracy),
        ):
            # Where there is nothing to divide by, StarDist says 0.
            assert np.nan_to_num(mine) == pytest.approx(other, abs=1e-6)
        quality = float(np.nan_to_num(ours.segmentation_quality)), float(np.nan_to_num(ours.panoptic_quality))
        if threshold >= 0.5:
            assert quality == pytest.approx((theirs.mean_matched_score, theirs.panoptic_quality), abs=1e-6)
        else:
            # There, StarDist's choice among equally many matches also looks at pairs that are none; ours looks at the
            # matches alone, whose sum of IoU cannot be lower then.
            assert quality >= (theirs.mean_matched_score - 1e-6, theirs.panoptic_quality - 1e-6)
        total += ours
    assert total.true_positives > 0


@pytest.mark.parametrize("seed", range(12))
def test_drawn(seed: int) -> None:
    truth = shapes((90, 100), seed, 0.2 + 0.05 * seed, 2.0, 30 + 10 * seed).astype(np.int64)
    assert_equal(damaged(truth, seed), truth)


def test_data_sets_pooled() -> None:
    truths = [shapes((90, 100), seed, 0.5, 2.0, 60).astype(np.int64) for seed in range(5)]
    founds = [damaged(truth, seed) for seed, truth in enumerate(truths)]
    theirs = matching.matching_dataset(truths, founds, thresh=0.5, by_image=False, show_progress=False)
    ours = Counts()
    for found, truth in zip(founds, truths, strict=True):
        ours += count_pairs(overlaps(found, truth), 0.5)
    assert (ours.true_positives, ours.false_positives, ours.false_negatives) == (theirs.tp, theirs.fp, theirs.fn)
    assert ours.f1 == pytest.approx(theirs.f1)
    assert ours.panoptic_quality == pytest.approx(theirs.panoptic_quality)


def real(shared: Path) -> Iterator[Labels]:
    with zipfile.ZipFile(shared / "data/dsb2018/dsb2018_train.zip") as archive:
        for name in sorted(archive.namelist())[-40:]:
            if name.startswith("labels/"):
                yield np.asarray(Image.open(io.BytesIO(archive.read(name)))).astype(np.int64)


def test_real_label_maps(shared: Path) -> None:
    maps = [labels for labels in real(shared) if len(np.unique(labels)) > 6]
    assert len(maps) > 10
    for seed, truth in enumerate(maps):
        assert_equal(damaged(truth, seed), truth)
