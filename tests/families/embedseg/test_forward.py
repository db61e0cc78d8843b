"""EmbedSeg's forward: its own outputs on real images, equal stages in both formats, and the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.errors import SettingError
from support.agreement import agreement
from support.embedseg_fields import drawn_fields, fields_checkpoint, noise_fields
from support.exported_models import MODELS, OnnxModel, TorchScriptModel, write_both

GOLDEN = (
    "dsb_2cfa61bef654",
    "dsb_33d0a9b24c25",
    "dsb_573e1480b500",
    "dsb_58406ed8ef94",
    "dsb_5ddbfba25194",
    "dsb_61dc249314d7",
)


@pytest.fixture(scope="module")
def genuine(shared: Path) -> Any:
    return load_checkpoint(shared / "checkpoints" / "embedseg_2d")


@pytest.fixture(scope="module")
def opened(genuine: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool, str], Any]:
    """Open the genuine checkpoint's file of a format, with or without test-time augmentation baked in."""

    @cache
    def folder(tta: bool) -> Path:
        return write_both(genuine, build_forward(genuine, {"tta": tta}), tmp_path_factory.mktemp("embedseg"))

    return cache(lambda tta, target: MODELS[target](folder(tta)))


def golden(shared: Path, name: str, tta: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return upstream's input, the image before normalisation and upstream's labels."""
    reference = np.load(shared / "golden" / "embedseg_2d" / f"{name}.npz")
    raw = reference["raw"].astype(np.float32)[None, None]
    return reference["input"][None], raw, reference["labels_tta" if tta else "labels"][0]


def check(labels: np.ndarray, expected: np.ndarray) -> None:
    instances, pixels = agreement(labels[0, 0], expected)
    assert instances >= 0.999
    assert pixels >= 0.999


@pytest.mark.parametrize("tta", [False, True], ids=["", "augmented"])
@pytest.mark.parametrize("name", GOLDEN)
def test_labels_of_raw_and_normalised_images_are_upstreams(shared: Path, genuine: Any, name: str, tta: bool) -> None:
    forward: Any = build_forward(genuine, {"tta": tta})
    normalised, raw, expected = golden(shared, name, tta)
    with torch.inference_mode():
        check(forward(torch.from_numpy(normalised)).numpy(), expected)
        if not tta:
            check(forward(torch.from_numpy(raw)).numpy(), expected)


@pytest.mark.parametrize("tta", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["", "augmented"])
@pytest.mark.parametrize("name", GOLDEN)
def test_files_find_upstreams_objects_in_both_formats(
    shared: Path, opened: Callable[[bool, str], Any], name: str, tta: bool
) -> None:
    image, _, expected = golden(shared, name, tta)
    first, second = (opened(tta, target)(image) for target in MODELS)
    check(first, expected)
    check(second, expected)
    assert 1e6 * float((first != second).mean()) <= 10
    np.testing.assert_array_equal(np.unique(first), np.unique(second))


def test_network_is_upstreams(shared: Path, genuine: Any) -> None:
    reference = np.load(shared / "golden" / "embedseg_2d" / "dsb_58406ed8ef94.npz")
    with torch.inference_mode():
        network = build_forward(genuine).stages(torch.from_numpy(reference["input"][None]))["network"]
    np.testing.assert_allclose(network[0, :, ::4, ::4], reference["network"], atol=1e-4, rtol=1e-4)


@dataclass(frozen=True)
class Fields:
    """A forward behind a network that does nothing, and its files."""

    forward: Any
    torchscript: TorchScriptModel
    onnx: OnnxModel

    def check(self, image: np.ndarray, **settings: Any) -> np.ndarray:
        """Compare all stages of both files and of the forward itself; return the labels."""
        before = image.copy()
        args = {name: torch.tensor(value) for name, value in settings.items()}
        with torch.inference_mode():
            eager = {n: value.numpy() for n, value in self.forward.stages(torch.from_numpy(image), args).items()}
        for other in (self.torchscript.stages(image, **settings), self.onnx.stages(image, **settings)):
            assert tuple(other) == self.forward.stage_names
            for stage, value in eager.items():
                np.testing.assert_array_equal(other[stage], value, err_msg=stage, strict=True)
        np.testing.assert_array_equal(image, before, err_msg="the caller's image was written to")
        labels: np.ndarray = eager["labels"]
        assert labels.shape == (len(image), 1, *image.shape[2:])
        for image_labels in labels:
            ids = np.unique(image_labels)
            np.testing.assert_array_equal(ids[ids > 0], np.arange(1, image_labels.max() + 1))
        return labels


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Fields]:
    @cache
    def model(axes: int) -> Fields:
        checkpoint = fields_checkpoint(axes)
        forward = build_forward(checkpoint, {"normalize": "never"})
        folder = write_both(checkpoint, forward, tmp_path_factory.mktemp("fields"))
        return Fields(forward, TorchScriptModel(folder), OnnxModel(folder))

    return model


SIZES = [(150, 133), (24, 200), (12, 45, 50)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_formats_agree_on_drawn_objects_in_a_batch(fields: Callable[[int], Fields], size: tuple[int, ...]) -> None:
    batch = np.concatenate([drawn_fields(size, 30, 11, seed) for seed in (0, 1)])
    labels = fields(len(size)).check(batch)
    assert min(labels[0].max(), labels[1].max()) > 5
    alone = fields(len(size)).torchscript(batch[1:])
    np.testing.assert_array_equal(labels[1:], alone, err_msg="an image's labels depend on the others in the batch")


@pytest.mark.parametrize("size", [(70, 90), (9, 30, 33)], ids=str)
@pytest.mark.parametrize(
    "settings", [{}, {"seed_threshold": 0.6, "fg_threshold": 0.7, "min_object_size": 2}], ids=["", "other settings"]
)
def test_formats_agree_on_noise_full_of_ties(
    fields: Callable[[int], Fields], size: tuple[int, ...], settings: dict[str, Any]
) -> None:
    labels = fields(len(size)).check(noise_fields(size, 3), **settings)
    assert labels.max() > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3), (1, 1, 1), (2, 1, 17)], ids=str)
def test_tiny_images(fields: Callable[[int], Fields], size: tuple[int, ...]) -> None:
    fields(len(size)).check(noise_fields(size, 1), min_object_size=0)


@pytest.mark.parametrize("axes", [2, 3])
def test_no_objects_and_what_is_no_number(fields: Callable[[int], Fields], axes: int) -> None:
    size = (40, 48) if axes == 2 else (6, 20, 24)
    empty = np.full((2, 2 * axes + 1, *size), -4.0, dtype=np.float32)
    assert not fields(axes).check(empty).any()
    broken = drawn_fields(size, 6, 9)
    broken[..., :3] = np.nan
    broken[..., 5] = np.inf
    labels = fields(axes).check(broken)
    assert not labels[..., :3].any(), "NaN becomes the lowest value of its channel: no foreground"
    assert labels.any()


def test_seeds_are_in_the_order_of_ids(fields: Callable[[int], Fields]) -> None:
    image = drawn_fields((64, 72), 14, 10)
    stages = fields(2).torchscript.stages(image)
    seeds, labels = stages["seeds"], stages["labels"][0, 0]
    assert len(seeds) == labels.max() > 4
    places = seeds[:, 2] * 72 + seeds[:, 3]
    assert (np.diff(places) > 0).all()
    # A later object may lie over an earlier one's seed.
    owners = labels[seeds[:, 2], seeds[:, 3]]
    assert (owners == np.arange(1, len(seeds) + 1)).mean() > 0.8


def test_image_of_another_kind_is_refused(fields: Callable[[int], Fields]) -> None:
    for image, expected in (
        (torch.zeros(1, 7, 20, 20), "5 channels, the image has 7"),
        (torch.zeros(1, 5, 4, 20, 20), "(batch, channels, height, width)"),
        (torch.zeros(1, 5, 0, 20), "empty"),
    ):
        with pytest.raises(ValueError, match=expected.replace("(", r"\(").replace(")", r"\)")):
            fields(2).forward(image)
    with pytest.raises(ValueError, match="depth"):
        fields(3).forward(torch.zeros(1, 7, 20, 20))


def test_settings_of_other_families_are_refused() -> None:
    with pytest.raises(SettingError, match="window_size"):
        build_forward(fields_checkpoint(2), {"window_size": 8})
