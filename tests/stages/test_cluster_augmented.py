"""The augmented clustering against the classifiers themselves, asked about one view after another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from instanseg_export.families.instanseg.pixel_classifier import ConvProbabilityNet, ProbabilityNet
from instanseg_export.stages.augment import undo_view, view, view_count
from instanseg_export.stages.cluster import PixelClustering
from instanseg_export.stages.cluster_augmented import AugmentedClustering
from instanseg_export.stages.cluster_guided import GuidedClustering
from instanseg_export.stages.fields import Fields, PixelTable, coordinate_step
from instanseg_export.stages.sentinels import huge
from instanseg_export.stages.windows import WindowGrid, open_windows

HEIGHT, WIDTH, HALF = 30, 41, 8
GRID = WindowGrid(HALF, HEIGHT, WIDTH)
DIM_COORDS, N_SIGMA = 3, 2
CHUNK = torch.tensor([[0, 0, 0, 1], [0, 15, 18, 1], [1, 29, 40, 1], [1, 3, 30, 1], [0, 0, 0, 0]])


class Stage(nn.Module):
    """Both steps of the clustering."""

    def __init__(self, clustering: PixelClustering | GuidedClustering) -> None:
        super().__init__()
        self.clustering = AugmentedClustering(clustering, DIM_COORDS, N_SIGMA)

    def forward(self, offset: Tensor, sigma: Tensor, chunk: Tensor, half: int) -> Tensor:
        height, width = offset.shape[2], offset.shape[3]
        values, offsets = self.clustering.per_pixel(Fields(offset, sigma, sigma[:, 0]))
        step_x, step_y = coordinate_step(width, offset.device), coordinate_step(height, offset.device)
        windows = open_windows(chunk, WindowGrid(half, height, width))
        logits: Tensor = self.clustering(PixelTable(values, offsets, step_x, step_y), windows)
        return logits


def fields_of_views() -> list[tuple[Tensor, Tensor]]:
    """Random offsets and sigmas of two planes in each view, as its network would give them."""
    generator = torch.Generator().manual_seed(7)
    fields = []
    for index in range(view_count()):
        shape = view(torch.empty(HEIGHT, WIDTH), index).shape
        offset = torch.rand(2, DIM_COORDS, *shape, generator=generator) * 8 - 4
        fields.append((offset, torch.randn(2, N_SIGMA, *shape, generator=generator)))
    return fields


def run(clustering: PixelClustering | GuidedClustering) -> Tensor:
    stage = Stage(clustering).eval()
    fields = fields_of_views()
    offset = torch.cat([undo_view(offset, index) for index, (offset, _) in enumerate(fields)], dim=1)
    sigma = torch.cat([undo_view(sigma, index) for index, (_, sigma) in enumerate(fields)], dim=1)
    logits: Tensor = stage(offset, sigma, CHUNK, HALF)
    assert torch.equal(torch.jit.script(stage)(offset, sigma, CHUNK, HALF), logits)
    return logits


def embedded(offset: Tensor) -> Tensor:
    """(channels, H, W) offsets plus coordinates, float64."""
    height, width = offset.shape[1:]
    embedding = offset.double()
    embedding[0] += torch.linspace(0, width / 4, width, dtype=torch.float64)
    embedding[1] += torch.linspace(0, height / 4, height, dtype=torch.float64)[:, None]
    return embedding


def seen_by(index: int, plane: int, row: int, column: int) -> Tensor:
    """Difference of embeddings to a seed and sigma of all pixels of a view, (channels, H, W) float64.

    Row and column are the seed's place in the image.
    """
    offset, sigma = fields_of_views()[index]
    embedding = embedded(offset[plane])
    is_seed = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    is_seed[row, column] = True
    difference = embedding - embedding[:, view(is_seed, index)][:, :, None]
    return torch.cat([difference, sigma[plane].double()])


def median(values: list[Tensor]) -> Tensor:
    return torch.stack(values).sort(dim=0).values[3:5].mean(dim=0)


def check(logits: Tensor, expected: list[Tensor]) -> None:
    inside = open_windows(CHUNK, GRID).inside
    for n, plane in enumerate(expected):
        torch.testing.assert_close(logits[n, 0].double(), plane, rtol=1e-4, atol=1e-4)
    assert (logits[~inside] == -huge()).all()
    assert (~inside).any()


def window(n: int) -> tuple[slice, slice]:
    first = open_windows(CHUNK, GRID).pixel[n, 0].item() % (HEIGHT * WIDTH)
    row, column = divmod(int(first), WIDTH)
    return slice(row, row + 2 * HALF), slice(column, column + 2 * HALF)


@pytest.mark.parametrize("engineering", ["0", "2"])
def test_each_view_is_judged_by_itself(engineering: str) -> None:
    torch.manual_seed(3)
    classifier = ProbabilityNet(DIM_COORDS + N_SIGMA + (engineering == "2"), 5)
    logits = run(PixelClustering(classifier.fc1, classifier.fc2, classifier.fc3, DIM_COORDS, engineering))
    classifier.double()
    expected = []
    for n, (plane, row, column, real) in enumerate(CHUNK.tolist()):
        if not real:
            continue
        of_views = []
        for index in range(view_count()):
            features = seen_by(index, plane, row, column)
            if engineering == "2":
                norm = (features[:DIM_COORDS] ** 2 + 1e-6).sum(dim=0, keepdim=True).sqrt()
                features = torch.cat([features, norm])
            of_views.append(undo_view(classifier(features.permute(1, 2, 0))[:, :, 0], index))
        expected.append(median(of_views)[window(n)])
    check(logits, expected)


def test_the_guide_lies_over_the_window_of_the_view() -> None:
    torch.manual_seed(4)
    classifier = ConvProbabilityNet(DIM_COORDS + N_SIGMA, 6).eval()
    nn.init.uniform_(classifier.positional_embedding_params, 0, 9)
    logits = run(GuidedClustering(classifier, DIM_COORDS))
    classifier.double()
    expected = []
    for n, (plane, row, column, real) in enumerate(CHUNK.tolist()):
        if not real:
            continue
        of_views = []
        for index in range(view_count()):
            rows, columns = window(n)
            cut = undo_view(seen_by(index, plane, row, column), index)[:, rows, columns]
            of_views.append(undo_view(classifier(view(cut, index)[None])[0, 0], index))
        expected.append(median(of_views))
    check(logits, expected)
