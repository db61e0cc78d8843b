"""InstanSeg's objective, against the one that its authors published (extra peer)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from instanseg_export.families.instanseg.network import InstanSegNetwork
from instanseg_export.families.instanseg.spec import UNetSpec
from instanseg_export.training.instanseg.distance import relative_distance
from instanseg_export.training.instanseg.objective import InstanSegObjective
from instanseg_export.training.instanseg.options import InstanSegOptions
from support.training_data import discs
from support.training_runs import random_network, small_spec

pytestmark = pytest.mark.peer


def _published(spec: Any, network: InstanSegNetwork, window: int, *, warm: bool, seed_loss: str) -> Any:
    published = pytest.importorskip("instanseg.utils.loss.instanseg_loss")
    loss = published.InstanSeg(
        n_sigma=spec.n_sigma,
        device="cpu",
        binary_loss_fn_str="dice_loss" if warm else "lovasz_hinge",
        seed_loss_fn=seed_loss,
        cells_and_nuclei=len(spec.structures) == 2,
        window_size=window,
        feature_engineering_function=spec.feature_engineering,
        dim_coords=spec.dim_coords,
        dim_seeds=spec.dim_seeds,
    )
    if spec.feature_engineering in ("2", "3", "10"):
        # These take a coordinate map, which they do not use and the loss does not give them.
        computed = loss.feature_engineering
        loss.feature_engineering = lambda embedding, *more, **named: computed(embedding, None, *more, **named)
    loss.num_instance_cap = None  # chance chooses among more; that is tested elsewhere
    loss.pixel_classifier = network.pixel_classifier
    return loss


def _case(spec: Any) -> tuple[Tensor, dict[str, Tensor]]:
    """An output that has learnt something, and the truth."""
    labels = np.stack([[discs(64, 80, seed + 7 * t) for t in range(len(spec.structures))] for seed in (1, 2)])
    distance = np.stack([relative_distance(one) for one in labels])
    truth = torch.from_numpy(labels)
    generator = torch.Generator().manual_seed(3)
    parts = []
    for place in range(len(spec.structures)):
        target = (torch.from_numpy(distance)[:, place : place + 1] - 0.5) * 15.0
        seeds = [target + torch.randn(target.shape, generator=generator)]
        if spec.dim_seeds == 2:
            seeds.append(torch.randn(target.shape, generator=generator))
        embedding = torch.randn(2, spec.dim_coords + spec.n_sigma, 64, 80, generator=generator)
        parts += [embedding, *seeds]
    return torch.cat(parts, dim=1).requires_grad_(), {"labels": truth, "distance": torch.from_numpy(distance)}


@pytest.mark.parametrize(
    ("changes", "warm"),
    [
        ({}, False),
        ({}, True),
        ({"n_sigma": 4, "dim_coords": 3}, False),
        ({"feature_engineering": "2"}, False),
        ({"feature_engineering": "3"}, False),
        ({"feature_engineering": "10"}, False),
        ({"dim_seeds": 2}, False),
        ({"structures": ("nuclei", "cells")}, False),
    ],
    ids=["plain", "warm start", "more dimensions", "norm", "no sigma", "guide", "two seed channels", "two structures"],
)
def test_losses_and_gradients_are_those_of_the_published_code(changes: dict[str, Any], warm: bool) -> None:
    fields = {"dim_coords": 2, "n_sigma": 2, "dim_seeds": 1, "structures": ("nuclei",), **changes}
    out = len(fields["structures"]) * (fields["dim_coords"] + fields["n_sigma"] + fields["dim_seeds"])
    backbone = UNetSpec(in_channels=3, layers=(4, 6), norm="batch", heads=((out,),))
    spec = small_spec(backbone=backbone, **changes)
    network = random_network(spec).requires_grad_(True)
    output, batch = _case(spec)

    objective = InstanSegObjective(spec, InstanSegOptions(warm_start=10 if warm else 0, instances=10_000, window=32))
    ours = sum(objective(network, output, batch, 0, torch.Generator().manual_seed(0)).values())
    assert isinstance(ours, Tensor)
    seed_loss = "distance_and_binary_loss" if spec.dim_seeds == 2 else "binary_xloss" if warm else "l1_distance"
    theirs = _published(spec, network, 32, warm=warm, seed_loss=seed_loss)(output, batch["labels"].clone())
    torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)
    weights = [output, *network.pixel_classifier.parameters()]
    for mine, other in zip(
        torch.autograd.grad(ours, weights, retain_graph=True), torch.autograd.grad(theirs, weights), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=2e-6)
