"""Samples: which images go into a package, and what is done to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import ImageError
from instanseg_export.families.base import SegmentationForward
from instanseg_export.families.registry import build_forward
from instanseg_export.packaging import choose_samples
from instanseg_export.packaging.samples import bundled_images


@pytest.fixture(scope="module")
def forward(demo_checkpoint: Checkpoint) -> SegmentationForward:
    return build_forward(demo_checkpoint)


def stack(path: Path, array: np.ndarray) -> Path:
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "CYX"})
    return path


def test_two_small_images_come_with_the_package() -> None:
    assert [path.name for path in bundled_images()] == ["fluorescence.png", "histology.png"]
    assert sum(path.stat().st_size for path in bundled_images()) < 200_000


def test_bundled_images_show_instances_and_are_ordered(
    demo_checkpoint: Checkpoint, forward: SegmentationForward
) -> None:
    samples = choose_samples(demo_checkpoint, forward)
    assert [sample.name for sample in samples] == ["histology", "fluorescence"]
    assert samples[0].objects > samples[1].objects > 20
    for sample in samples:
        assert sample.image.dtype == np.float32
        assert sample.image.shape == (3, 256, 256)
        assert sample.image.max() > 100, "raw values, not normalised ones"
        assert "CC0" in sample.note
    assert "repeated 3 times" in samples[1].note


@pytest.mark.parametrize(("channels", "shapes"), [(1, [1, 1]), (2, [2, 2]), (5, [5, 5]), (None, [1, 3])])
def test_bundled_images_are_adapted(demo_checkpoint: Checkpoint, channels: int | None, shapes: list[int]) -> None:
    class Blind:
        """Finds one instance in everything, so that nothing is drawn."""

        def __call__(self, image: object, args: object = None) -> object:
            import torch

            return torch.ones(1, 1, 4, 4)

    checkpoint = replace(demo_checkpoint, spec=demo_checkpoint.spec.model_copy(update={"channels": channels}))
    samples = choose_samples(checkpoint, Blind())  # type: ignore[arg-type]
    assert sorted(sample.image.shape[0] for sample in samples) == shapes


def test_images_of_the_user_are_taken_as_they_are(
    demo_checkpoint: Checkpoint, forward: SegmentationForward, tmp_path: Path
) -> None:
    histology = choose_samples(demo_checkpoint, forward)[0].image
    path = stack(tmp_path / "my image.tif", (histology * 100).astype(np.uint16))
    (sample,) = choose_samples(demo_checkpoint, forward, [path])
    assert sample.name == "my_image"
    np.testing.assert_array_equal(sample.image, histology * 100)
    assert "given by" in sample.note


def test_a_large_image_is_cut_where_something_is(
    demo_checkpoint: Checkpoint, forward: SegmentationForward, tmp_path: Path
) -> None:
    histology = choose_samples(demo_checkpoint, forward)[0].image.astype(np.uint8)
    large = np.full((3, 2000, 1800), 220, np.uint8)
    large[:, :256, :256] = histology
    (sample,) = choose_samples(demo_checkpoint, forward, [stack(tmp_path / "large.tif", large)])
    assert sample.image.shape == (3, 512, 512)
    assert sample.objects > 10
    assert "cut to rows 0-511, columns 0-511" in sample.note


def test_a_wrong_channel_count_is_refused(
    demo_checkpoint: Checkpoint, forward: SegmentationForward, tmp_path: Path
) -> None:
    path = stack(tmp_path / "two.tif", np.zeros((2, 40, 40), np.uint8))
    with pytest.raises(ImageError, match=r"two\.tif has 2 channels, but the model takes 3"):
        choose_samples(demo_checkpoint, forward, [path])
    nothing = stack(tmp_path / "nan.tif", np.full((3, 40, 40), np.nan, np.float32))
    black = stack(tmp_path / "black.tif", np.zeros((3, 40, 40), np.uint8))
    for path in (nothing, black):
        with pytest.raises(ImageError, match="is empty"):
            choose_samples(demo_checkpoint, forward, [path])
    with pytest.raises(ImageError):
        choose_samples(demo_checkpoint, forward, [tmp_path / "missing.tif"])


def test_values_that_are_not_finite_become_background(
    demo_checkpoint: Checkpoint, forward: SegmentationForward, tmp_path: Path
) -> None:
    image = choose_samples(demo_checkpoint, forward)[0].image.copy()
    image[0, 3, 4], image[1, 5, 6] = np.nan, np.inf
    (sample,) = choose_samples(demo_checkpoint, forward, [stack(tmp_path / "holes.tif", image)])
    assert np.isfinite(sample.image).all()
    assert sample.image[0, 3, 4] == sample.image[1, 5, 6] == 0
    assert "2 values that are not finite set to 0" in sample.note


def test_blobs_are_drawn_where_images_show_nothing(
    demo_checkpoint: Checkpoint, forward: SegmentationForward, tmp_path: Path
) -> None:
    path = stack(tmp_path / "empty.tif", np.full((3, 100, 100), 7, np.uint8))
    samples = choose_samples(demo_checkpoint, forward, [path])
    assert samples[0].name.startswith("blobs")
    assert samples[0].objects >= 10
    assert samples[0].note.startswith("drawn")
    assert samples[-1].name == "empty"
    again = choose_samples(demo_checkpoint, forward, [path])
    np.testing.assert_array_equal(samples[0].image, again[0].image)


def test_a_model_that_finds_nothing_keeps_its_images(demo_checkpoint: Checkpoint) -> None:
    samples = choose_samples(demo_checkpoint, build_forward(demo_checkpoint, {"min_size": 1_000_000}))
    assert [sample.name for sample in samples] == ["fluorescence", "histology"]
    assert [sample.objects for sample in samples] == [0, 0]
