"""The clustering stages against the classifiers themselves, fed with explicit differences of embeddings."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from instanseg_export.families.instanseg.pixel_classifier import ConvProbabilityNet, ProbabilityNet
from instanseg_export.stages.cluster import PixelClustering
from instanseg_export.stages.cluster_guided import GuidedClustering
from instanseg_export.stages.fields import Fields, PixelTable, coordinate_step
from instanseg_export.stages.sentinels import huge
from instanseg_export.stages.windows import WindowGrid, Windows, open_windows

HEIGHT, WIDTH, HALF = 50, 37, 12
GRID = WindowGrid(HALF, HEIGHT, WIDTH)


class Stage(nn.Module):
    """Both steps of a clustering stage."""

    def __init__(self, clustering: nn.Module, height: int, width: int) -> None:
        super().__init__()
        self.clustering = clustering
        self.height = height
        self.width = width

    def forward(self, offset: Tensor, sigma: Tensor, chunk: Tensor, half: int) -> Tensor:
        values, offsets = self.clustering.per_pixel(Fields(offset, sigma, sigma[:, 0]))
        step_x, step_y = coordinate_step(self.width, offset.device), coordinate_step(self.height, offset.device)
        windows = open_windows(chunk, WindowGrid(half, self.height, self.width))
        logits: Tensor = self.clustering(PixelTable(values, offsets, step_x, step_y), windows)
        return logits


def random_fields(dim_coords: int, n_sigma: int, height: int = HEIGHT, width: int = WIDTH) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    offset = torch.rand(2, dim_coords, height, width, generator=generator) * 8 - 4
    return offset, torch.randn(2, n_sigma, height, width, generator=generator)


CHUNK = torch.tensor([[0, 0, 0, 1], [0, 25, 18, 1], [1, 49, 36, 1], [1, 3, 30, 1], [0, 0, 0, 0]])


def differences(offset: Tensor, sigma: Tensor, windows: Windows) -> tuple[Tensor, Tensor]:
    """Embedding of each window's pixels minus that of its seed, and sigma; float64 (N, channels, S, S)."""
    height, width = offset.shape[2:]
    embedding = offset.double()
    embedding[:, 0] += torch.linspace(0, width / 4, width, dtype=torch.float64)
    embedding[:, 1] += torch.linspace(0, height / 4, height, dtype=torch.float64)[:, None]
    flat = embedding.permute(1, 0, 2, 3).flatten(1)
    size = windows.from_seed_x.shape[2]
    difference = flat[:, windows.pixel] - flat[:, windows.seed_pixel][:, :, None]
    at_pixels = sigma.double().permute(1, 0, 2, 3).flatten(1)[:, windows.pixel]
    shape = (len(windows.pixel), -1, size, size)
    return difference.transpose(0, 1).reshape(shape), at_pixels.transpose(0, 1).reshape(shape)


def logits_of(stage: nn.Module, offset: Tensor, sigma: Tensor, half: int = HALF) -> Tensor:
    result: Tensor = stage(offset, sigma, CHUNK, half)
    assert torch.equal(torch.jit.script(stage)(offset, sigma, CHUNK, half), result)
    return result


@pytest.mark.parametrize("engineering", ["0", "2", "3", "7"])
@pytest.mark.parametrize(("dim_coords", "n_sigma", "width"), [(2, 2, 5), (4, 3, 10), (3, 1, 1)])
def test_equals_the_perceptron(engineering: str, dim_coords: int, n_sigma: int, width: int) -> None:
    inputs = dim_coords + n_sigma + (engineering == "2")
    torch.manual_seed(3)
    classifier = ProbabilityNet(inputs, width)
    clustering = PixelClustering(classifier.fc1, classifier.fc2, classifier.fc3, dim_coords, engineering)
    offset, sigma = random_fields(dim_coords, n_sigma)
    logits = logits_of(Stage(clustering, HEIGHT, WIDTH), offset, sigma)

    windows = open_windows(CHUNK, GRID)
    difference, at_pixels = differences(offset, sigma, windows)
    seen = [difference, at_pixels * 0 if engineering == "3" else at_pixels]
    if engineering == "2":
        seen.append((difference**2 + 1e-6).sum(dim=1, keepdim=True).sqrt())
    expected = classifier.double()(torch.cat(seen, dim=1).permute(0, 2, 3, 1).reshape(-1, inputs))
    expected = expected.view(len(CHUNK), 1, 2 * HALF, 2 * HALF)
    torch.testing.assert_close(logits[windows.inside].double(), expected[windows.inside], rtol=1e-5, atol=1e-5)
    assert (logits[~windows.inside] == -huge()).all()


@pytest.mark.parametrize(("dim_coords", "n_sigma"), [(2, 2), (3, 1)])
def test_equals_the_guided_classifier(dim_coords: int, n_sigma: int) -> None:
    torch.manual_seed(4)
    classifier = ConvProbabilityNet(dim_coords + n_sigma, 6).eval()
    nn.init.uniform_(classifier.positional_embedding_params, 0, 9)
    offset, sigma = random_fields(dim_coords, n_sigma)
    logits = logits_of(Stage(GuidedClustering(classifier, dim_coords), HEIGHT, WIDTH).eval(), offset, sigma)

    windows = open_windows(CHUNK, GRID)
    expected = classifier.double()(torch.cat(differences(offset, sigma, windows), dim=1))
    torch.testing.assert_close(logits[windows.inside].double(), expected[windows.inside], rtol=1e-4, atol=1e-4)
    assert (logits[~windows.inside] == -huge()).all()


def test_image_smaller_than_a_window() -> None:
    classifier = ProbabilityNet(4, 5)
    clustering = PixelClustering(classifier.fc1, classifier.fc2, classifier.fc3, 2, "0")
    offset, sigma = random_fields(2, 2, 4, 9)
    chunk = torch.tensor([[1, 2, 8, 1]])
    logits = Stage(clustering, 4, 9)(offset, sigma, chunk, 8)
    difference, at_pixels = differences(offset, sigma, open_windows(chunk, WindowGrid(8, 4, 9)))
    expected = classifier.double()(torch.cat([difference, at_pixels], dim=1).permute(0, 2, 3, 1))[0, :4, :9, 0]
    torch.testing.assert_close(logits[0, 0, :4, :9].double(), expected, rtol=1e-5, atol=1e-5)
    assert (logits[0, 0, 4:] == -huge()).all()
    assert (logits[0, 0, :, 9:] == -huge()).all()


def test_logits_do_not_depend_on_where_in_a_large_image_the_object_lies() -> None:
    classifier = ProbabilityNet(4, 5)
    clustering = PixelClustering(classifier.fc1, classifier.fc2, classifier.fc3, 2, "0")
    offset, sigma = random_fields(2, 2, 16, 16)
    size = 4096
    wide_offset, wide_sigma = torch.zeros(1, 2, 16, size), torch.zeros(1, 2, 16, size)
    for left in (0, size - 16):
        wide_offset[..., left : left + 16], wide_sigma[..., left : left + 16] = offset[:1], sigma[:1]
    chunk = torch.tensor([[0, 8, 8, 1], [0, 8, size - 8, 1]])
    first, last = Stage(clustering, 16, size)(wide_offset, wide_sigma, chunk, 8)
    assert torch.equal(first, last)
