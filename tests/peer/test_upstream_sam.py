"""Networks with SAM's encoder against upstream's own modules, and its tiles against upstream's.

Upstream loads SAM's published weights and insists on CUDA; here its modules get random weights on the CPU. Its encoder
has a fixed width of 1024 channels, so two blocks stand for all.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.stages.tiles import TiledNetwork
from support.training_runs import instanseg_spec, randomise, write_log
from support.upstream_models import BASE, assert_same_instances, export, image_of, model_of, save_run

pytest.importorskip("cellpose.vit_sam", reason="needs upstream's packages: pip install '.[peer]'")
pytestmark = pytest.mark.peer


def encoder(width: int, depth: int, heads: int, whole: tuple[int, ...]) -> nn.Module:
    """SAM's own encoder, built as its package builds it."""
    from segment_anything.modeling import ImageEncoderViT

    made: nn.Module = ImageEncoderViT(
        img_size=1024,
        patch_size=16,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        out_chans=256,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=whole,
    )
    return made


@pytest.fixture
def _shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    from cellpose.vit_sam import sam_model_registry
    from instanseg.utils.models.CellposeSam import CellposeSam

    def build(checkpoint: str | None = None) -> SimpleNamespace:
        return SimpleNamespace(image_encoder=encoder(1024, 2, 16, (1,)))

    monkeypatch.setitem(sam_model_registry, "vit_l", build)
    monkeypatch.setattr(CellposeSam, "to", lambda self, *_: self)


def randomised(model: nn.Module) -> nn.Module:
    """Random weights but for W2, which upstream does not train."""
    fixed = {name: tensor.clone() for name, tensor in model.state_dict().items() if name.endswith("W2")}
    randomise(model, seed=1)
    for name, tensor in fixed.items():
        model.get_parameter(name).data.copy_(tensor)
    return model.eval().requires_grad_(False)


def upstream(args: dict[str, Any]) -> nn.Module:
    """Upstream's network with its pixel classifier."""
    from instanseg.utils.loss.instanseg_loss import InstanSeg
    from instanseg.utils.model_loader import build_model_from_dict

    method = InstanSeg(n_sigma=args["n_sigma"], dim_coords=args["dim_coords"], dim_seeds=1, device="cpu")
    return randomised(method.initialize_pixel_classifier(build_model_from_dict(args), MLP_width=args["mlp_width"]))


def saved(model: nn.Module, args: dict[str, Any], folder: Path) -> Path:
    torch.save({"model_state_dict": model.state_dict()}, folder / "model_weights.pth")
    write_log(folder, {**args, "layers": str(list(args["layers"])), "tile_size": 256})
    return folder


VARIANTS: dict[str, dict[str, Any]] = {
    "two levels": {"model_str": "sam_unet", "layers": (8, 16)},
    "three levels": {"model_str": "sam_unet", "layers": (4, 8, 12), "norm": "INSTANCE", "cells_and_nuclei": True},
    "cellposesam": {"model_str": "cellposesam", "dim_out": 5},
}


def assert_close(found: Tensor, expected: Tensor, factor: float = 2e-5) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=factor * float(expected.abs().max()))


@pytest.mark.usefixtures("_shallow")
@pytest.mark.parametrize("name", VARIANTS)
def test_networks_equal_upstreams(name: str, tmp_path: Path) -> None:
    args = {**BASE, **VARIANTS[name]}
    theirs = upstream(args)
    ours = load_checkpoint(saved(theirs, args, tmp_path))
    assert instanseg_spec(ours).backbone.window == 256
    image = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(2))
    assert_close(ours.network(image), theirs(image.clone()))


@pytest.mark.usefixtures("_shallow")
@pytest.mark.parametrize("shape", [(256, 400), (464, 272)], ids=str)
def test_tiles_equal_upstreams(shape: tuple[int, int], tmp_path: Path) -> None:
    from instanseg.utils.models.CellposeSam import SAM_UNet_inference

    args = {**BASE, **VARIANTS["three levels"], "norm": "BATCH"}
    theirs = upstream(args)
    ours = TiledNetwork(load_checkpoint(saved(theirs, args, tmp_path)).network)
    image = torch.randn(1, 3, *shape, generator=torch.Generator().manual_seed(2))
    expected = SAM_UNet_inference(theirs)(image.clone(), output_channels=10)
    assert_close(ours(image), expected)


@pytest.mark.usefixtures("_shallow")
def test_labels_equal_upstreams(tmp_path: Path) -> None:
    args = {**BASE, **VARIANTS["two levels"]}
    image = image_of(3, 256, 256)
    theirs = model_of(args, image)
    exported = export(theirs, args)
    expected = exported(image.clone())
    torch.jit.save(exported, tmp_path / "instanseg.pt")
    for path in (save_run(theirs, args, tmp_path / "run"), tmp_path / "instanseg.pt"):
        ours = build_forward(load_checkpoint(path), {"min_size": 0, "connected": False})
        assert_same_instances(ours(image)[0].numpy(), expected[0].numpy(), at_least=10)


class CellSam(nn.Module):
    """The network of the thesis as upstream built it until June 2025: SAM's encoder around other published layers."""

    def __init__(self, channels: int, width: int, depth: int, heads: int, whole: tuple[int, ...]) -> None:
        super().__init__()
        self.model: Any = nn.Module()
        self.model.image_encoder = encoder(width, depth, heads, whole)
        doubling = partial(nn.ConvTranspose2d, kernel_size=3, stride=2, padding=1, output_padding=1)
        first = (nn.BatchNorm2d(256), nn.ReLU(), doubling(256, 128, bias=False))
        self.model.mask_decoder = nn.Sequential(*first, nn.BatchNorm2d(128), nn.ReLU(), doubling(128, channels))

    def forward(self, image: Tensor) -> Tensor:
        enlarged = nn.functional.interpolate(image, size=1024, mode="bilinear")
        features = self.model.mask_decoder(self.model.image_encoder(enlarged))
        return nn.functional.interpolate(features, size=image.shape[2:], mode="bilinear")


def cellsam_agrees(folder: Path, *size: Any, window: int) -> None:
    from instanseg.utils.loss.instanseg_loss import InstanSeg

    args = {**BASE, "model_str": "cellsam", "dim_out": 5}
    method = InstanSeg(n_sigma=2, dim_coords=2, dim_seeds=1, device="cpu")
    theirs = randomised(method.initialize_pixel_classifier(CellSam(5, *size), MLP_width=5))
    ours = load_checkpoint(saved(theirs, args, folder), spec={"window": str(window)})
    image = torch.randn(1, 3, window, window, generator=torch.Generator().manual_seed(2))
    assert_close(ours.network(image), theirs(image), 5e-5)


@pytest.mark.parametrize("window", [256, 200])
def test_cellsam_equals_sams_encoder_with_its_windows(tmp_path: Path, window: int) -> None:
    cellsam_agrees(tmp_path, 16, 2, 2, (1,), window=window)


@pytest.mark.slow
def test_cellsam_with_the_whole_vit_b(tmp_path: Path) -> None:
    cellsam_agrees(tmp_path, 768, 12, 12, (2, 5, 8, 11), window=256)


@pytest.mark.slow
def test_sam_unet_with_the_whole_vit_l(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cellpose.vit_sam import sam_model_registry
    from instanseg.utils.models.CellposeSam import CellposeSam

    whole = SimpleNamespace(image_encoder=encoder(1024, 24, 16, (5, 11, 17, 23)))
    monkeypatch.setitem(sam_model_registry, "vit_l", lambda checkpoint=None: whole)
    monkeypatch.setattr(CellposeSam, "to", lambda self, *_: self)
    args = {**BASE, "model_str": "sam_unet", "layers": (32, 64)}
    theirs = upstream(args)
    ours = load_checkpoint(saved(theirs, args, tmp_path))
    assert "SAM ViT-L" in ours.spec.architecture
    image = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(2))
    assert_close(ours.network(image), theirs(image.clone()), 5e-5)
