"""Segment, crop, classify: files against eager PyTorch, and eager PyTorch against the method written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import tifffile
import torch
from skimage.io import imread
from torch import nn

from instanseg_export.checkpoints import Checkpoint, load_checkpoint
from instanseg_export.families.outputs import label_map
from instanseg_export.families.registry import build_forward
from support.drawn_parts import in_one_piece
from support.exported_models import write_both
from support.paths import DEMO_IMAGES
from support.two_stage_models import SEGMENTATION, classified_recipe, crop_classifier, positivity_recipe, write_recipe

pytest.importorskip("torchvision")
pytest.importorskip("timm")


@dataclass(frozen=True)
class Model:
    """A checkpoint, its forward and its two files."""

    folder: Path
    checkpoint: Checkpoint
    forward: Any
    module: Any
    session: ort.InferenceSession

    def eager(self, image: np.ndarray, **settings: Any) -> list[np.ndarray]:
        args = {name: torch.tensor(value) for name, value in settings.items()}
        with torch.inference_mode():
            return [result.numpy() for result in self.forward(torch.from_numpy(image), args)]

    def torchscript(self, image: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            return [result.numpy() for result in self.module(torch.from_numpy(image))]

    def onnx(self, image: np.ndarray) -> list[np.ndarray]:
        results: list[np.ndarray] = self.session.run(None, {"image": image})
        return results


def export(recipe: Path, folder: Path) -> Model:
    checkpoint = load_checkpoint(recipe)
    forward = build_forward(checkpoint)
    write_both(checkpoint, forward, folder)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    return Model(folder, checkpoint, forward, torch.jit.load(folder / "instanseg.pt"), session)


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Takes images at 0.25 µm; what segments was trained at 0.5 µm."""
    folder = tmp_path_factory.mktemp("classified")
    return export(classified_recipe(folder, pixel_size=0.25), folder)


@pytest.fixture(scope="module")
def positivity(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Model:
    folder = tmp_path_factory.mktemp("positivity")
    return export(positivity_recipe(folder, shared / "checkpoints" / "nuclei_cells_channelnet"), folder)


@cache
def histology() -> np.ndarray:
    """(1, 3, 150, 170) float32, 8-bit values, stained nuclei enlarged to 0.25 µm."""
    image = imread(DEMO_IMAGES / "histology.png")[40:115, 60:145, :3]
    return np.ascontiguousarray(image.repeat(2, 0).repeat(2, 1).transpose(2, 0, 1)[None].astype(np.float32))


@pytest.fixture(scope="module")
def markers(shared: Path) -> np.ndarray:
    """(1, 5, 120, 140) float32, a piece of the multiplexed image in five channels."""
    image = tifffile.imread(shared / "data" / "multiplex" / "FIHC4_2_component_data.tif", key=range(5))
    assert image.shape[0] == 5
    return np.ascontiguousarray(image[None, :, 100:220, 120:260].astype(np.float32))


def assert_equal(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    np.testing.assert_array_equal(found[0], expected[0])
    assert [part.shape for part in found] == [part.shape for part in expected]
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def edge_cases(image: np.ndarray) -> dict[str, np.ndarray]:
    black = np.zeros_like(image)
    return {
        "as it is": image,
        "no objects": black,
        "batch": np.concatenate([image, black, image[:, :, ::-1]]),
        "smaller than a crop": np.ascontiguousarray(image[:, :, 40:60, 30:140]),
        "one pixel": np.ascontiguousarray(image[:, :, :1, :1]),
        "one row": np.ascontiguousarray(image[:, :, 7:8]),
    }


def assert_files_agree(model: Model, image: np.ndarray) -> None:
    for name, case in edge_cases(image).items():
        before = case.copy()
        expected = model.eager(case)
        assert expected[0].shape[2:] == case.shape[2:], name
        assert_equal(model.torchscript(case), expected)
        assert_equal(model.onnx(case), expected)
        np.testing.assert_array_equal(case, before)
    assert model.eager(image)[0].max() > 8


@pytest.mark.slow
def test_classified_files_agree(classified: Model) -> None:
    assert_files_agree(classified, histology())
    names = [output.name for output in classified.session.get_outputs()]
    assert names == ["instance_segmentation", "detection_logits", "detection_classes"]


@pytest.mark.slow
def test_positivity_files_agree_on_five_channels(positivity: Model, markers: np.ndarray) -> None:
    assert_files_agree(positivity, markers)
    labels, logits = positivity.onnx(markers)
    assert logits.shape == (1, int(labels[:, -1].max()), 5)
    two = np.ascontiguousarray(markers[:, :2])
    assert_equal(positivity.onnx(two), positivity.torchscript(two))


def test_rows_belong_to_labels_and_absent_ones_are_marked(classified: Model) -> None:
    image = histology()
    labels, logits, classes = classified.eager(image)
    count = int(labels.max())
    assert logits.shape == (1, count, 3)
    assert classes.shape == (1, count, 1)
    np.testing.assert_array_equal(classes[0, :, 0], logits[0].argmax(axis=1))
    assert len(np.unique(logits[0].round(4), axis=0)) == count

    both = classified.eager(np.concatenate([np.zeros_like(image), image]))
    assert not both[1][0].any()
    assert (both[2][0] == -1).all()
    np.testing.assert_allclose(both[1][1], logits[0], rtol=1e-4, atol=1e-4)


def crop(image: np.ndarray, mask: np.ndarray, size: int) -> np.ndarray:
    """(C + 1, size, size) around a mask in an image larger than that."""
    corner = [
        min(max(int(places.sum() // len(places)) - size // 2, 0), length - size)
        for places, length in zip(np.nonzero(mask), mask.shape, strict=True)
    ]
    stack = np.concatenate([image, mask[None]]).astype(np.float32)
    return stack[:, corner[0] : corner[0] + size, corner[1] : corner[1] + size]


def network_of(model: Model) -> Any:
    return model.checkpoint.network.get_submodule("classifier")


def normalised(image: np.ndarray) -> np.ndarray:
    """Return what a client sends that normalises by itself."""
    low, high = np.percentile(image, [0.1, 99.9], axis=(2, 3), keepdims=True)
    scaled: np.ndarray = ((image - low) / (high - low)).clip(-0.5, 1.5).astype(np.float32)
    return scaled


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "normalised"])
def test_logits_are_the_mean_over_eight_views_of_a_crop_at_the_images_own_pixel_size(
    classified: Model, raw: bool
) -> None:
    image = histology() if raw else normalised(histology())
    labels, logits, _ = classified.eager(image)
    unit = image[0] / 255.0 if raw else image[0]
    assert labels.max() > 8
    for label in range(1, int(labels.max()) + 1):
        piece = crop(unit, labels[0, 0] == label, 32)
        views = [np.rot90(side, turns, (1, 2)) for side in (piece, piece[:, ::-1]) for turns in range(4)]
        with torch.inference_mode():
            each = [network_of(classified)(torch.from_numpy(view.copy())[None])[0, :3].numpy() for view in views]
        np.testing.assert_allclose(logits[0, label - 1], np.mean(each, axis=0), rtol=1e-3, atol=1e-4)


def test_segmentation_is_the_one_at_its_own_pixel_size(classified: Model) -> None:
    labels = classified.eager(histology())[0]
    halved = histology()[:, :, ::2, ::2]
    alone = build_forward(load_checkpoint(SEGMENTATION))
    with torch.inference_mode():
        smaller = label_map(alone(torch.from_numpy(np.ascontiguousarray(halved)))).numpy()
    # The image was enlarged by repeating pixels, and the triangle blurs it a little on the way back.
    enlarged = smaller.repeat(2, 2).repeat(2, 3)
    assert ((labels > 0) == (enlarged > 0)).mean() > 0.97
    assert abs(labels.max() - smaller.max()) <= 3


def test_ids_have_no_gaps_when_objects_are_lost_on_the_way_back(tmp_path: Path) -> None:
    # What segments sees four times as many rows as the image has: instances of few pixels can fall between them.
    recipe = classified_recipe(tmp_path, pixel_size=2.0, settings={"min_size": 0})
    forward: Any = build_forward(load_checkpoint(recipe))
    small = np.ascontiguousarray(histology()[:, :, ::3, ::3])
    batch = torch.from_numpy(np.concatenate([small, small[:, :, ::-1]]))
    with torch.inference_mode():
        labels, logits, _ = forward(batch)
    for image in labels.numpy():
        ids = np.unique(image)
        np.testing.assert_array_equal(ids, np.arange(len(ids)))
    assert logits.shape[1] == labels.max() > 0


def test_instances_are_in_one_piece_at_the_images_own_pixel_size(tmp_path: Path) -> None:
    """Of four rows of what segments the image has one: what narrow bridges held together comes apart."""
    settings = {"min_size": 0, "mask_threshold": 0.8, "cleanup_fragments": False}
    recipe = classified_recipe(tmp_path, pixel_size=2.0, settings=settings)
    forward: Any = build_forward(load_checkpoint(recipe))
    small = np.ascontiguousarray(histology()[:, :, ::3, ::3])
    batch = torch.from_numpy(np.concatenate([small, small[:, :, ::-1]]))
    with torch.inference_mode():
        pieces = forward(batch, {"connected": torch.tensor(False)})[0].numpy()
        labels, logits, _ = forward(batch)
    assert not in_one_piece(pieces)
    assert in_one_piece(labels.numpy())
    for image in labels.numpy():
        np.testing.assert_array_equal(np.unique(image), np.arange(image.max() + 1))
    assert logits.shape[1] == labels.max() > 0


def test_settings_reach_the_segmentation(classified: Model) -> None:
    labels = classified.eager(histology())[0]
    areas = np.bincount(labels.astype(int).ravel())[1:]
    limit = int(np.median(areas)) // 4
    fewer, logits, _ = classified.eager(histology(), min_size=limit)
    assert 0 < fewer.max() < labels.max()
    assert logits.shape[1] == fewer.max()
    nothing = classified.eager(histology(), seed_threshold=9.0)
    assert nothing[0].max() == 0
    assert nothing[1].shape == (1, 0, 3)
    overridden = {"image": histology(), "seed_threshold": np.array(9.0, dtype=np.float32)}
    assert classified.session.run(None, overridden)[1].shape == (1, 0, 3)


def test_nan_and_infinities_are_background(classified: Model) -> None:
    holed = histology().copy()
    holed[:, :, 20:40, 30:60] = np.nan
    holed[:, :, 90:95, 100:120] = np.inf
    labels, logits, _ = classified.eager(holed)
    assert labels.max() > 5
    assert np.isfinite(logits).all()
    assert_equal(classified.onnx(holed), classified.eager(holed))


def largest_batch(module: nn.Module, run: Callable[[], Any]) -> int:
    """Return how many crops a network gets at a time, at most."""
    sizes: list[int] = []
    hook = module.register_forward_pre_hook(lambda _, arguments: sizes.append(len(arguments[0])))
    run()
    hook.remove()
    return max(sizes)


def test_crops_are_made_in_chunks_however_many_cells_there_are(classified: Model) -> None:
    image = histology()
    many = np.tile(image, (1, 1, 3, 3))
    trunk = classified.forward.network.classifier
    assert classified.eager(many)[0].max() > 40
    assert largest_batch(trunk, lambda: classified.eager(many)) == 32
    assert largest_batch(trunk, lambda: classified.eager(image)) == 32


@pytest.mark.slow
def test_positivity_judges_each_channel_by_itself_and_all_cells_together(
    positivity: Model, markers: np.ndarray
) -> None:
    labels, logits = positivity.eager(markers)
    normal = positivity.forward.stages(torch.from_numpy(markers))["normalize"].numpy()
    count = int(labels.max())
    network = network_of(positivity)
    for channel in range(5):
        crops = [crop(normal[0, channel : channel + 1], labels[0, -1] == n, 32) for n in range(1, count + 1)]
        with torch.inference_mode():
            bag = network.embed(torch.from_numpy(np.stack(crops)))[None]
            expected = network(bag, torch.ones(1, count, dtype=torch.bool))[0].numpy()
        np.testing.assert_allclose(logits[0, :, channel], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_channels_of_positivity_change_places_with_those_of_the_image(positivity: Model, markers: np.ndarray) -> None:
    order = [3, 0, 4, 1, 2]
    labels, logits = positivity.eager(markers)
    turned = positivity.eager(np.ascontiguousarray(markers[:, order]))
    np.testing.assert_array_equal(turned[0], labels)
    np.testing.assert_allclose(turned[1], logits[:, :, order], rtol=1e-3, atol=1e-3)


def test_an_exported_file_is_read_again(classified: Model) -> None:
    again = load_checkpoint(classified.folder / "instanseg.pt")
    forward: Any = build_forward(again)
    with torch.inference_mode():
        found = [result.numpy() for result in forward(torch.from_numpy(histology()))]
    assert_equal(found, classified.eager(histology()))


def test_efficientnet_of_torchvision_becomes_torchscript(tmp_path: Path) -> None:
    network = crop_classifier(architecture="efficientnet_v2_s", stem_padding=1)
    torch.save(network.state_dict(), tmp_path / "classifier.pth")
    recipe = write_recipe(tmp_path, classes=["a", "b", "c"], crop_size=16, first_logit=3)
    forward: Any = build_forward(load_checkpoint(recipe))
    image = torch.from_numpy(np.ascontiguousarray(histology()[:, :, ::2, ::2]))
    with torch.inference_mode():
        labels, logits, _ = forward(image)
        found = torch.jit.script(forward)(image)
        piece = torch.from_numpy(crop(image[0].numpy() / 255.0, labels[0, 0].numpy() == 1, 16).copy())
        views = torch.stack([torch.rot90(s, k, (1, 2)) for s in (piece, piece.flip(1)) for k in range(4)])
        torch.testing.assert_close(logits[0, 0], network(views).mean(dim=0)[3:], rtol=1e-3, atol=1e-4)
    assert labels.max() > 3
    assert torch.equal(found[0], labels)
    torch.testing.assert_close(found[1], logits, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "padding", "logits"), [("efficientnet_v2_l", 1, 6), ("mobilenetv4_conv_large", 0, 3)]
)
def test_full_networks_become_both_files(tmp_path: Path, architecture: str, padding: int, logits: int) -> None:
    network = crop_classifier(architecture=architecture, embedding=64, logits=logits, stem_padding=padding)
    torch.save(network.state_dict(), tmp_path / "classifier.pth")
    model = export(write_recipe(tmp_path, classes=["lymphocyte", "monocyte", "other"]), tmp_path)
    image = np.ascontiguousarray(histology()[:, :, 20:100:2, 30:110:2])
    expected = model.eager(image)
    assert expected[0].max() > 0
    assert_equal(model.torchscript(image), expected)
    assert_equal(model.onnx(image), expected)
