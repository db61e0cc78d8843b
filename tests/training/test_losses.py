"""Losses, against values computed by hand and against the code of those who published them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from instanseg_export.training.losses.dice import dice_loss
from instanseg_export.training.losses.focal import focal_loss, sigmoid_focal_loss
from instanseg_export.training.losses.lovasz import lovasz_hinge
from instanseg_export.training.two_stage.losses import class_loss, positivity_loss


def test_lovasz_hinge_of_three_pixels_by_hand() -> None:
    """Errors: 1 - 0.5 = 0.5 (ours), 1 + 0.2 = 1.2 (not), 1 - 2 < 0 (ours).

    Sorted: 1.2, then 0.5. Jaccard loss of the first alone: 1 - 2/3; of both: 1 - 1/3. So 1.2 / 3 + 0.5 / 3.
    """
    loss = lovasz_hinge(torch.tensor([[0.5, 0.2, 2.0]]), torch.tensor([[True, False, True]]))
    torch.testing.assert_close(loss, torch.tensor([(1.2 + 0.5) / 3]))


def test_lovasz_hinge_of_a_mask_that_is_found_is_0_and_of_an_empty_one_what_is_too_much() -> None:
    truth = torch.tensor([[True, False], [False, False]])
    loss = lovasz_hinge(torch.tensor([[1.0, -1.0], [0.5, -3.0]]), truth)
    torch.testing.assert_close(loss, torch.tensor([0.0, 1.5]))


def test_pixels_that_do_not_count_count_for_nothing() -> None:
    logits = torch.tensor([[0.5, 0.2, 2.0, 5.0, -4.0]])
    truth = torch.tensor([[True, False, True, False, True]])
    valid = torch.tensor([[True, True, True, False, False]])
    for loss in (lovasz_hinge, dice_loss):
        torch.testing.assert_close(loss(logits, truth, valid), loss(logits[:, :3], truth[:, :3]))


def test_lovasz_hinge_of_no_mask_is_nothing() -> None:
    assert lovasz_hinge(torch.zeros(0, 5), torch.zeros(0, 5, dtype=torch.bool)).shape == (0,)


def _published(logits: Tensor, truth: Tensor) -> Tensor:
    losses = pytest.importorskip("instanseg.utils.loss.lovasz_losses")
    rows = [losses.lovasz_hinge(one[None], mask[None].float()) for one, mask in zip(logits, truth, strict=True)]
    return torch.stack(rows)


@pytest.mark.peer
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 5), pixels=st.integers(1, 60), scale=st.floats(0.01, 50))
def test_lovasz_hinge_and_its_gradient_are_those_of_the_published_code(
    seed: int, rows: int, pixels: int, scale: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(rows, pixels, generator=generator) * scale).requires_grad_()
    truth = torch.rand(rows, pixels, generator=generator) < 0.4
    ours, theirs = lovasz_hinge(logits, truth), _published(logits, truth)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    mine, other = (torch.autograd.grad(loss.sum(), logits)[0] for loss in (ours, theirs))
    torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_dice_loss_by_hand() -> None:
    """Probabilities 0.5 and 0.75, of which the first is ours: 1 - 2 * 0.5 / (1.25 + 1)."""
    loss = dice_loss(torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([[True, False]]), smooth=0.0)
    torch.testing.assert_close(loss, torch.tensor([1.0 - 1.0 / 2.25]))


@pytest.mark.peer
def test_dice_loss_is_that_of_monai() -> None:
    losses = pytest.importorskip("monai.losses")
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 6, 7, generator=generator)
    truth = torch.rand(4, 6, 7, generator=generator) < 0.3
    theirs = losses.DiceLoss(sigmoid=True)(logits[None], truth[None].float())
    torch.testing.assert_close(dice_loss(logits.flatten(1), truth.flatten(1)).mean(), theirs)


def test_focal_losses_by_hand() -> None:
    """p = 0.75 of what is true: (1 - 0.75)^2 * -log(0.75), with a weight of 0.25 for a one."""
    logit = torch.tensor([math.log(3.0)])
    one = sigmoid_focal_loss(logit, torch.ones(1))
    torch.testing.assert_close(one, torch.tensor([0.25 * 0.0625 * -math.log(0.75)]))
    zero = sigmoid_focal_loss(logit, torch.zeros(1))
    torch.testing.assert_close(zero, torch.tensor([0.75 * 0.5625 * -math.log(0.25)]))
    of_classes = focal_loss(torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([1]), weights=torch.tensor([9.0, 2.0]))
    torch.testing.assert_close(of_classes, torch.tensor([2 * 0.0625 * -math.log(0.75)]))


def test_focal_losses_without_focus_are_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(5, 3, generator=generator), torch.tensor([0, 2, 1, 1, 0])
    expected = torch.nn.functional.cross_entropy(logits, truth, reduction="none")
    torch.testing.assert_close(focal_loss(logits, truth, gamma=0.0), expected)
    binary = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], (truth > 0).float(), reduction="none")
    torch.testing.assert_close(sigmoid_focal_loss(logits[:, 0], (truth > 0).float(), 0.0, alpha=None), binary)


def test_focal_loss_is_that_of_torchvision() -> None:
    ops = pytest.importorskip("torchvision.ops")
    generator = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(20, generator=generator), (torch.rand(20, generator=generator) < 0.5).float()
    torch.testing.assert_close(sigmoid_focal_loss(logits, truth), ops.sigmoid_focal_loss(logits, truth))


def test_a_classifier_learns_from_the_set_of_labels_that_a_crop_has() -> None:
    """Two sets of two classes; the third crop has no label. Both known ones give p = 0.75 to what is true."""
    three = math.log(3.0)
    logits = torch.tensor([[three, 0.0, -9.0, 9.0], [5.0, -5.0, 0.0, three], [1.0, 2.0, 3.0, 4.0]], requires_grad=True)
    loss = class_loss(logits, torch.tensor([0, 1, -1]), torch.tensor([0, 1, 0]), 2)
    torch.testing.assert_close(loss, torch.tensor(-math.log(0.75)))
    loss.backward()
    assert logits.grad is not None
    touched = logits.grad != 0
    assert touched.tolist() == [[True, True, False, False], [False, False, True, True], [False] * 4]


def test_what_fills_a_bag_counts_for_nothing() -> None:
    logits = torch.tensor([[math.log(3.0), 100.0]])
    loss = positivity_loss(logits, torch.tensor([[1, 0]]), torch.tensor([[True, False]]))
    torch.testing.assert_close(loss, torch.tensor(0.0625 * -math.log(0.75)))
    assert float(positivity_loss(logits, torch.tensor([[1, 0]]), torch.zeros(1, 2, dtype=torch.bool))) == 0.0
