# Compiled by torch.jit.script: annotations have to be real types here.
"""IAUNet's forward: the same in every format, for any image size, and right on drawn discs."""

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from instanseg_export import build_forward, load_checkpoint, save_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import SettingError
from instanseg_export.families.iaunet.forward import Intermediates
from instanseg_export.targets import write_artifact
from support.exported_models import OnnxModel, TorchScriptModel, write_both
from support.iaunet_models import RESNET, SWIN, discs, random_checkpoint, train_on_discs


class PassThrough(nn.Module):
    """The network that does nothing: eight masks and their classes are in the image."""

    def __init__(self) -> None:
        super().__init__()
        self.multiple = 32

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        classes = image[:, 8, 0, :24].reshape(image.shape[0], 8, 3)
        return image[:, :8, ::4, ::4] * 8.0, classes * 8.0


def masks_image(batch: int, height: int, width: int, seed: int) -> np.ndarray:
    """Discs in eight channels, in coarse steps that make ties, and class logits in a ninth."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    image = np.zeros((batch, 9, height, width))
    for one in image:
        for plane in one[:8]:
            y, x, radius = generator.uniform(0, 1, 3) * (height, width, min(height, width) / 2)
            plane[:] = (radius - np.hypot(rows - y, columns - x)) / 16
    image[:, 8] = generator.normal(0, 0.6, (batch, height, width))
    return (np.round(image * 16) / 16).clip(-2, 3).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Exported:
    forward: Any
    torchscript: TorchScriptModel
    onnx: OnnxModel
    folder: Path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    @cache
    def model(which: str) -> Exported:
        checkpoint = random_checkpoint(RESNET if which == "resnet" else SWIN, queries=8)
        if which == "pass-through":
            spec = checkpoint.spec.model_copy(update={"channels": 9, "normalization": "percentile"})
            checkpoint = dataclasses.replace(checkpoint, spec=spec, network=PassThrough().eval())
        forward = build_forward(checkpoint)
        folder = write_both(checkpoint, forward, tmp_path_factory.mktemp(which))
        return Exported(forward, TorchScriptModel(folder), OnnxModel(folder), folder)

    return model


def stages(model: Any, image: np.ndarray, **settings: Any) -> dict[str, np.ndarray]:
    args = {name: torch.tensor(value) for name, value in settings.items()}
    with torch.inference_mode():
        return {name: value.numpy() for name, value in model.forward.stages(torch.from_numpy(image), args).items()}


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((1, 96, 128), {}),
        ((3, 61, 37), {"score_threshold": 0.2, "overlap_threshold": 0.3}),
        ((2, 130, 33), {"mask_threshold": 0.7, "min_size": 50}),
        ((1, 1, 1), {"score_threshold": 0.0, "min_size": 0}),
        ((2, 40, 40), {"score_threshold": 1.0}),
    ],
)
def test_the_same_network_output_gives_the_same_instances(
    exported: Callable[[str], Exported], shape: tuple[int, int, int], settings: dict[str, Any]
) -> None:
    model = exported("pass-through")
    image = masks_image(*shape, seed=sum(shape))
    before = image.copy()
    eager = stages(model, image, **settings)
    for file in (model.torchscript, model.onnx):
        found = file.stages(image, **settings)
        for name in Intermediates._fields:
            np.testing.assert_array_equal(found[name], eager[name], err_msg=name, strict=True)
    np.testing.assert_array_equal(image, before)
    if settings.get("score_threshold") == 1.0:
        assert len(eager["instance_masks"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("which", ["swin", "resnet"])
def test_any_image_goes_through_each_encoder(exported: Callable[[str], Exported], which: str) -> None:
    model = exported(which)
    for shape in ((2, 3, 75, 90), (1, 3, 1, 1), (1, 3, 32, 200), (3, 3, 5, 64)):
        image = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
        eager = stages(model, image)
        for file in (model.torchscript, model.onnx):
            found = file.stages(image)
            np.testing.assert_allclose(found["network"], eager["network"], atol=1e-3)
            for name in ("labels", "instance_images", "detection_classes"):
                assert (found[name] != eager[name]).sum() <= 10
        if shape[2] > 64:
            assert len(eager["instance_masks"]) > 0


@pytest.mark.parametrize("encoder", [RESNET, SWIN], ids=["resnet", "swin"])
def test_exported_networks_are_read_again(encoder: Any, tmp_path: Path) -> None:
    checkpoint = random_checkpoint(encoder)
    forward: Any = build_forward(checkpoint)
    write_artifact("torchscript", forward, checkpoint, tmp_path / "instanseg.pt")
    again = load_checkpoint(tmp_path / "instanseg.pt")
    assert again.spec == checkpoint.spec
    image = torch.rand(1, 3, 70, 80) * 255
    with torch.inference_mode():
        results: Any = build_forward(again)(image)
        for one, two in zip(forward(image), results, strict=True):
            assert torch.equal(one, two)


def test_what_a_client_has_scaled_is_segmented_as_it_was() -> None:
    forward = build_forward(random_checkpoint())
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        raw, scaled = forward(image), forward(image * 40000 + 300)
        torch.testing.assert_close(raw[3], scaled[3], atol=1e-3, rtol=0)
        assert (raw[0] != scaled[0]).sum() <= 6


def test_settings_of_other_families_are_unknown() -> None:
    with pytest.raises(SettingError, match="seed_threshold"):
        build_forward(random_checkpoint(), {"seed_threshold": 0.5})


@pytest.mark.slow
def test_a_trained_network_finds_overlapping_discs(tmp_path: Path) -> None:
    """Saved, read, exported and run: the whole discs are found, also where another lies on top."""
    save_checkpoint(train_on_discs(400), tmp_path / "checkpoint.pt")
    checkpoint: Checkpoint = load_checkpoint(tmp_path / "checkpoint.pt")
    folder = write_both(checkpoint, build_forward(checkpoint), tmp_path)
    model = TorchScriptModel(folder).module
    generator = np.random.default_rng(99)
    ious = []
    for _ in range(20):
        image, masks = discs(generator)
        found = model(torch.from_numpy(image[None]))[1].numpy().astype(bool)
        ious += [max(((one & two).sum() / (one | two).sum() for two in found), default=0) for one in masks]
    assert np.mean(np.array(ious) > 0.5) > 0.7
