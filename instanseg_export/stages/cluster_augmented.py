"""Cluster pixels around seeds in eight views of the image, and take the median of what they say."""

import torch
from torch import Tensor, nn

from .augment import undo_view, view_count, view_windows
from .cluster import PixelClustering
from .cluster_guided import GuidedClustering
from .fields import Fields
from .median import median_of_eight
from .windows import Windows

__all__ = ["AugmentedClustering"]


class AugmentedClustering(nn.Module):
    """Medians, over the views, of logits, with the interface of the clustering that it does this with.

    The classifier was trained on what points right and down in the image that the network saw. So it is asked about
    each view by itself: the window around the seed as it lies in the view, with the view's own offsets. The seed is
    the same pixel in all views, and so are the pixels of its window. The sigmoid rises everywhere, so the median of
    logits is the logit of the median of probabilities (InstanSeg paper, section 2.8).

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

    def per_pixel(self, fields: Fields) -> Tensor:
        """Compute what depends on the pixel alone.

        Args:
            fields: of P planes, with the channels of one view after those of another.

        Returns:
            (8 * P * H * W, columns) float32: the tables of the views, one below the other.
        """
        tables = []
        for index in range(view_count()):
            offset = fields.offset[:, index * self.dim_coords : (index + 1) * self.dim_coords]
            sigma = fields.sigma[:, index * self.n_sigma : (index + 1) * self.n_sigma]
            tables.append(self.clustering.per_pixel(Fields(offset, sigma, fields.seed_map)))
        return torch.cat(tables)

    def forward(self, table: Tensor, step_x: Tensor, step_y: Tensor, windows: Windows) -> Tensor:
        """Return logits (N, 1, S, S) of a chunk of windows.

        Args:
            table: of :meth:`per_pixel`.
            step_x: see :func:`stages.fields.coordinate_step`.
            step_y: likewise.
            windows: the chunk.
        """
        rows = table.shape[0] // view_count()
        logits = []
        for index in range(view_count()):
            seen = view_windows(windows, index)
            seen = Windows(
                pixel=seen.pixel + index * rows,
                inside=seen.inside,
                seed_pixel=seen.seed_pixel + index * rows,
                is_seed=seen.is_seed,
                from_seed_x=seen.from_seed_x,
                from_seed_y=seen.from_seed_y,
            )
            # A view that exchanges rows and columns exchanges their coordinates' steps, too.
            right, down = (step_y, step_x) if index >= view_count() // 2 else (step_x, step_y)
            logits.append(undo_view(self.clustering(table, right, down, seen), index))
        return median_of_eight(logits)
