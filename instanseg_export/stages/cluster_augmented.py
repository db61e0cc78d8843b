"""Cluster pixels around seeds in eight views of the image, and take the median of what they say."""

import torch
from torch import Tensor, nn

from .augment import undo_view, view_count, view_windows
from .cluster import PixelClustering
from .cluster_guided import GuidedClustering
from .fields import Fields, PixelTable
from .median import median_of_eight
from .windows import Windows

__all__ = ["AugmentedClustering"]


class AugmentedClustering(nn.Module):
    """Medians, over the views, of logits, with the interface of the clustering that it does this with.

    The classifier was trained on what points right and down in the image that the network saw. So it is asked about
    each view by itself: the window around the seed as it lies in the view, with the view's own offsets. The seed is
    the same pixel in all views, and so are the pixels of its window. The sigmoid rises everywhere, so the median of
    logits is the logit of the median of probabilities (InstanSeg paper, section 2.8), except that the mean of the two
    middle ones is taken of logits. The lower one alone would make all masks smaller.

    Args:
        clustering: maps windows of one view to logits.
        dim_coords: channels of the positional embedding in a view.
        n_sigma: channels of the conditional embedding in a view.
    """

    def __init__(self, clustering: PixelClustering | GuidedClustering, dim_coords: int, n_sigma: int) -> None:
        super().__init__()
        self.clustering = clustering
        self.dim_coords = dim_coords
        self.n_sigma = n_sigma

    def per_pixel(self, fields: Fields) -> tuple[Tensor, Tensor]:
        """Compute what depends on the pixel alone.

        Args:
            fields: of P planes, with the channels of one view after those of another.

        Returns:
            (8 * P * H * W, columns) float32, twice: the tables of the views, one below the other.
        """
        tables, offsets = [], []
        for index in range(view_count()):
            of_view = fields.offset[:, index * self.dim_coords : (index + 1) * self.dim_coords]
            sigma = fields.sigma[:, index * self.n_sigma : (index + 1) * self.n_sigma]
            table, offset = self.clustering.per_pixel(Fields(of_view, sigma, fields.seed_map))
            tables.append(table)
            offsets.append(offset)
        return torch.cat(tables), torch.cat(offsets)

    def forward(self, table: PixelTable, windows: Windows) -> Tensor:
        """Return logits (N, 1, S, S) of a chunk of windows.

        Args:
            table: with the values and the offsets of :meth:`per_pixel`.
            windows: the chunk.
        """
        views, count = view_count(), windows.pixel.shape[0]
        seen = [view_windows(windows, index) for index in range(views)]
        table_of_view = torch.arange(views, device=table.values.device)[:, None] * (table.values.shape[0] // views)
        pixel = torch.stack([one.pixel for one in seen]) + table_of_view[:, :, None]
        seed_pixel = torch.stack([one.seed_pixel for one in seen]) + table_of_view
        # The second half of the views exchanges rows and columns, and so the steps of their coordinates.
        half = torch.ones([views // 2 * count, 1, 1], device=table.values.device)
        logits = self.clustering(
            PixelTable(
                values=table.values,
                offset=table.offset,
                step_x=torch.cat([half * table.step_x, half * table.step_y]),
                step_y=torch.cat([half * table.step_y, half * table.step_x]),
            ),
            Windows(
                pixel=pixel.flatten(0, 1),
                inside=torch.cat([one.inside for one in seen]),
                seed_pixel=seed_pixel.flatten(0, 1),
                from_seed_x=torch.cat([one.from_seed_x for one in seen]),
                from_seed_y=torch.cat([one.from_seed_y for one in seen]),
            ),
        )
        of_views = [undo_view(logits[index * count : (index + 1) * count], index) for index in range(views)]
        return median_of_eight(of_views)
