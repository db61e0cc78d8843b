"""EmbedSeg's objective, against values computed by hand and against the one that its authors published."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from instanseg_export.families.embedseg.spec import EmbedSeg3DSpec, EmbedSegSpec
from instanseg_export.training.embedseg.medoid import mark_medoids
from instanseg_export.training.embedseg.objective import EmbedSegObjective
from instanseg_export.training.embedseg.options import EmbedSegOptions
from instanseg_export.training.registry import OBJECTIVES
from support.training_data import discs

NONE = torch.Generator()


def _spec(axes: int, grid: int = 1024) -> EmbedSegSpec:
    kind = EmbedSegSpec if axes == 2 else EmbedSeg3DSpec
    fields: dict[str, Any] = {"family": "embedseg" if axes == 2 else "embedseg_3d"}
    return kind(name="tiny", channels=1, grid=(grid,) * axes, extent=(1.0,) * axes, **fields)


def test_two_pixels_by_hand() -> None:
    """One instance of two pixels in a row of three, a grid of 3 over 2, all offsets and bandwidths 0, medoid first.

    Embeddings lie at 0, 1 and 2, the middle at 0, so that the probabilities are 1, exp(-1) and exp(-4).
    """
    spec = EmbedSegSpec(name="tiny", channels=1, grid=(3, 3), extent=(2.0, 2.0))
    objective = EmbedSegObjective(spec, EmbedSegOptions(foreground_weight=10.0))
    output = torch.zeros(1, 5, 1, 3)
    labels = torch.tensor([[[[4, 4, 0]]]])
    centre = torch.tensor([[[[True, False, False]]]])
    losses = objective(nn.Identity(), output, {"labels": labels, "centre": centre}, 0, NONE)
    second, third = math.exp(-1.0), math.exp(-4.0)
    # Hinge errors, from the largest down: 2 - 2 exp(-1) of the second pixel, 2 exp(-4) of the third.
    assert float(losses["instances"]) == pytest.approx((2 - 2 * second) / 2 + 2 * third * (1 - 1 / 3 - 1 / 2))
    assert float(losses["variance"]) == 0.0
    seeds = 0.25 + 10 * ((0.5 - 1) ** 2 + (0.5 - second) ** 2)
    assert float(losses["seeds"]) == pytest.approx(seeds / 3)


def test_bandwidths_of_an_instance_shall_be_one() -> None:
    objective = EmbedSegObjective(_spec(2), EmbedSegOptions())
    output = torch.zeros(1, 5, 1, 2)
    output[0, 2, 0] = torch.tensor([0.1, 0.3])
    batch = {"labels": torch.ones(1, 1, 1, 2, dtype=torch.int64), "centre": torch.tensor([[[[True, False]]]])}
    losses = objective(nn.Identity(), output, batch, 0, NONE)
    # 10 times the mean of 0.1 squared along x and 0 along y.
    assert float(losses["variance"]) == pytest.approx(10 * 0.005)


def test_an_image_without_instances_pulls_seeds_down_alone() -> None:
    objective = EmbedSegObjective(_spec(2), EmbedSegOptions())
    output = torch.zeros(1, 5, 4, 4, requires_grad=True)
    batch = {"labels": torch.zeros(1, 1, 4, 4), "centre": torch.zeros(1, 1, 4, 4, dtype=torch.bool)}
    losses = objective(nn.Identity(), output, batch, 0, NONE)
    assert {name: float(loss.detach()) for name, loss in losses.items()} == {
        "instances": 0,
        "variance": 0,
        "seeds": 0.25,
    }
    torch.stack(list(losses.values())).sum().backward()


def test_medoids_by_hand() -> None:
    """Of a bent line of five pixels the one before the bend (1 + 1 + sqrt(2) + sqrt(5), at the bend it is 6); of a disc
    the middle; each instance has its own."""
    labels = np.zeros((1, 9, 9), dtype=np.int32)
    labels[0, 0:3, 0] = 3
    labels[0, 2, 0:3] = 3
    rows, columns = np.indices((9, 9))
    labels[0][(rows - 5) ** 2 + (columns - 6) ** 2 <= 4] = 7
    labels[0, 8, 0] = -1
    assert np.argwhere(mark_medoids(labels)[0]).tolist() == [[1, 0], [5, 6]]


@pytest.mark.parametrize("axes", [2, 3])
def test_a_training_starts_with_pixels_that_point_at_themselves(axes: int) -> None:
    """Offsets 0 everywhere, and bandwidths that the authors start with on their grid: 1, on 1,024 pixels."""
    image = torch.rand(1, 1, *(16,) * axes, generator=torch.Generator().manual_seed(0))
    for grid in (1024, 128):
        spec = _spec(axes, grid)
        network = OBJECTIVES.get(spec.family).build(spec)
        output = network(image).detach()
        assert (output[:, :axes] == 0).all()
        reach = torch.exp(10 * output[:, axes : 2 * axes]) * (1 / (grid - 1)) ** 2
        torch.testing.assert_close(reach, torch.full_like(reach, math.exp(10) / 1023**2), rtol=1e-4, atol=0)
        assert float(output[:, -1].std()) > 0


@pytest.mark.peer
@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("cut", [False, True], ids=["medoids inside", "medoids cut off"])
def test_losses_and_gradients_are_those_of_the_published_code(axes: int, cut: bool, capsys: Any) -> None:
    loss = _published(axes)
    planes = [
        np.stack([discs(24, 32, seed + z // 4) for z in range(8)]) if axes == 3 else discs(24, 32, seed)
        for seed in (1, 5)
    ]
    labels = np.stack(planes)[:, None]
    centre = np.stack([mark_medoids(one) for one in labels])
    if cut:
        centre[..., :16] = False
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 2 * axes + 1, *labels.shape[2:], generator=generator) * 0.3
    output.requires_grad_()
    batch = {"labels": torch.from_numpy(labels), "centre": torch.from_numpy(centre)}
    objective = EmbedSegObjective(_spec(axes), EmbedSegOptions(foreground_weight=10.0))
    ours = torch.stack(list(objective(nn.Identity(), output, batch, 0, NONE).values())).sum()
    truth = torch.from_numpy(labels[:, 0])
    theirs = loss(output, truth, (truth > 0).long(), torch.from_numpy(centre[:, 0]))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    mine, other = (torch.autograd.grad(one, output)[0] for one in (ours, theirs))
    torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-6)


def _published(axes: int) -> Any:
    name = "EmbedSeg.criterions.my_loss" if axes == 2 else "EmbedSeg.criterions.my_loss_3d"
    module = pytest.importorskip(name, reason="needs EmbedSeg's wheel, see CONTRIBUTING.md")
    if axes == 2:
        return module.SpatialEmbLoss(foreground_weight=10)
    return module.SpatialEmbLoss_3d(
        grid_z=1024, grid_y=32, grid_x=32, pixel_y=31 / 1023, pixel_x=31 / 1023, foreground_weight=10
    )
