# Compiled by torch.jit.script: annotations have to be real types here.
"""Test-time augmentation: exact in every format, blind to the image's orientation, and better than without."""

import csv
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.evaluation.metrics import F1_MU_THRESHOLDS, Counts, count_pairs, overlaps
from instanseg_export.families.instanseg.pixel_classifier import ProbabilityNet
from instanseg_export.stages.augment import undo_view, view
from support.exported_models import OnnxModel, TorchScriptModel, write_both
from support.paths import DEMO, DEMO_IMAGES
from support.synthetic import cells_image, synthetic_checkpoint
from support.training_runs import instanseg_spec


@pytest.fixture(scope="module")
def demo() -> Checkpoint:
    return load_checkpoint(DEMO)


class Files:
    """A forward and its files."""

    def __init__(self, checkpoint: Checkpoint, folder: Path) -> None:
        self.spec = instanseg_spec(checkpoint)
        self.forward: Any = build_forward(checkpoint, {"tta": True})
        write_both(checkpoint, self.forward, folder)
        self.torchscript = TorchScriptModel(folder)
        self.onnx = OnnxModel(folder)

    def agreed(self, image: np.ndarray, **settings: Any) -> dict[str, np.ndarray]:
        """Return the stages of a call, which are equal in all formats to the last bit."""
        args = {name: torch.tensor(value) for name, value in settings.items()}
        with torch.inference_mode():
            eager = {name: value.numpy() for name, value in self.forward.stages(torch.from_numpy(image), args).items()}
        for model in (self.torchscript, self.onnx):
            for name, value in model.stages(image, **settings).items():
                np.testing.assert_array_equal(value, eager[name], err_msg=name, strict=True)
        return eager


@pytest.fixture(scope="module")
def synthetic_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Behind a network that does nothing: nuclei and cells, two seed channels."""
    return Files(synthetic_checkpoint(), tmp_path_factory.mktemp("augmented"))


# The same labels in every format


@pytest.mark.parametrize(
    "shape", [pytest.param((2, 97, 110), marks=pytest.mark.slow), (1, 31, 65), (1, 1, 1), (1, 1, 40)], ids=str
)
def test_formats_agree_to_the_last_bit(synthetic_files: Files, shape: tuple[int, int, int]) -> None:
    batch, height, width = shape
    stages = synthetic_files.agreed(cells_image(synthetic_files.spec, height, width, 4, batch))
    assert stages["labels"].shape == (batch, 2, height, width)
    assert (stages["labels"].max() > 3) == (height > 1)


def test_settings_still_have_their_effect(synthetic_files: Files) -> None:
    image = cells_image(synthetic_files.spec, 90, 100, 6)
    usual = synthetic_files.agreed(image)["labels"]
    loose = synthetic_files.agreed(image, seed_threshold=0.55, peak_distance=3, mask_threshold=0.3, min_size=0)
    assert loose["labels"].max() > usual.max() > 0
    unclean = synthetic_files.agreed(image, cleanup_fragments=False, resolve_cell_and_nucleus=False)["labels"]
    assert (unclean != usual).any()


def test_no_objects(synthetic_files: Files) -> None:
    assert not synthetic_files.agreed(np.full((2, 12, 40, 50), -1.0, dtype=np.float32))["labels"].any()


@pytest.mark.slow
def test_files_of_a_channel_net_agree_on_a_real_image(shared: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(shared / "checkpoints" / "nuclei_cells_channelnet")
    files = Files(checkpoint, tmp_path)
    reference = np.load(shared / "golden" / "nuclei_cells_channelnet" / "multiplex_2ch.npz")
    image = np.ascontiguousarray(reference["input"][None, :, 40:143, 60:170])
    expected = files.onnx(image)
    assert expected[:, 1].max() >= 5
    assert (files.torchscript(image) != expected).mean() <= 1e-5
    more = np.concatenate([image, image[:, :1] * 0.5], axis=1)
    assert (files.torchscript(more) != files.onnx(more)).mean() <= 1e-5
    # What was exported is read back like any other file, and takes the setting along no further than it is asked to.
    again = load_checkpoint(tmp_path / "instanseg.pt")
    for name, weight in again.network.state_dict().items():
        assert torch.equal(weight, checkpoint.network.state_dict()[name])


# Views


class Slopes(nn.Module):
    """A network that treats all directions alike: offsets are the slopes of a plane, sigma and seed map its height."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.pixel_classifier = classifier
        self.multiple = 16

    def forward(self, image: Tensor) -> Tensor:
        padded = nn.functional.pad(image, [1, 1, 1, 1], mode="replicate")
        right = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
        down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
        return torch.cat([right * 4, down * 4, image, image * 6], dim=1)


def _slopes_checkpoint() -> Checkpoint:
    checkpoint = synthetic_checkpoint(("nuclei",), n_sigma=1, dim_seeds=1, mlp_width=4)
    classifier = ProbabilityNet(3, 4)
    for parameter in classifier.parameters():
        parameter.data.zero_()
    # 0.9 - |dx| - |dy|: what is not turned back, or points the wrong way, changes it.
    for unit, (channel, sign) in enumerate([(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)]):
        classifier.fc1.weight.data[unit, channel] = sign
        classifier.fc2.weight.data[unit, unit] = 1.0
        classifier.fc3.weight.data[0, unit] = -1.0
    classifier.fc3.bias.data += 0.9
    spec = checkpoint.spec.model_copy(update={"channels": 1})
    return replace(checkpoint, spec=spec, network=Slopes(classifier).eval().requires_grad_(False))


def _hills(height: int, width: int) -> Tensor:
    """Smooth hills, rounded so coarsely that sums of them are exact in any order."""
    from scipy import ndimage

    noise = np.random.default_rng(8).normal(0, 1, (height, width))
    hills = ndimage.gaussian_filter(noise, 4, mode="reflect")
    return torch.from_numpy(np.round(hills / hills.std() * 64) / 64).to(torch.float32)[None, None]


def test_a_network_without_a_preferred_direction_gains_nothing_and_loses_nothing() -> None:
    checkpoint, image = _slopes_checkpoint(), _hills(80, 112)
    plain = build_forward(checkpoint).stages(image)
    augmented = build_forward(checkpoint, {"tta": True}).stages(image)
    assert plain["labels"].max() > 15
    for name in ("seeds", "cluster", "labels"):
        assert torch.equal(plain[name], augmented[name]), name


@pytest.mark.parametrize("shape", [(96, 112), (83, 110)], ids=str)
def test_the_orientation_of_the_image_does_not_matter(demo: Checkpoint, shape: tuple[int, int]) -> None:
    with Image.open(DEMO_IMAGES / "fluorescence.png") as opened:
        picture = np.asarray(opened.convert("RGB"))
    image = torch.from_numpy(picture[: shape[0], : shape[1]].astype(np.float32)).permute(2, 0, 1)[None]

    def moved_by_views(forward: Any) -> int:
        """Count the pixels that are in an object or not according to which side one looks from."""
        expected = forward(image) > 0
        return sum(
            int((undo_view(forward(view(image, index).contiguous()) > 0, index) != expected).sum())
            for index in (1, 4, 6)
        )

    # A sum of seed maps in another order may round otherwise, so a seed may move by a pixel.
    assert moved_by_views(build_forward(demo, {"tta": True})) <= 5
    assert moved_by_views(build_forward(demo)) > 100


# It helps


Labelled = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def labelled(shared: Path) -> Labelled:
    """The images of the validation split, (3, H, W), with their label maps, (H, W)."""
    pairs = []
    with zipfile.ZipFile(shared / "data" / "dsb2018" / "dsb2018_train.zip") as archive:

        def read(name: str) -> np.ndarray:
            return np.asarray(Image.open(io.BytesIO(archive.read(name))))

        for row in csv.DictReader(archive.read("index.csv").decode().splitlines()):
            if row["split"] == "val":
                image = np.atleast_3d(read(f"images/{row['id']}.png"))[:, :, :3]
                image = np.broadcast_to(image, (*image.shape[:2], 3))
                labels = read(f"labels/{row['id']}.png")
                pairs.append((np.moveaxis(image, -1, 0).astype(np.float32), labels.astype(np.int64)))
    return pairs


def _f1_mu(forward: Any, pairs: Labelled) -> float:
    counts = [Counts() for _ in F1_MU_THRESHOLDS]
    with torch.inference_mode():
        for image, truth in pairs:
            found = forward(torch.from_numpy(image)[None])[0, 0].numpy().astype(np.int64)
            overlapping = overlaps(found, truth)
            counts = [
                count + count_pairs(overlapping, threshold)
                for count, threshold in zip(counts, F1_MU_THRESHOLDS, strict=True)
            ]
    return float(np.mean([count.f1 for count in counts]))


def test_more_nuclei_of_a_few_images_are_right(demo: Checkpoint, labelled: Labelled) -> None:
    few = [pair for pair in labelled if pair[1].size <= 256 * 320][::8]
    assert len(few) >= 5
    assert _f1_mu(build_forward(demo, {"tta": True}), few) > _f1_mu(build_forward(demo), few) + 0.01


@pytest.mark.slow
def test_more_nuclei_of_the_validation_split_are_right(demo: Checkpoint, labelled: Labelled) -> None:
    assert len(labelled) == 70
    assert _f1_mu(build_forward(demo, {"tta": True}), labelled) > _f1_mu(build_forward(demo), labelled) + 0.01
