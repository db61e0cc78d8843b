"""Channel drop-out, for networks that take any number of channels in any order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..recipe import Channels

__all__ = ["drop_channels"]


def drop_channels(image: Tensor, channels: Channels, chance: np.random.Generator) -> Tensor:
    """Keep a random choice of channels, in random order (thesis of Goldsborough, section 4.3).

    Args:
        image: (C, H, W).
        channels: how many to keep at least and at most.
        chance: source of randomness.

    Returns:
        (K, H, W) with K from ``least`` to ``most``, as far as there are so many.
    """
    least, most = min(channels.least, len(image)), min(max(channels.most, channels.least), len(image))
    kept = chance.permutation(len(image))[: chance.integers(least, most + 1)]
    return image.index_select(0, torch.from_numpy(kept))
