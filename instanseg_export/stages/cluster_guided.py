"""Cluster pixels around seeds by the classifier that sees where in the window a pixel lies."""

import torch
from torch import Tensor, nn

from .fields import Fields, PixelTable
from .sentinels import huge
from .windows import Windows

__all__ = ["GuidedClustering"]


class GuidedClustering(nn.Module):
    """Logits of "this pixel belongs to this seed" for feature engineering 10, with the interface of PixelClustering.

    The classifier is three stacks of 1 x 1 convolutions, the first of which also sees sine waves over the window. Its
    convolutions are left to the runtime, so the last bits of its logits may differ between runtimes.

    Args:
        classifier: maps windows (N, dim_coords + n_sigma, S, S) to logits (N, 1, S, S).
        dim_coords: channels of the positional embedding; the first two are x and y.
    """

    def __init__(self, classifier: nn.Module, dim_coords: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.dim_coords = dim_coords

    def per_pixel(self, fields: Fields) -> tuple[Tensor, Tensor]:
        """Return the embeddings of all pixels without coordinates, (P * H * W, dim_coords + n_sigma), and the offsets.

        Both are float32, and the second is a part of the first.
        """
        table = torch.cat([fields.offset, fields.sigma], dim=1).permute(0, 2, 3, 1).flatten(0, 2)
        return table, table[:, : self.dim_coords]

    def forward(self, table: PixelTable, windows: Windows) -> Tensor:
        """Return logits (N, 1, S, S) of a chunk of windows.

        Args:
            table: with the values and the offsets of :meth:`per_pixel`.
            windows: the chunk.
        """
        size = windows.from_seed_x.shape[2]
        rows = table.values.index_select(0, windows.pixel.flatten()).view(-1, size, size, table.values.shape[1])
        seed = table.offset.index_select(0, windows.seed_pixel)
        planes = []
        for i in range(self.dim_coords):
            difference = rows[:, :, :, i] - seed[:, i, None, None]
            if i == 0:
                difference = difference + windows.from_seed_x * table.step_x
            if i == 1:
                difference = difference + windows.from_seed_y * table.step_y
            planes.append(difference)
        for i in range(self.dim_coords, table.values.shape[1]):
            planes.append(rows[:, :, :, i])
        logits = self.classifier(torch.stack(planes, dim=1))
        return torch.where(windows.inside, logits, torch.full_like(logits, -huge()))
