"""Trainings of the networks that judge cells: what they learn from, and what they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("timm", reason="needs the extra classify")

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.errors import ImageError, RecipeError
from instanseg_export.training.data.batches import Batches
from instanseg_export.training.data.dataset import digest_of, read_dataset
from instanseg_export.training.recipe_file import load_recipe
from instanseg_export.training.run import train
from instanseg_export.training.two_stage.draws import turn
from instanseg_export.training.two_stage.validation import accuracy_and_f1
from support.training_cells import CLASSIFIED, POSITIVITY, write_cell_recipe
from support.training_data import discs

NONE = torch.Generator()
STILL = {"batch": 3, "flips": False, "rotations": False}


def _corner(centre: int, size: int, length: int) -> int:
    return min(max(centre - size // 2, 0), length - size)


def _cut(image: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], label: int) -> np.ndarray[Any, Any]:
    """Cut a crop of 32 pixels as docs/classify.md says it: around the centre of mass, moved into the image."""
    rows, columns = np.nonzero(labels == label)
    top, left = _corner(int(rows.mean()), 32, 64), _corner(int(columns.mean()), 32, 80)
    window = slice(top, top + 32), slice(left, left + 32)
    return np.concatenate([image[:, *window], (labels == label)[None, *window]])


def test_cells_are_those_of_the_label_map_s_numbers(tmp_path: Path) -> None:
    train_images, _ = read_dataset(load_recipe(write_cell_recipe(tmp_path, CLASSIFIED)))
    labels = discs(64, 80, seed=0)
    assert [image.name for image in train_images] == ["image0", "image1"]
    np.testing.assert_array_equal(train_images[0].labels[0], labels)
    expected = [(label, 0, label % 2) for label in range(2, labels.max() + 1)]
    assert train_images[0].cells.tolist() == [list(row) for row in expected]
    before = digest_of(train_images)
    table = tmp_path / "data" / "cells.csv"
    table.write_text(table.read_text().replace("bright", "other").replace("dark", "bright").replace("other", "dark"))
    assert digest_of(read_dataset(load_recipe(tmp_path / "recipe.yaml"))[0]) != before


def test_crops_are_cut_as_the_forward_cuts_them(tmp_path: Path) -> None:
    plan = load_recipe(write_cell_recipe(tmp_path, CLASSIFIED, crops=STILL))
    images, _ = read_dataset(plan)
    wanted = {}
    for image in images:
        for label, _, judged in image.cells:
            crop = _cut(image.pixels.astype(np.float32) / np.float32(255), image.labels[0], label)
            wanted[crop.astype(np.float32).tobytes()] = judged
    batches = list(Batches(plan, images))
    assert batches[0]["image"].shape == (3, 4, 32, 32)
    for batch in batches:
        for crop, judged in zip(batch["image"], batch["class"], strict=True):
            assert wanted[crop.contiguous().numpy().tobytes()] == int(judged)
        assert batch["set"].tolist() == [0, 0, 0]
    later = Batches(plan, images)
    later.first = 6
    assert all(torch.equal(one["image"], two["image"]) for one, two in zip(later, batches[6:], strict=True))


def test_a_crop_is_seen_in_eight_views(tmp_path: Path) -> None:
    crops = load_recipe(write_cell_recipe(tmp_path, CLASSIFIED)).recipe.crops
    crop = torch.arange(9.0).view(1, 3, 3)
    views = {tuple(turn(crop, crops, np.random.default_rng(seed)).flatten().tolist()) for seed in range(60)}
    assert len(views) == 8


def test_a_bag_holds_cells_of_one_image_in_one_channel(tmp_path: Path) -> None:
    plan = load_recipe(write_cell_recipe(tmp_path, POSITIVITY, crops=STILL, objective={"cells": 5}))
    images, _ = read_dataset(plan)
    normal = [plan.family.normal(plan.spec, torch.from_numpy(image.pixels).float()[None])[0] for image in images]
    wanted = {}
    for place, image in enumerate(images):
        told = {(label, channel): value for label, channel, value in image.cells.tolist()}
        for label in range(1, image.labels.max() + 1):
            for channel in (0, 2):
                crop = _cut(normal[place][channel][None].numpy(), image.labels[0], label).astype(np.float32)
                wanted[crop.tobytes()] = (place, channel), told.get((label, channel), -1)
    unknown = 0
    for batch in Batches(plan, images):
        assert batch["image"].shape == (3, 5, 2, 32, 32)
        assert batch["present"].all()
        for bag, positive in zip(batch["image"], batch["positive"], strict=True):
            found = [wanted[crop.contiguous().numpy().tobytes()] for crop in bag]
            assert len({source for source, _ in found}) == 1
            assert [value for _, value in found] == positive.tolist()
            assert (positive >= 0).any()
            unknown += int((positive < 0).sum())
    assert unknown > 0  # those that nobody has judged are seen all the same


def test_bags_of_unlike_size_are_filled_and_what_fills_them_counts_for_nothing(tmp_path: Path) -> None:
    plan = load_recipe(write_cell_recipe(tmp_path, POSITIVITY, crops={"batch": 6}))
    images, _ = read_dataset(plan)
    batch = next(batch for batch in Batches(plan, images) if not batch["present"].all())
    assert (batch["positive"][~batch["present"]] == -1).all()
    torch.manual_seed(0)
    network = plan.family.build(plan.spec, plan.first).eval()
    objective = plan.family.objective(plan.spec, plan.options)
    with torch.no_grad():
        first = plan.family.run(network, batch)
        filled = {**batch, "image": torch.where(batch["present"][:, :, None, None, None], batch["image"], 7.0)}
        second = plan.family.run(network, filled)
    torch.testing.assert_close(first[batch["present"]], second[batch["present"]])
    changed = torch.where(batch["positive"] < 0, first + 100, first)
    losses = [objective(nn.Identity(), one, batch, 0, NONE)["positivity"] for one in (first, changed)]
    assert torch.equal(*losses)


def test_classes_may_be_drawn_equally_often(tmp_path: Path) -> None:
    recipe = write_cell_recipe(tmp_path, CLASSIFIED, crops={"batch": 50}, objective={"balance": True})
    table = tmp_path / "data" / "cells.csv"
    rows = table.read_text().splitlines()
    rare = next(row for row in rows if row.startswith("image0") and row.endswith("bright"))
    table.write_text("\n".join(row for row in rows if not row.endswith("bright") or row == rare or "image2" in row))
    plan = load_recipe(recipe)
    drawn = torch.cat([batch["class"] for batch in Batches(plan, read_dataset(plan)[0])])
    assert 0.4 < float(drawn.float().mean()) < 0.6


def test_accuracy_and_f1_by_hand() -> None:
    """Of class 0, 2 of 3 are right and one more is found; of class 1, 1 of 2 and one more. Class 2 is never true."""
    truth, found = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0])
    assert accuracy_and_f1(truth, found) == pytest.approx((0.6, (2 / 3 + 1 / 2) / 2))
    assert accuracy_and_f1(np.array([0, 1]), np.array([0, 2])) == (0.5, 0.5)


@pytest.mark.parametrize("model", [CLASSIFIED, POSITIVITY], ids=["classified", "positivity"])
def test_a_classifier_trains_and_what_it_leaves_is_a_checkpoint_of_both_stages(
    tmp_path: Path, model: dict[str, Any]
) -> None:
    pytest.importorskip("pytorch_lightning", reason="needs the extra train")
    recipe = write_cell_recipe(tmp_path, model, optimiser={"steps": 2, "warm_up": 1}, validation={"every": 2})
    trained = train(recipe, output=tmp_path / "out", device="cpu")
    assert trained.best is not None
    assert {tuple(score.values) for score in trained.scores.values()} == {("accuracy", "F1 macro")}
    assert 0 < trained.rating <= 1
    for name in ("state.pt", "latest.pt", "losses.csv", "scores.csv", "curves.png", "samples.png"):
        assert (tmp_path / "out" / name).stat().st_size > 0, name
    checkpoint, first = load_checkpoint(trained.best), load_checkpoint(tmp_path / "segmentation.pt")
    assert checkpoint.spec.pixel_size == first.spec.pixel_size
    own: Any = checkpoint.network
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(own.segmentation.state_dict()[name], tensor), name
    with torch.inference_mode():
        labels, logits, *_ = build_forward(checkpoint)(torch.rand(1, 3, 64, 64) * 255)
    assert logits.shape[:2] == (1, int(labels.max()))


@pytest.mark.slow
@pytest.mark.parametrize("model", [CLASSIFIED, POSITIVITY], ids=["classified", "positivity"])
def test_training_tells_the_bright_cells_and_so_does_the_exported_file(tmp_path: Path, model: dict[str, Any]) -> None:
    pytest.importorskip("pytorch_lightning", reason="needs the extra train")
    from instanseg_export import export

    recipe = write_cell_recipe(
        tmp_path,
        model,
        crops={"batch": 16 if model is CLASSIFIED else 2},
        objective={} if model is CLASSIFIED else {"cells": 8},
        optimiser={"steps": 60, "warm_up": 5, "learning_rate": 0.002},
        averaging={"decay": 0.8},
        validation={"every": 20},
    )
    trained = train(recipe, output=tmp_path / "out", device="cpu")
    assert trained.rating > 0.9
    assert trained.best is not None
    exported = export(trained.best, targets=["torchscript"], output=tmp_path / "exported", validate=False)
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 255
    with torch.inference_mode():
        expected = build_forward(load_checkpoint(trained.best))(image)
        found = torch.jit.load(exported.artifacts[0].path)(image)
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("model", "changes", "fact"),
    [
        ({"segmentation": None}, {}, "model.segmentation does not name a checkpoint"),
        ({"segmentation": "gone.pt"}, {}, "model.segmentation: "),
        ({"classes": ["one", "two", "three"]}, {"objective": {"sets": ["a", "b"]}}, "2 sets of 3 classes need 6"),
        ({"classifier": {"architecture": "resnet"}}, {}, "model.classifier.architecture"),
        ({}, {"crops": {"size": 64}}, "crops.size says nothing to InstanSeg and cell classifier"),
        ({}, {"crops": {"scale": [0.5, 2]}}, "crops.scale says nothing"),
        ({}, {"objective": {"gamma": 2}}, "objective.gamma is not a known key"),
        ({}, {"channels": {"least": 1}}, "channels sets channel drop-out"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(
    tmp_path: Path, model: dict[str, Any], changes: dict[str, Any], fact: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write_cell_recipe(tmp_path, {**CLASSIFIED, **model}, **changes))
    assert fact in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("model", "line", "fact"),
    [
        (CLASSIFIED, "image0,6,grey", "line 2: the class 'grey' is none of dark, bright"),
        (CLASSIFIED, "image0,7,dark", "names the cell 7 of labels/image0, which that label map does not have"),
        (CLASSIFIED, "image0,six,dark", "line 2: label is 'six', which is no whole number from 1 on"),
        (CLASSIFIED, "image9,6,dark", "names the image 'image9', which is not in index.csv"),
        (CLASSIFIED, "image0,6,dark\nimage0,6,bright", "line 3: the cell 6 of 'image0' is judged twice"),
        (CLASSIFIED, "image0,6,dark", "says nothing of a cell in the split 'val'"),
        (CLASSIFIED, None, "cells.csv"),
        (POSITIVITY, "image0,6,4,1", "names the channel 4 of image0, which has 3"),
        (POSITIVITY, "image0,6,0,1", "line 2: channel is '0', which is no whole number from 1 on"),
        (POSITIVITY, "image0,6,1,yes", "line 2: positive is 'yes', neither 0 nor 1"),
    ],
)
def test_tables_of_cells_that_do_not_fit_are_refused(
    tmp_path: Path, model: dict[str, Any], line: str | None, fact: str
) -> None:
    recipe = write_cell_recipe(tmp_path, model)
    table = tmp_path / "data" / "cells.csv"
    head = table.read_text().splitlines()[0]
    table.unlink()
    if line is not None:
        table.write_text(f"{head}\n{line}\n")
    with pytest.raises((RecipeError, ImageError)) as caught:
        read_dataset(load_recipe(recipe))
    assert fact in caught.value.message
    assert caught.value.hint


def test_sets_of_labels_have_logits_of_their_own(tmp_path: Path) -> None:
    model = {**CLASSIFIED, "classifier": {"architecture": "mobilenetv4_conv_small", "logits": 4}}
    recipe = write_cell_recipe(tmp_path, model, objective={"sets": ["people", "teacher"]})
    table = tmp_path / "data" / "cells.csv"
    head, *rows = table.read_text().splitlines()
    both = [f"{row},people\n{row},teacher" for row in rows]
    table.write_text("\n".join([f"{head},set", *both]))
    plan = load_recipe(recipe)
    images, _ = read_dataset(plan)
    sets = torch.cat([batch["set"] for batch in Batches(plan, images)])
    assert set(sets.tolist()) == {0, 1}
    objective = plan.family.objective(plan.spec, plan.options)
    output = torch.tensor([[0.0, 9.0, 9.0, 0.0]])
    for of, right in ((0, 1), (1, 0)):
        batch = {"set": torch.tensor([of]), "class": torch.tensor([right])}
        assert float(objective(nn.Identity(), output, batch, 0, NONE)["classes"]) < 0.001
