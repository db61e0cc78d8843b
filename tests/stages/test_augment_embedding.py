"""Views of an image, and outputs brought back from them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from instanseg_export.stages.augment_embedding import turn, turn_back, views
from support.scripted import agreed


def field_of(image: Tensor) -> Tensor:
    """A network without a preferred direction: differences along x, y(, z), their squares, and the image."""
    axes = image.dim() - 2
    differences = []
    for axis in range(axes):
        shifted = [image.roll(by, dims=-1 - axis) for by in (-1, 1)]
        differences.append(shifted[0] - shifted[1])
    return torch.cat([*differences, *(d * d for d in differences), image], dim=1)


@pytest.mark.parametrize("size", [(7, 5), (6, 6), (3, 4, 6)])
def test_what_turns_with_the_image_is_the_same_in_every_view(size: tuple[int, ...]) -> None:
    image = torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(1))
    seen = set()
    for view in range(views(len(size))):
        turned = agreed(turn, image, view)
        seen.add((tuple(turned.shape), tuple(turned.flatten().tolist())))
        torch.testing.assert_close(agreed(turn_back, field_of(turned), view), field_of(image), rtol=0, atol=1e-6)
    assert len(seen) == (8 if len(size) == 2 else 16), "views are all different"
