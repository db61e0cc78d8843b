"""The eight views of a crop."""

from __future__ import annotations

import torch

from instanseg_export.stages.intensities import divide_raw
from instanseg_export.stages.views import eight_views, mean_of_views
from support.scripted import agreed


def test_views_are_all_rotations_and_flips() -> None:
    crops = torch.rand(3, 2, 5, 5)
    views = agreed(eight_views, crops).view(8, 3, 2, 5, 5)
    turned = [torch.rot90(base, k, (2, 3)) for base in (crops, crops.flip(2)) for k in range(4)]
    assert torch.equal(views[0], crops)
    for expected in turned:
        assert sum(torch.equal(expected, view) for view in views) == 1


def test_mean_is_over_views_and_not_over_crops() -> None:
    values = torch.arange(8.0)[:, None] + torch.tensor([[0.0, 100.0, 1000.0]])
    assert agreed(mean_of_views, values.reshape(-1, 1)).flatten().tolist() == [3.5, 103.5, 1003.5]


def test_mean_over_views_does_not_change_when_a_crop_is_turned() -> None:
    crops = torch.rand(2, 1, 6, 6)
    weights = torch.randn(36, 3)
    first = mean_of_views(eight_views(crops).flatten(1) @ weights)
    second = mean_of_views(eight_views(torch.rot90(crops, 1, (2, 3)).flip(3)).flatten(1) @ weights)
    torch.testing.assert_close(first, second)
    assert not torch.allclose(crops.flatten(1) @ weights, torch.rot90(crops, 1, (2, 3)).flatten(1) @ weights)


def test_raw_images_are_divided_and_normalised_ones_are_not() -> None:
    raw, normal = torch.rand(1, 3, 20, 20) * 255, torch.rand(1, 3, 20, 20) * 1.5
    both = agreed(divide_raw, torch.cat([raw, normal]), torch.tensor(0), 255.0)
    assert torch.equal(both, torch.cat([raw / 255.0, normal]))
    assert torch.equal(divide_raw(raw, torch.tensor(1), 255.0), raw / 255.0)
    assert torch.equal(divide_raw(raw, torch.tensor(2), 255.0), raw)
