"""IAUNet's objective: matching, and the losses of the matched."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from instanseg_export.families.iaunet.spec import IAUNetSpec
from instanseg_export.training.iaunet.objective import IAUNetObjective, dice_of_pairs, entropy_of_pairs, match_queries
from instanseg_export.training.iaunet.options import IAUNetOptions
from support.iaunet_models import random_checkpoint

NONE = torch.Generator()


def _objective(**options: Any) -> IAUNetObjective:
    spec = random_checkpoint(classes=("cell",)).spec
    assert isinstance(spec, IAUNetSpec)
    return IAUNetObjective(spec, IAUNetOptions(**options))


def test_pairs_by_hand() -> None:
    """Probabilities 0.5 and 0.75 against a mask of the first pixel, and of both."""
    logits = torch.tensor([[0.0, math.log(3.0)]])
    masks = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    valid = torch.ones(2)
    entropy = [(-math.log(0.5) - math.log(0.25)) / 2, (-math.log(0.5) - math.log(0.75)) / 2]
    torch.testing.assert_close(entropy_of_pairs(logits, masks, valid), torch.tensor([entropy]))
    squares = 0.25 + 0.5625
    dice = [1 - 1.0 / (squares + 1), 1 - 2.5 / (squares + 2)]
    torch.testing.assert_close(dice_of_pairs(logits, masks, valid), torch.tensor([dice]))


def test_pixels_that_nobody_annotated_count_for_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(3, 8, generator=generator), torch.rand(2, 8, generator=generator)
    valid = torch.tensor([1.0] * 5 + [0.0] * 3)
    for of_pairs in (entropy_of_pairs, dice_of_pairs):
        torch.testing.assert_close(of_pairs(logits, masks, valid), of_pairs(logits[:, :5], masks[:, :5], torch.ones(5)))


@pytest.mark.parametrize(("queries", "instances"), [(5, 3), (3, 3), (2, 4), (3, 0)])
def test_matching_is_the_cheapest_of_all(queries: int, instances: int) -> None:
    cost = torch.rand(queries, instances, generator=torch.Generator().manual_seed(queries))
    rows, columns = match_queries(cost)
    found = float(cost[rows, columns].sum())
    wide = cost if queries >= instances else cost.t()
    every = itertools.permutations(range(wide.shape[0]), wide.shape[1])
    best = min(sum(float(wide[row, column]) for column, row in enumerate(order)) for order in every)
    assert found == pytest.approx(best)
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == min(queries, instances)


def _batch() -> dict[str, Any]:
    labels = np.zeros((1, 1, 16, 16), dtype=np.int32)
    labels[0, 0, :8, :8], labels[0, 0, 8:, 8:] = 3, 9
    return {"labels": torch.from_numpy(labels)}


def _output(masks: torch.Tensor, classes: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(masks[None], classes[None])]


def test_what_is_found_costs_nothing_whatever_the_order_of_queries() -> None:
    """Three queries, two instances: the third is "no object"."""
    truth = F.avg_pool2d(torch.stack([(_batch()["labels"][0, 0] == label).float() for label in (9, 3)]), 4)
    masks = torch.cat([(truth * 2 - 1) * 30, torch.full((1, 4, 4), -30.0)])
    classes = torch.tensor([[20.0, -20.0], [20.0, -20.0], [-20.0, 20.0]])
    objective = _objective()
    for order in ([0, 1, 2], [2, 0, 1]):
        losses = objective(nn.Identity(), _output(masks[order], classes[order]), _batch(), 0, NONE)
        assert sum(map(float, losses.values())) == pytest.approx(0.0, abs=1e-4)


def test_losses_by_hand() -> None:
    """All logits 0: each class has p = 1/2, each pixel too. Two matched and one that is weighted by 0.1."""
    objective = _objective()
    losses = objective(nn.Identity(), _output(torch.zeros(3, 4, 4), torch.zeros(3, 2)), _batch(), 0, NONE)
    assert float(losses["classes"]) == pytest.approx(math.log(2.0))
    assert float(losses["masks"]) == pytest.approx(5 * math.log(2.0))
    # Of 16 pixels 4 are an instance's: 1 - 2 * 4 * 0.5 / (16 * 0.25 + 4).
    assert float(losses["dice"]) == pytest.approx(2 * (1 - 4 / 8))


def test_every_block_is_supervised_unless_the_recipe_says_no() -> None:
    output = 3 * _output(torch.zeros(3, 4, 4), torch.zeros(3, 2))
    deep = _objective()(nn.Identity(), output, _batch(), 0, NONE)
    last = _objective(deep=False)(nn.Identity(), output, _batch(), 0, NONE)
    for name, loss in deep.items():
        torch.testing.assert_close(loss, 3 * last[name])


def test_an_image_without_instances_teaches_no_object_alone() -> None:
    objective = _objective()
    batch = {"labels": torch.zeros(1, 1, 16, 16, dtype=torch.int32)}
    losses = objective(nn.Identity(), _output(torch.zeros(3, 4, 4), torch.zeros(3, 2)), batch, 0, NONE)
    assert float(losses["masks"]) == float(losses["dice"]) == 0.0
    assert float(losses["classes"]) == pytest.approx(math.log(2.0))
