"""InstanSeg's objective, against values computed by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from instanseg_export.families.instanseg.spec import UNetSpec
from instanseg_export.training.instanseg.distance import relative_distance
from instanseg_export.training.instanseg.objective import InstanSegObjective
from instanseg_export.training.instanseg.options import InstanSegOptions
from support.training_data import discs
from support.training_runs import random_network, small_spec


def _chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class _Constant(nn.Module):
    """A network whose pixel classifier says the same of all pixels."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.pixel_classifier = nn.Linear(4, 1)
        nn.init.zeros_(self.pixel_classifier.weight)
        nn.init.constant_(self.pixel_classifier.bias, logit)


def _objective(**options: Any) -> InstanSegObjective:
    return InstanSegObjective(small_spec(), InstanSegOptions(**{"warm_start": 0, **options}))


def _batch(labels: Any) -> dict[str, Tensor]:
    array = np.array(labels, dtype=np.int32)
    distance = np.stack([relative_distance(one) for one in array])
    return {"labels": torch.from_numpy(array), "distance": torch.from_numpy(distance)}


def _output(seeds: Any) -> Tensor:
    """Embeddings of 0 and a seed map."""
    seed_map = torch.from_numpy(np.array(seeds, dtype=np.float32))[:, None]
    output = torch.cat([torch.zeros(len(seed_map), 4, *seed_map.shape[2:]), seed_map], dim=1)
    return output.requires_grad_()


def test_relative_distance_by_hand() -> None:
    """A bar of five pixels and its neighbour of one; the image's border bounds nothing."""
    labels = np.array([[[0, 2, 2, 2, 2, 2, 7]]], dtype=np.int32)
    expected = [[[0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3, 1]]]
    np.testing.assert_allclose(relative_distance(labels), expected, rtol=1e-6)
    cut = np.array([[[3, 3, 3, 0, -1]]], dtype=np.int32)
    np.testing.assert_allclose(relative_distance(cut), [[[1, 2 / 3, 1 / 3, 0, 0]]], rtol=1e-6)
    np.testing.assert_array_equal(relative_distance(np.ones((1, 3, 4), dtype=np.int32)), np.ones((1, 3, 4)))


def test_seed_loss_by_hand() -> None:
    """Targets -7.5, 7.5, -7.5 against 0: background counts half, and what nobody annotated for nothing."""
    batch = _batch([[[[0, 5, 0, -1]]]])
    losses = _objective(background_weight=0.5, instance_weight=0.0)(
        _Constant(0.0), _output([[[0.0, 0.0, 0.0, 99.0]]]), batch, 0, _chance()
    )
    assert float(losses["seeds"].detach()) == pytest.approx((3.75 + 7.5 + 3.75) / 3)
    assert "instances" not in losses


def test_the_warm_start_is_cross_entropy_and_dice() -> None:
    """Seeds: p = 0.75 of what is true everywhere. Masks: p = 0.5 in a window of 2 x 4 pixels, two of which are ours."""
    three = math.log(3.0)
    batch = _batch([[[[5, 5, 0, 0], [0, 0, 0, 0]]]])
    output = _output([[[three, three, -three, -three], [-three] * 4]])
    losses = _objective(warm_start=10, instance_weight=2.0)(_Constant(0.0), output, batch, 9, _chance())
    assert float(losses["seeds"].detach()) == pytest.approx(-math.log(0.75), rel=1e-5)
    assert float(losses["instances"].detach()) == pytest.approx(2.0 * 1.5 * (1 - 2.0 / (4 + 2)), rel=1e-5)
    after = _objective(warm_start=10)(_Constant(0.0), output, batch, 10, _chance())
    assert float(after["seeds"].detach()) == pytest.approx(((7.5 - three) * 2 + (7.5 - three) * 6) / 8, rel=1e-5)


def test_instance_loss_is_the_hinge_around_each_seed() -> None:
    """All logits 0, so that all errors are 1 and the loss 1, whatever is sorted first; twice, for the weight."""
    batch = _batch([[discs(32, 32, 3)]])
    output = _output([(batch["distance"][0, 0] - 0.5).numpy() * 15])
    losses = _objective(instance_weight=2.0, window=16)(_Constant(0.0), output, batch, 0, _chance())
    assert float(losses["instances"].detach()) == pytest.approx(2.0)


def test_seeds_are_the_maxima_inside_of_instances_and_never_too_many() -> None:
    batch = _batch([[discs(64, 64, 3, count=30)], [np.zeros((64, 64))]])
    fields = _output([(batch["distance"][0, 0] - 0.5).numpy() * 15, np.full((64, 64), 9.0)])
    labels = batch["labels"].flatten(0, 1).long()
    seeds = _objective().sample_seeds(fields, labels, _chance())
    owners = labels[seeds[:, 0], seeds[:, 1], seeds[:, 2]]
    assert (owners > 0).all()
    assert len(torch.unique(owners)) > 15
    few = _objective(instances=4)
    drawn = [few.sample_seeds(fields, labels, _chance(seed)) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert all(len(one) == 4 for one in drawn)
    everything = {tuple(row) for row in seeds.tolist()}
    assert all(tuple(row) in everything for one in drawn for row in one.tolist())


def test_what_nobody_annotated_teaches_nothing() -> None:
    spec = small_spec(backbone=UNetSpec(in_channels=3, layers=(4, 6), norm="batch", heads=((2, 2, 1),)))
    network = random_network(spec)
    labels = discs(32, 32, 3)
    labels[:, 20:] = -1
    batch = _batch([[labels], [np.full((32, 32), -1)]])
    output = torch.randn(2, 5, 32, 32, generator=_chance())
    changed = output.clone()
    changed[0, :, :, 20:] += 3.0
    changed[1] -= 2.0
    options = InstanSegOptions(warm_start=0, window=16)
    first, second = (
        InstanSegObjective(spec, options)(network, one.requires_grad_(), batch, 0, _chance())
        for one in (output, changed)
    )
    for name, loss in first.items():
        torch.testing.assert_close(loss, second[name])
    gradient = torch.autograd.grad(torch.stack(list(first.values())).sum(), output)[0]
    assert not gradient[1].any()
    assert not gradient[0, :, :, 20:].any()
    assert gradient[0].any()


@pytest.mark.parametrize("labels", [np.zeros((16, 16)), np.full((16, 16), 5)], ids=["nothing", "one instance"])
def test_crops_of_nothing_and_of_one_instance_have_a_loss(labels: Any) -> None:
    spec = small_spec()
    network = random_network(spec).requires_grad_(True)
    output = torch.randn(1, 5, 16, 16, generator=_chance()).requires_grad_()
    options = InstanSegOptions(warm_start=0, window=64)
    losses = InstanSegObjective(spec, options)(network, output, _batch([[labels]]), 0, _chance())
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert math.isfinite(float(total.detach()))
    assert output.grad is not None
    assert output.grad.isfinite().all()
