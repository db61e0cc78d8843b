"""Networks with SAM's image encoder, from a training run to a package: any image size, and equal in both formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from instanseg_export import build_forward, export, inspect, load_checkpoint, run
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import ExportError
from instanseg_export.families.instanseg.backbone_spec import CellSamSpec, SamUNetSpec
from instanseg_export.families.instanseg.spec import ChannelNetSpec
from instanseg_export.families.outputs import label_map
from instanseg_export.images.image_sets import calibration_set
from instanseg_export.packaging import zoo_test
from instanseg_export.targets.quantization.write import write_precision
from support.exported_models import MODELS, OnnxModel, TorchScriptModel, write_both
from support.sam_models import KINDS, encoder, sam_network, sam_run, sam_spec, smooth_image

SAM = {"head_width": 64, "neck": 256}
"""What SAM's encoders of all sizes have in common."""

SHAPES = [(1, 3, 150, 97), (2, 3, 64, 64), (1, 3, 20, 130), (1, 3, 1, 1)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sam_unet, exported as users do it; the comparison of all runtimes has its own, slow test.

    Its tiles of 128 pixels are larger than the image that the ONNX exporter sees.
    """
    folder = tmp_path_factory.mktemp("sam")
    backbone = sam_spec("sam_unet").backbone.model_copy(update={"vit": encoder(in_channels=8, patch=8)})
    run_folder, _ = sam_run(folder / "run", "sam_unet", backbone=backbone)
    return export(run_folder, output=folder / "package", targets=("torchscript", "onnx"), validate=False).folder


@pytest.mark.slow
def test_the_zoo_accepts_both_files(package: Path) -> None:
    assert np.load(package / "test-output-instance_segmentation.npy").max() >= 5
    checks = zoo_test(package)
    assert [check.passed for check in checks] == [True, True], checks


@pytest.mark.slow
def test_all_runtimes_agree(tmp_path: Path) -> None:
    run_folder, _ = sam_run(tmp_path / "run", "sam_unet")
    result = export(run_folder, output=tmp_path / "package", targets=("torchscript", "onnx"))
    assert result.passed, result.report


def assert_formats_agree(folder: Path, forward: Any, shapes: list[tuple[int, int, int, int]]) -> None:
    models = {name: model(folder) for name, model in MODELS.items()}
    found = 0
    for shape in shapes:
        image = smooth_image(*shape, seed=3)
        expected = {name: value.numpy() for name, value in forward.stages(image).items()}
        assert expected["labels"].shape == (shape[0], 1, *shape[2:])
        for name, model in models.items():
            stages = model.stages(image.numpy())
            # Instance norm magnifies rounding where an image is flat.
            scale = max(np.abs(expected["network"]).max(), 5.0)
            np.testing.assert_allclose(stages["network"], expected["network"], rtol=0, atol=2e-5 * scale, err_msg=name)
            np.testing.assert_array_equal(stages["labels"], expected["labels"], err_msg=name)
        found += int(expected["labels"].max())
    assert found >= 10  # of a random network, whose masks are mostly crumbs


@pytest.mark.slow
def test_both_formats_agree_at_any_size(package: Path) -> None:
    forward = build_forward(load_checkpoint(package / "instanseg.pt"))
    assert_formats_agree(package, forward, SHAPES)


def test_a_file_says_what_it_is(package: Path) -> None:
    rows = dict(inspect(package).rows())
    expected = "U-Net 6 8, instance normalisation, with SAM ViT of 2 blocks and 16 channels, 8 x 8 tokens of 8 x 8"
    assert rows["network"].startswith(expected)
    facts = inspect(package.parent / "run")
    assert "GFLOP per megapixel" in dict(facts.rows())["cost"]


def test_run_gives_the_labels_of_the_file(package: Path, tmp_path: Path) -> None:
    pixels = smooth_image(1, 3, 90, 140, seed=5).numpy()
    tifffile.imwrite(tmp_path / "image.tif", pixels[0], imagej=True, metadata={"axes": "CYX"})
    result = run(package, tmp_path / "image.tif", output=tmp_path / "out", pixel_size=0.5)
    np.testing.assert_array_equal(tifffile.imread(result.labels), TorchScriptModel(package)(pixels)[0, 0])
    assert result.found[0].instances >= 5


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_reduced_precision_is_refused(package: Path, tmp_path: Path, precision: str) -> None:
    images = calibration_set(["blobs"], [smooth_image(1, 3, 64, 64)[0].numpy()])
    with pytest.raises(ExportError, match="tile by tile"):
        write_precision(precision, package / "model.onnx", images, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_objects_far_from_a_seam_do_not_depend_on_tiling() -> None:
    """In an image of one tile and a bit, what only the first tile covers is what that tile alone gives."""
    network = sam_network(sam_spec("sam_unet"))
    forward = build_forward(Checkpoint(sam_spec("sam_unet"), network, Path("x"), "0" * 64, "test"))
    image = smooth_image(1, 3, 64, 96, seed=1)
    tiled = forward.stages(image, {"normalize": torch.tensor(2)})["network"]
    alone = network(image[:, :, :, :64])
    torch.testing.assert_close(tiled[:, :, :, :32], alone[:, :, :, :32], rtol=0, atol=1e-4)
    assert not torch.allclose(tiled[:, :, :, 40:64], alone[:, :, :, 40:64], atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "two structures", "ChannelNet", "large tiles"])
def test_every_kind_agrees_in_both_formats(tmp_path: Path, kind: str) -> None:
    changes: dict[str, object] = {}
    if kind == "two structures":
        kind, changes = "sam_unet", {"structures": ("nuclei", "cells")}
    elif kind == "ChannelNet":
        adaptor = ChannelNetSpec(out_channels=3, layers=(4, 6, 8), norm="instance")
        kind, changes = "cellposesam", {"channels": None, "adaptor": adaptor}
    elif kind == "large tiles":  # larger than the image that the exporter sees
        kind, changes = "cellsam", {"backbone": sam_spec("cellsam").backbone.model_copy(update={"window": 256})}
    spec = sam_spec(kind, **changes)
    checkpoint = Checkpoint(spec, sam_network(spec), Path("x"), "0" * 64, "test")
    forward = build_forward(checkpoint)
    write_both(checkpoint, forward, tmp_path)
    shapes = [(2, 5, 70, 97), (1, 2, 40, 33)] if spec.channels is None else SHAPES
    models = (TorchScriptModel(tmp_path), OnnxModel(tmp_path))
    for shape in shapes:
        image = smooth_image(*shape, seed=3)
        expected = label_map(forward(image)).numpy()
        assert expected.shape == (shape[0], len(spec.structures), *shape[2:])
        for model in models:
            # The network's rounding may move a pixel at a threshold.
            assert (model(image.numpy()) != expected).mean() <= 1e-5


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["cellsam", "sam_unet"])
def test_encoders_of_full_size(tmp_path: Path, kind: str) -> None:
    """The thesis' ViT-B, of which an image is enlarged to 1024 pixels, and upstream's present ViT-L in a U-Net."""
    backbone: CellSamSpec | SamUNetSpec
    if kind == "cellsam":
        windows = tuple(0 if block in (2, 5, 8, 11) else 14 for block in range(12))
        sizes = {"patch": 16, "grid": 64, "width": 768, "mlp_width": 3072, "attention_windows": windows}
        backbone = CellSamSpec(vit=encoder(**SAM, **sizes), hidden=128, window=256, heads=((5,),))
        millions = 89
    else:
        sizes = {"patch": 8, "grid": 16, "width": 1024, "mlp_width": 4096, "attention_windows": (0,) * 24}
        vit = encoder(**SAM, **sizes, in_channels=64)
        backbone = SamUNetSpec(in_channels=3, layers=(32, 64), norm="batch", heads=((2, 2, 1),), vit=vit)
        millions = 308
    spec = sam_spec(kind, backbone=backbone)
    network = sam_network(spec)
    assert sum(tensor.numel() for tensor in network.parameters()) // 10**6 == millions
    checkpoint = Checkpoint(spec, network, Path("x"), "0" * 64, "test")
    forward = build_forward(checkpoint, {"min_size": 0})
    write_both(checkpoint, forward, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["instanseg.pt", "model.onnx"]
    image = smooth_image(1, 3, 200, 300, seed=3)
    expected = label_map(forward(image)).numpy()
    assert expected.max() >= 20
    for model in MODELS.values():
        assert (model(tmp_path)(image.numpy()) != expected).mean() <= 1e-4
