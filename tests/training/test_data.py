"""Images, crops and augmentations."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from instanseg_export.errors import ImageError, RecipeError
from instanseg_export.training.data.batches import Batches
from instanseg_export.training.data.channels import drop_channels
from instanseg_export.training.data.crops import cut_crop, draw_scale
from instanseg_export.training.data.dataset import digest_of, read_dataset
from instanseg_export.training.data.intensities import change_intensities
from instanseg_export.training.data.stains import change_stains
from instanseg_export.training.recipe import Augmentations, Channels, Crops
from instanseg_export.training.recipe_file import load_recipe
from support.training_data import discs, write_data, write_recipe


def _chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_folder_and_a_zip_of_it_are_the_same_data(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    train, validation = read_dataset(load_recipe(recipe))
    assert [image.name for image in train] == ["image0", "image1"]
    assert [image.kind for image in validation] == ["colour", "grey"]
    assert train[0].pixels.shape == (3, 64, 80)
    assert train[1].pixels.shape == (1, 64, 80)
    np.testing.assert_array_equal(train[0].labels[0], discs(64, 80, 0))
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in sorted((tmp_path / "data").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path / "data"))
    zipped, _ = read_dataset(load_recipe(recipe, source=tmp_path / "data.zip"))
    assert digest_of(zipped) == digest_of(train)


def _wrong(name: str, folder: Path) -> None:
    index = folder / "index.csv"
    if name == "size":
        Image.fromarray(np.zeros((64, 79), dtype=np.uint16)).save(folder / "labels" / "image0.png")
    elif name == "gone":
        (folder / "labels" / "image1.png").unlink()
    elif name == "colours":
        Image.fromarray(np.zeros((64, 80, 3), dtype=np.uint8)).save(folder / "labels" / "image0.png")
    elif name == "damaged":
        (folder / "images" / "image0.png").write_bytes(b"no picture")
    elif name == "split":
        index.write_text(index.read_text().replace("train", "test"))
    elif name == "column":
        index.write_text(index.read_text().replace("split", "part"))
    elif name == "twice":
        index.write_text(index.read_text().replace("image1", "image0"))
    elif name == "climbs":
        index.write_text(index.read_text().replace("image1", "../image1"))
    elif name == "index":
        index.unlink()


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("size", "label map labels/image0 has 64 x 79 pixels, but its image has 64 x 80"),
        ("gone", "labels/image1 is not there"),
        ("colours", "label map labels/image0.png has 3 channels"),
        ("damaged", "image0.png"),
        ("split", "no image in the split 'train'"),
        ("column", "no column 'split'"),
        ("twice", "line 3: the id 'image0' is given twice"),
        ("climbs", "line 3: the id '../image1' is no name of a file"),
        ("index", "index.csv"),
    ],
)
def test_data_that_do_not_fit_are_refused_in_words(tmp_path: Path, name: str, fact: str) -> None:
    recipe = write_recipe(tmp_path)
    _wrong(name, tmp_path / "data")
    with pytest.raises((ImageError, RecipeError)) as caught:
        read_dataset(load_recipe(recipe))
    assert fact in caught.value.message
    assert caught.value.hint


def test_images_of_other_channels_and_unknown_types_are_refused(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, data={"shares": {"gray": 1.0}})
    with pytest.raises(RecipeError, match="names 'gray', but no image") as caught:
        read_dataset(load_recipe(recipe))
    assert "colour, grey" in caught.value.hint
    backbone = {"in_channels": 2, "layers": [4, 6], "norm": "batch", "heads": [[2, 2, 1]]}
    two = write_recipe(tmp_path, model={"channels": 2, "backbone": backbone})
    with pytest.raises(ImageError, match="has 3 channels, but the network takes 2"):
        read_dataset(load_recipe(two))


def _ramp(height: int, width: int) -> torch.Tensor:
    return torch.stack(torch.meshgrid(torch.arange(height) * 1.0, torch.arange(width) * 1.0, indexing="ij"))


def test_a_crop_shows_image_and_labels_at_the_same_places() -> None:
    """Of an image whose pixels are their coordinates: in steps of 1 / scale, turned and mirrored alike."""
    pixels = _ramp(40, 60)
    labels = (pixels[0].floor() * 60 + pixels[1].floor() + 1)[None]
    turned = set()
    for seed in range(30):
        image, found = cut_crop(pixels, labels, Crops(size=16), 1.25, _chance(seed))
        assert (found > 0).all()
        y, x = (found[0] - 1) // 60, (found[0] - 1) % 60
        assert np.abs(image[0].numpy() - y).max() <= 0.51
        assert np.abs(image[1].numpy() - x).max() <= 0.51
        rows = image[:, 1] - image[:, 0]
        step = rows.mean(dim=1).round(decimals=2).tolist()
        assert sorted(map(abs, step)) == pytest.approx([0.0, 0.8])
        columns = (image[:, :, 1] - image[:, :, 0]).mean(dim=1).round(decimals=2).tolist()
        turned.add(tuple(round(one, 1) for one in (*step, *columns)))
    assert len(turned) == 8


def test_beyond_the_border_is_a_mirror_and_nothing_annotated() -> None:
    pixels, labels = _ramp(10, 40), torch.ones(1, 10, 40)
    image, found = cut_crop(pixels, labels, Crops(size=32, flips=False, rotations=False), 1.0, _chance())
    inside = found[0] == 1
    assert set(np.unique(found)) == {-1, 1}
    assert inside.sum() == 10 * 32
    assert float(image[0].min()) >= 0.0
    assert float(image[0].max()) <= 9.0


def test_scales_bring_instances_into_the_range_that_is_asked_for() -> None:
    crops = Crops(scale=(0.5, 2.0), diameters=(10.0, 20.0))
    for diameter, low, high in (
        (15, 10 / 15, 20 / 15),
        (4, 2.0, 2.0),
        (100, 0.5, 0.5),
        (0, 0.5, 2.0),
        (18, 10 / 18, 20 / 18),
    ):
        drawn = [draw_scale(crops, diameter, _chance(seed)) for seed in range(50)]
        assert min(drawn) >= low - 1e-9
        assert max(drawn) <= high + 1e-9
        assert max(drawn) - min(drawn) >= 0.8 * (high - low)


def test_amounts_of_0_change_nothing() -> None:
    image = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(change_intensities(image, Augmentations(share=1.0), _chance()), image)


@pytest.mark.parametrize("name", ["brightness", "contrast", "gamma", "noise", "blur", "hue", "stains", "ranges"])
def test_each_augmentation_changes_images_and_the_same_chance_changes_them_alike(name: str) -> None:
    image = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
    amounts = Augmentations(share=1.0, **{name: 0.4})
    first, again, other = (change_intensities(image, amounts, _chance(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.isfinite().all()
    grey = image[:1].expand(3, -1, -1)
    changed = change_intensities(grey, amounts, _chance(1))
    torch.testing.assert_close(changed[0], changed[1])
    torch.testing.assert_close(changed[0], changed[2])


def test_a_hue_turned_by_a_third_swaps_channels() -> None:
    image = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0))

    class Always:
        def uniform(self, low: float, high: float) -> float:
            return high

        def random(self) -> float:
            return 0.0

        def integers(self, most: int) -> int:
            return 0

    chance: Any = Always()
    turned = change_intensities(image, Augmentations(share=1.0, hue=1 / 3), chance)
    torch.testing.assert_close(turned, image[[2, 0, 1]])


def test_a_pure_stain_by_hand() -> None:
    """Haematoxylin of density 1 becomes one of density 2, and nothing else changes."""
    stain = torch.tensor([0.65, 0.70, 0.29])
    stain = stain / stain.norm()
    image = torch.exp(-stain)[:, None, None].expand(3, 2, 2)
    doubled = change_stains(image, [float(np.log(2.0)), 0.3, -0.3])
    torch.testing.assert_close(doubled, torch.exp(-2 * stain)[:, None, None].expand(3, 2, 2), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(change_stains(image * 3, [0.0, 0.0, 0.0]), image * 3, rtol=1e-4, atol=1e-5)


def test_channel_drop_out_keeps_a_choice_in_any_order() -> None:
    image = torch.arange(6.0)[:, None, None].expand(6, 2, 2)
    kept = [drop_channels(image, Channels(least=2, most=4), _chance(seed))[:, 0, 0].tolist() for seed in range(60)]
    assert {len(one) for one in kept} == {2, 3, 4}
    assert all(len(set(one)) == len(one) for one in kept)
    assert any(one != sorted(one) for one in kept)
    assert len(drop_channels(image, Channels(least=9, most=9), _chance())) == 6


def test_a_batch_depends_on_the_recipe_and_the_step_alone(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    plan = load_recipe(write_recipe(tmp_path))
    images, _ = read_dataset(plan)
    whole = list(Batches(plan, images))
    later = Batches(plan, images)
    later.first = 5
    rest = list(later)
    assert len(whole) == len(Batches(plan, images)) == 8
    assert len(rest) == 3
    for first, second in zip(whole[5:], rest, strict=True):
        assert list(first) == ["image", "labels", "distance"]
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(whole[0]["image"], whole[1]["image"])
    ahead = list(Batches(plan, images, workers=1))
    assert all(torch.equal(first["image"], second["image"]) for first, second in zip(whole, ahead, strict=True))
    reseeded = load_recipe(write_recipe(tmp_path, seed=2))
    assert not torch.equal(next(iter(Batches(reseeded, images)))["image"], whole[0]["image"])


def test_shares_decide_how_often_a_type_is_drawn(tmp_path: Path) -> None:
    plan = load_recipe(
        write_recipe(
            tmp_path, data={"shares": {"colour": 9.0, "grey": 1.0}}, crops={"batch": 1}, optimiser={"steps": 60}
        )
    )
    images, _ = read_dataset(plan)
    coloured = [
        bool((batch["image"][0, 0] - batch["image"][0, 2]).abs().max() > 0.3) for batch in Batches(plan, images)
    ]
    assert 45 <= sum(coloured) <= 59


def test_images_of_a_batch_get_empty_channels_to_be_of_one_size(tmp_path: Path) -> None:
    adaptor = {"out_channels": 3, "layers": [4, 4, 4], "norm": "instance"}
    plan = load_recipe(
        write_recipe(tmp_path, model={"channels": None, "adaptor": adaptor}, channels={"least": 1, "most": 3})
    )
    images, _ = read_dataset(plan)
    shapes = {batch["image"].shape[1] for batch in Batches(plan, images)}
    assert shapes <= {1, 2, 3}
    assert len(shapes) > 1
