"""Trainings on volumes: stacks in, crops with slices, and a checkpoint that segments volumes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.errors import ImageError, RecipeError
from instanseg_export.families.embedseg.spec import EmbedSeg3DSpec
from instanseg_export.images import read_image
from instanseg_export.training.data.batches import Batches
from instanseg_export.training.data.crops import cut_crop
from instanseg_export.training.data.dataset import read_dataset
from instanseg_export.training.data.intensities import change_intensities
from instanseg_export.training.loop.pictures import draw_samples
from instanseg_export.training.loop.validation import Shown
from instanseg_export.training.recipe import Augmentations, Crops
from instanseg_export.training.recipe_file import load_recipe
from support.paths import ROOT
from support.training_data import balls, write_data, write_recipe, write_volume_recipe, write_volumes


def _recipe(folder: Path, model: dict[str, Any] | None = None, **changes: Any) -> Path:
    short: dict[str, Any] = {"crops": {"size": 16, "depth": 8}, "optimiser": {"steps": 3, "warm_up": 1}}
    return write_volume_recipe(folder, model, **{**short, **changes})


def _chance(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_stacks_are_read_as_volumes(tmp_path: Path) -> None:
    (volume,), (other,) = read_dataset(load_recipe(_recipe(tmp_path)))
    assert volume.pixels.shape == volume.labels.shape == other.labels.shape == (1, 12, 32, 40)
    labels = balls(12, 32, 40, seed=0)
    np.testing.assert_array_equal(volume.labels[0], labels)
    # The median over the balls of the diameter where each is widest.
    areas = [max((plane == label).sum() for plane in labels) for label in range(1, labels.max() + 1)]
    assert volume.diameter == pytest.approx(np.median(2 * np.sqrt(np.array(areas) / np.pi)))


def test_a_crop_shows_volume_and_labels_at_the_same_places() -> None:
    """Of a volume whose voxels are their coordinates: turned in the plane, mirrored along each axis, never tilted."""
    sizes = (20, 30, 36)
    pixels = torch.stack(torch.meshgrid(*(torch.arange(size) * 1.0 for size in sizes), indexing="ij"))
    labels = ((pixels[0] * 30 + pixels[1]) * 36 + pixels[2] + 1)[None]
    turned = set()
    for seed in range(60):
        image, found = cut_crop(pixels.to(torch.float16), labels, Crops(size=16, depth=8), 1.25, _chance(seed))
        assert image.shape == (3, 8, 16, 16)
        assert (found > 0).all()
        places = np.stack(np.unravel_index(found[0] - 1, sizes))
        assert np.abs(image.numpy() - places).max() <= 0.52
        steps = [(image.narrow(axis, 1, 1) - image.narrow(axis, 0, 1)).mean(dim=(1, 2, 3)) for axis in (1, 2, 3)]
        along = torch.stack(steps).numpy()
        assert np.abs(along[0, 1:]).max() < 0.02
        assert np.abs(along[1:, 0]).max() < 0.02
        np.testing.assert_allclose(np.abs(along).sum(axis=1), 0.8, atol=0.06)
        turned.add(tuple(np.sign(along.round(1)).flatten()))
    assert len(turned) == 16


def test_beyond_the_last_slice_is_a_mirror_and_nothing_annotated() -> None:
    pixels = torch.arange(5.0)[None, :, None, None].expand(1, 5, 40, 40)
    image, found = cut_crop(pixels, torch.ones(1, 5, 40, 40), Crops(size=16, depth=8), 1.0, _chance(0))
    annotated = (found[0] == 1).any(axis=(1, 2))
    assert annotated.sum() == 5
    assert set(np.unique(found)) == {-1, 1}
    assert 0 <= float(image.min()) <= float(image.max()) <= 4


def test_augmentations_change_volumes_and_slices_do_not_run_into_each_other() -> None:
    volume = torch.rand(3, 4, 24, 24, generator=torch.Generator().manual_seed(0))
    for name in ("brightness", "contrast", "gamma", "noise", "ranges"):
        changed = change_intensities(volume, Augmentations(share=1.0, **{name: 0.4}), _chance(1))
        assert not torch.equal(changed, volume), name
    volume[:, 2] = 0
    blurred = change_intensities(volume, Augmentations(share=1.0, blur=3), _chance(1))
    assert not torch.equal(blurred[:, 1], volume[:, 1])
    assert torch.equal(blurred[:, 2], volume[:, 2])
    colours = change_intensities(volume, Augmentations(share=1.0, hue=0.3, stains=0.5), _chance(1))
    assert torch.equal(colours, volume)


def test_a_batch_of_volumes_depends_on_the_recipe_and_the_step_alone(tmp_path: Path) -> None:
    plan = load_recipe(_recipe(tmp_path))
    images, _ = read_dataset(plan)
    whole, later = list(Batches(plan, images)), Batches(plan, images)
    later.first = 2
    assert whole[0]["image"].shape == whole[0]["centre"].shape == (2, 1, 8, 16, 16)
    (rest,) = later
    assert all(torch.equal(rest[name], whole[2][name]) for name in ("image", "labels", "centre"))
    assert not torch.equal(whole[0]["image"], whole[1]["image"])


def test_samples_show_the_slice_with_most_of_the_truth(tmp_path: Path) -> None:
    _, (volume,) = read_dataset(load_recipe(_recipe(tmp_path)))
    nothing = np.zeros_like(volume.labels)
    picture = np.asarray(draw_samples([Shown(volume.pixels, volume.labels, nothing)], [0]))
    found = picture[:32, 532:572]
    np.testing.assert_array_equal(picture[:32, :40], found)  # one and the same slice, without an outline
    assert (picture[:32, 266:306] != found).any()


def test_a_network_of_volumes_trains_and_what_it_leaves_is_a_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning", reason="needs the extra train")
    from instanseg_export.training.run import train

    trained = train(_recipe(tmp_path), output=tmp_path / "out", device="cpu")
    assert trained.finished
    assert trained.best is not None
    assert set(trained.scores) == {""}
    for name in ("state.pt", "latest.pt", "losses.csv", "scores.csv", "curves.png", "samples.png"):
        assert (tmp_path / "out" / name).stat().st_size > 0, name
    checkpoint = load_checkpoint(trained.best)
    assert checkpoint.spec.architecture == "BranchedERFNet in 3D, 4 8 12 channels"
    with torch.inference_mode():
        assert build_forward(checkpoint)(torch.rand(1, 1, 9, 20, 24) * 255).shape == (1, 1, 9, 20, 24)


@pytest.mark.slow
def test_training_finds_the_balls_that_it_saw_and_so_does_the_exported_file(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning", reason="needs the extra train")
    from instanseg_export import export
    from instanseg_export.training.run import train

    data = write_volumes(tmp_path / "data")
    places: Any = np.moveaxis(np.indices((12, 32, 40)), 0, -1) * np.array([2, 1, 1])
    labels = np.zeros((12, 32, 40), dtype=np.uint16)
    for label, centre in enumerate([(8, 9, 9), (14, 22, 11), (10, 14, 29)], start=1):
        labels[((places - np.array(centre)) ** 2).sum(axis=-1) <= 7**2] = label
    for name in ("volume0", "volume1"):
        tifffile.imwrite(data / "labels" / f"{name}.tif", labels, metadata={"axes": "ZYX"})
        bright = ((labels > 0) * 200 + 20).astype(np.uint8)
        tifffile.imwrite(data / "images" / f"{name}.tif", bright, metadata={"axes": "ZYX"})
    recipe = _recipe(
        tmp_path,
        {"widths": [8, 16, 32], "settings": {"min_object_size": 4, "seed_threshold": 0.5}},
        crops={"size": 32, "depth": 16, "batch": 1, "scale": [1, 1]},
        augmentations={"share": 0},
        optimiser={"steps": 600, "warm_up": 5, "learning_rate": 0.002},
        averaging={"decay": 0.9},
        validation={"every": 100},
    )
    trained = train(recipe, output=tmp_path / "out", device="cpu")
    assert trained.rating > 0.5
    assert trained.best is not None
    exported = export(trained.best, targets=["torchscript"], output=tmp_path / "exported", validate=False)
    volume = torch.from_numpy(tifffile.imread(tmp_path / "data" / "images" / "volume0.tif")).float()[None, None]
    with torch.inference_mode():
        expected = build_forward(load_checkpoint(trained.best))(volume)
        found = torch.jit.load(exported.artifacts[0].path)(volume)
    assert int(expected.max()) >= 3
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("model", "changes", "fact"),
    [
        ({}, {"crops": {"depth": None}}, "crops.depth is missing, and EmbedSeg 3D takes volumes whose slices are"),
        ({}, {"crops": {"depth": 12}}, "crops.depth is 12, but EmbedSeg 3D takes volumes whose slices are a multiple"),
        ({"widths": [8, 8, 16]}, {}, "widths [8, 8, 16] have to rise, from more than the image's 1"),
        ({"grid": [64, 64]}, {}, "grid and extent need a number for each of 3 axes"),
    ],
)
def test_recipes_that_do_not_fit_volumes_are_refused(
    tmp_path: Path, model: dict[str, Any], changes: dict[str, Any], fact: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(_recipe(tmp_path, model, **changes))
    assert fact in caught.value.message


def test_slices_are_for_volumes_alone(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"crops\.depth is 8, but InstanSeg takes images") as caught:
        load_recipe(write_recipe(tmp_path, crops={"depth": 8}))
    assert "a network of volumes" in caught.value.hint


def test_the_volume_of_the_model_zoo_becomes_a_data_set(tmp_path: Path) -> None:
    """By the program beside its recipe, from a file like plant-seg's, whose training and validation parts are apart."""
    h5py = pytest.importorskip("h5py", reason="reads HDF5")
    labels = np.zeros((40, 100, 100), dtype=np.uint8)
    labels[10:20, 5:20, 30:50], labels[10:20, 80:95, 30:50] = 7, 9
    with h5py.File(tmp_path / "volume.h5", "w") as file:
        for name, values in (("raw", labels * 20), ("label", labels)):
            file[name] = values
            file[name].attrs["element_size_um"] = [0.2837, 0.1268, 0.1268]
    zoo = ROOT / "model_zoo" / "nuclei_3d"
    program = [sys.executable, str(zoo / "prepare.py"), str(tmp_path / "volume.h5"), str(tmp_path / "data")]
    subprocess.run(program, check=True)
    plan = load_recipe(zoo / "recipe.yaml", source=tmp_path / "data")
    (front,), (back,) = read_dataset(plan)
    np.testing.assert_array_equal(front.labels[0], labels[:, :64] > 0)
    np.testing.assert_array_equal(back.labels[0], labels[:, 64:] > 0)
    np.testing.assert_array_equal(back.pixels[0], labels[:, 64:] * 20)
    read = read_image(tmp_path / "data" / "images" / "back.tif", dimensions=3)
    spec = plan.spec
    assert isinstance(spec, EmbedSeg3DSpec)
    assert read.slice_distance == pytest.approx(spec.slice_distance)
    assert read.pixel_size == pytest.approx((spec.pixel_size, spec.pixel_size))
    # The recipe's grid is as much longer along z.
    steps = [extent / (grid - 1) for extent, grid in zip(spec.extent, spec.grid, strict=True)]
    assert steps[2] / steps[0] == pytest.approx(0.2837 / 0.1268, rel=1e-4)


def _wrong(name: str, data: Path) -> None:
    if name == "depth":
        tifffile.imwrite(data / "labels" / "volume0.tif", np.zeros((11, 32, 40), np.uint16), metadata={"axes": "ZYX"})
    elif name == "channels":
        tifffile.imwrite(
            data / "images" / "volume1.tif",
            np.zeros((12, 2, 32, 40), np.uint16),
            imagej=True,
            metadata={"axes": "ZCYX"},
        )
    elif name == "picture":
        (data / "images" / "volume0.tif").unlink()
        Image.fromarray(np.zeros((32, 40, 3), np.uint8)).save(data / "images" / "volume0.png")
    elif name == "damaged":
        whole = (data / "images" / "volume0.tif").read_bytes()
        (data / "images" / "volume0.tif").write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("depth", "label map labels/volume0 has 11 x 32 x 40 pixels, but its image has 12 x 32 x 40"),
        ("channels", "the image volume1 has 2 channels, but the network takes 1"),
        ("picture", "volume0.png"),
        ("damaged", "volume0.tif"),
    ],
)
def test_volumes_that_do_not_fit_are_refused_in_words(tmp_path: Path, name: str, fact: str) -> None:
    recipe = _recipe(tmp_path)
    _wrong(name, tmp_path / "data")
    with pytest.raises(ImageError) as caught:
        read_dataset(load_recipe(recipe))
    assert fact in caught.value.message
    assert caught.value.hint


def test_stacks_are_refused_where_the_network_takes_images(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    (tmp_path / "data" / "images" / "image0.png").unlink()
    stack = np.zeros((5, 64, 80), np.uint8)
    tifffile.imwrite(tmp_path / "data" / "images" / "image0.tif", stack, metadata={"axes": "ZYX"})
    with pytest.raises(ImageError, match=r"image0\.tif"):
        read_dataset(load_recipe(write_recipe(tmp_path)))
