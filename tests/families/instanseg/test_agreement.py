"""The same network output gives the same labels in every format, to the last pixel and id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from instanseg_export.families.instanseg.forward import Intermediates
from support.synthetic import SCALE, cells_image, noise_image

NUCLEI = (
    ("structures", ("nuclei",)),
    ("dim_coords", 3),
    ("dim_seeds", 1),
    ("feature_engineering", "2"),
    ("mlp_width", 7),
)
MODELS = [
    pytest.param((), id="nuclei and cells"),
    pytest.param(NUCLEI, id="nuclei, norm of the difference", marks=pytest.mark.slow),
]


def check(model: Any, image: np.ndarray, **settings: Any) -> np.ndarray:
    """Compare all stages of both files and of the forward itself; return the labels."""
    before = image.copy()
    args = {name: torch.tensor(value) for name, value in settings.items()}
    with torch.inference_mode():
        eager = {name: value.numpy() for name, value in model.forward.stages(torch.from_numpy(image), args).items()}
    scripted = model.torchscript.stages(image, **settings)
    exported = model.onnx.stages(image, **settings)
    for stage in Intermediates._fields:
        np.testing.assert_array_equal(scripted[stage], eager[stage], err_msg=stage, strict=True)
        np.testing.assert_array_equal(exported[stage], eager[stage], err_msg=stage, strict=True)
    np.testing.assert_array_equal(image, before, err_msg="the caller's image was written to")
    labels: np.ndarray = eager["labels"]
    return labels


@pytest.mark.parametrize("changes", MODELS)
@pytest.mark.parametrize("seed", range(3))
def test_cells(synthetic: Callable[..., Any], changes: tuple[Any, ...], seed: int) -> None:
    model = synthetic(*changes)
    image = cells_image(model.checkpoint.spec, 150, 133, seed, batch=2)
    labels = check(model, image)
    assert labels.max() > 10


@pytest.mark.parametrize(
    "settings",
    [
        {"seed_threshold": 0.55, "peak_distance": 2, "mask_threshold": 0.3},
        {"cleanup_fragments": False, "overlap_threshold": 0.05, "min_size": 0},
        {"overlap_threshold": 1.0, "min_size": 60, "fg_threshold": 0.8},
        {"connected": False, "mask_threshold": 0.35, "seed_threshold": 0.6},
        {"connected": True, "mask_threshold": 0.35, "seed_threshold": 0.6, "min_size": 40},
        {"resolve_cell_and_nucleus": False, "mask_threshold": 0.6, "peak_distance": 9},
    ],
    ids=str,
)
def test_settings(synthetic: Callable[..., Any], settings: dict[str, Any]) -> None:
    model = synthetic()
    assert check(model, cells_image(model.checkpoint.spec, 120, 140, 7), **settings).any()


def test_stages_are_those_of_the_plain_call(synthetic: Callable[..., Any]) -> None:
    model = synthetic()
    image = cells_image(model.checkpoint.spec, 90, 80, 5)
    found = model.torchscript.stages(image)
    np.testing.assert_array_equal(found["normalize"], image)
    np.testing.assert_array_equal(found["network"], image * np.float32(SCALE))
    np.testing.assert_array_equal(model.torchscript(image), found["labels"])
    np.testing.assert_array_equal(model.onnx(image), found["labels"])


@pytest.mark.parametrize("size", [96, pytest.param(256, marks=pytest.mark.slow)])
def test_noise_full_of_seeds_and_ties(synthetic: Callable[..., Any], size: int) -> None:
    model = synthetic()
    image = noise_image(model.checkpoint.spec, size, size, 1)
    assert len(model.onnx.stages(image, normalize=2, peak_distance=2)["seeds"]) > size * size // 30
    check(model, image, normalize=2, peak_distance=2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (70, 1), (2, 2), (31, 33), (63, 64), (65, 65)], ids=str)
def test_odd_sizes(synthetic: Callable[..., Any], shape: tuple[int, int]) -> None:
    model = synthetic()
    check(model, cells_image(model.checkpoint.spec, *shape, seed=2))


def test_no_objects(synthetic: Callable[..., Any]) -> None:
    model = synthetic()
    assert not check(model, np.full((2, 12, 40, 50), -1.0, dtype=np.float32)).any()


def test_raw_images_with_nan_and_infinities(synthetic: Callable[..., Any]) -> None:
    model = synthetic()
    image = cells_image(model.checkpoint.spec, 90, 100, 3) * 900 + 2000
    image[0, :, 10:20, 10:20] = np.nan
    image[0, 1, 50, 60] = np.inf
    image[0, 2, 51, 60] = -np.inf
    image[0, 3, 52, 60] = 3e38
    check(model, image)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_number_of_threads_does_not_matter(synthetic: Callable[..., Any], threads: int) -> None:
    from support.exported_models import OnnxModel

    model = synthetic()
    image = cells_image(model.checkpoint.spec, 150, 150, 11)
    expected = model.torchscript(image)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        np.testing.assert_array_equal(model.torchscript(image), expected)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(OnnxModel(model.folder, threads=threads)(image), expected)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_many_scenes(synthetic: Callable[..., Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = synthetic(*(() if seed % 2 else NUCLEI))
    height, width = (int(size) for size in rng.integers(1, 300, 2))
    check(
        model,
        cells_image(model.checkpoint.spec, height, width, seed),
        seed_threshold=float(rng.uniform(0.5, 0.8)),
        peak_distance=int(rng.integers(1, 9)),
        overlap_threshold=float(rng.uniform(0, 0.6)),
        mask_threshold=float(rng.uniform(0.2, 0.8)),
    )
