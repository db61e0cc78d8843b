"""What every artefact promises, on genuine checkpoints: shapes, ids, untouched input, clear refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from instanseg_export import build_forward, load_checkpoint
from support.exported_models import MODELS

Open = Callable[[str, str], Any]
BOTH = pytest.mark.parametrize("target", MODELS)
CHANNELNET, BATCHNORM = "nuclei_cells_channelnet", "nuclei_batchnorm"


@pytest.fixture(scope="module")
def nuclei_image(shared: Path) -> np.ndarray:
    """(1, 3, 200, 220), normalised, with some twenty nuclei."""
    reference = np.load(shared / "golden" / BATCHNORM / "dsb_610f32e2d9d2.npz")
    image: np.ndarray = reference["input"][None, :, 20:220, 50:270].copy()
    return image


@pytest.fixture(scope="module")
def two_channels(shared: Path) -> np.ndarray:
    """(1, 2, 160, 180), normalised, with nuclei and cells."""
    reference = np.load(shared / "golden" / CHANNELNET / "multiplex_2ch.npz")
    image: np.ndarray = reference["input"][None, :, 40:200, 60:240].copy()
    return image


def assert_ids(labels: np.ndarray) -> None:
    """Ids run from 1 without gaps in each image, counted over all structures together."""
    assert labels.dtype == np.float32
    for image in labels:
        ids = np.unique(image)
        np.testing.assert_array_equal(ids[ids > 0], np.arange(1, len(ids[ids > 0]) + 1))


@BOTH
@pytest.mark.parametrize(
    "shape", [(1, 3, 1, 1), (2, 1, 1, 50), (1, 2, 33, 200), (1, 4, 63, 64), (3, 2, 65, 65)], ids=str
)
def test_any_batch_channels_height_and_width(opened: Open, target: str, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    labels = opened(CHANNELNET, target)(image, seed_threshold=0.5)
    assert labels.shape == (shape[0], 2, *shape[2:])
    assert_ids(labels)


@BOTH
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (33, 200), (63, 64), (65, 65)], ids=str)
def test_odd_pieces_of_a_real_image(
    opened: Open, nuclei_image: np.ndarray, target: str, shape: tuple[int, int]
) -> None:
    piece = nuclei_image[:, :, : shape[0], : shape[1]]
    labels = opened(BATCHNORM, target)(np.ascontiguousarray(piece))
    assert labels.shape == (1, 1, *shape)
    assert_ids(labels)
    assert labels.any() == (min(shape) > 1)


@BOTH
def test_batch_equals_single_images(opened: Open, nuclei_image: np.ndarray, target: str) -> None:
    model = opened(BATCHNORM, target)
    pieces = [
        np.ascontiguousarray(nuclei_image[:, :, r : r + 96, c : c + 112]) for r, c in ((0, 0), (40, 90), (104, 8))
    ]
    pieces[1] = pieces[1] * 500 + 3000
    labels = model(np.concatenate(pieces))
    for together, piece in zip(labels, pieces, strict=True):
        assert together.any()
        np.testing.assert_array_equal(together, model(piece)[0])


@BOTH
def test_callers_image_is_not_written_to(opened: Open, nuclei_image: np.ndarray, target: str) -> None:
    raw = nuclei_image * 1000
    raw[0, 0, 0, :3] = [np.nan, np.inf, 1e38]
    before = raw.copy()
    opened(BATCHNORM, target)(raw)
    np.testing.assert_array_equal(raw, before)


@BOTH
def test_nan_and_infinities_are_background(opened: Open, nuclei_image: np.ndarray, target: str) -> None:
    model = opened(BATCHNORM, target)
    dark, holed = nuclei_image * 3000 + 500, nuclei_image * 3000 + 500
    for value, place in ((np.nan, 30), (np.inf, 90), (-np.inf, 150)):
        holed[0, :, place : place + 9, 40:60] = value
        dark[0, :, place : place + 9, 40:60] = np.inf
    for channel in range(3):
        smallest = holed[0, channel][np.isfinite(holed[0, channel])].min()
        dark[0, channel][np.isinf(dark[0, channel])] = smallest
    labels = model(holed)
    assert labels.max() > 5
    np.testing.assert_array_equal(labels, model(dark))
    assert not model(np.full_like(holed, np.nan)).any()


@BOTH
def test_ids_follow_the_seeds_in_raster_order(opened: Open, nuclei_image: np.ndarray, target: str) -> None:
    # Without merging, each seed has an instance of its own.
    stages = opened(BATCHNORM, target).stages(nuclei_image, overlap_threshold=1.0)
    seeds, labels, painted = stages["seeds"], stages["labels"], stages["paint"]
    assert np.array_equal(seeds, seeds[np.lexsort(seeds.T[::-1])])
    order = [np.unique(painted[labels == number]) for number in range(1, int(labels.max()) + 1)]
    assert len(order) > 10
    assert all(len(owners) == 1 for owners in order)
    assert np.all(np.diff(np.concatenate(order)) > 0)


@BOTH
def test_nuclei_and_cells_share_ids(opened: Open, two_channels: np.ndarray, target: str) -> None:
    batch = np.concatenate([two_channels, two_channels[:, :, ::-1]])
    labels = opened(CHANNELNET, target)(batch)
    assert_ids(labels)
    nuclei, cells = labels[:, 0], labels[:, 1]
    assert nuclei.max() > 3
    np.testing.assert_array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
    larger = sum((cells == number).sum() > (nuclei == number).sum() for number in np.unique(nuclei[nuclei > 0]))
    assert larger > 3


@BOTH
def test_min_size_is_honoured(opened: Open, nuclei_image: np.ndarray, target: str) -> None:
    model = opened(BATCHNORM, target)
    everything = model(nuclei_image, min_size=0)
    areas = np.bincount(everything.astype(int).ravel())
    limit = int(np.median(areas[1:]))
    kept = model(nuclei_image, min_size=limit)
    new_id = np.cumsum((areas >= limit) & (np.arange(len(areas)) > 0)) * (areas >= limit)
    new_id[0] = 0
    assert 0 < new_id.max() < len(areas) - 1
    np.testing.assert_array_equal(kept, new_id[everything.astype(int)])


@BOTH
def test_normalised_image_is_left_alone_and_raw_one_is_not(opened: Open, nuclei_image: np.ndarray, target: str) -> None:
    model = opened(BATCHNORM, target)
    normalised = nuclei_image.clip(-0.5, 1.5)
    np.testing.assert_array_equal(model.stages(normalised)["normalize"], normalised)
    raw = (normalised * 800 + 1000).astype(np.float32)
    low, high = np.percentile(raw, [0.1, 99.9], axis=(2, 3), keepdims=True)
    expected = ((raw - low) / (high - low)).clip(-2, 3)
    np.testing.assert_allclose(model.stages(raw)["normalize"], expected, atol=1e-5)
    np.testing.assert_array_equal(model.stages(raw, normalize=2)["normalize"], np.full_like(raw, 3))
    assert model.stages(normalised * 0.5, normalize=1)["normalize"].max() > 0.9


def test_channel_invariant_network_ignores_the_order_of_channels(opened: Open, two_channels: np.ndarray) -> None:
    model = opened(CHANNELNET, "onnx")
    np.testing.assert_array_equal(model(two_channels), model(np.ascontiguousarray(two_channels[:, ::-1])))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 64, 64), "takes 3 channels, the image has 2"),
        ((1, 3, 0, 64), "empty"),
        ((0, 3, 64, 64), "empty"),
        ((3, 64, 64), r"\(batch, channels, height, width\)"),
    ],
    ids=str,
)
def test_unfit_image_is_refused_in_words(opened: Open, shared: Path, shape: tuple[int, ...], message: str) -> None:
    image = np.zeros(shape, dtype=np.float32)
    with pytest.raises(torch.jit.Error, match=message):
        opened(BATCHNORM, "torchscript")(image)
    with pytest.raises(ValueError, match=message):
        build_forward(load_checkpoint(shared / "checkpoints" / BATCHNORM))(torch.from_numpy(image))


@pytest.mark.parametrize("shape", [(1, 2, 64, 64), (3, 64, 64)], ids=str)
def test_unfit_image_is_refused_by_onnx_runtime(opened: Open, shape: tuple[int, ...]) -> None:
    from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

    with pytest.raises(InvalidArgument, match="image"):
        opened(BATCHNORM, "onnx")(np.zeros(shape, dtype=np.float32))
