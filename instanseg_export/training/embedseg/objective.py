"""EmbedSeg's objective: embeddings that meet at the middle of their instance, in images and in volumes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...families.embedseg.spec import EmbedSegSpec
from ..losses.lovasz import lovasz_hinge
from .options import EmbedSegOptions

__all__ = ["EmbedSegObjective"]


class EmbedSegObjective:
    """Computes the losses of a batch (Neven et al. 2019, sections 3.1 and 3.2; Lalit et al. 2022, appendix A).

    Args:
        spec: of the network.
        options: of the recipe.
    """

    def __init__(self, spec: EmbedSegSpec, options: EmbedSegOptions) -> None:
        self.spec = spec
        self.options = options

    def __call__(
        self, network: nn.Module, output: Tensor, batch: Mapping[str, Tensor], step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the loss of each term, weighted, as the mean over the images; see :class:`..objective.Objective`.

        Args:
            network: is not asked.
            output: (B, 2 A + 1, [D,] H, W) of the network, A spatial axes.
            batch: "labels" (B, 1, [D,] H, W), below 0 where nobody has annotated; "centre" of the same shape, true in
                the middle of each instance.
            step: does not matter.
            generator: is not asked: nothing is drawn.
        """
        terms = [
            self.losses(features, labels, centre)
            for features, labels, centre in zip(
                output.to(torch.float32), batch["labels"][:, 0].long(), batch["centre"][:, 0], strict=True
            )
        ]
        options = self.options
        weights = (options.instance_weight, options.variance_weight, options.seed_weight)
        names = ("instances", "variance", "seeds")
        return {
            name: weight * torch.stack([term[place] for term in terms]).mean()
            for place, (name, weight) in enumerate(zip(names, weights, strict=True))
        }

    def losses(self, features: Tensor, labels: Tensor, centre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the instance, variance and seed loss of one image, without their weights.

        Args:
            features: (2 A + 1, [D,] H, W).
            labels: ([D,] H, W).
            centre: ([D,] H, W) bool.
        """
        axes = self.spec.dimensions
        grid = self._grid(labels)
        embedding = (torch.tanh(features[:axes]) + grid).flatten(1)
        sigma = features[axes : 2 * axes].flatten(1)
        seeds = torch.sigmoid(features[2 * axes]).flatten()
        flat = labels.flatten()
        annotated = flat >= 0
        squared = torch.where(flat == 0, seeds**2, torch.zeros_like(seeds)).sum()
        ids = torch.unique(flat[flat > 0])
        if len(ids) == 0:
            nothing = features.sum() * 0.0
            return nothing, nothing, squared / annotated.sum().clamp(min=1)
        pixel = torch.nonzero(flat > 0)[:, 0]
        row = torch.searchsorted(ids, flat[pixel])
        count = torch.bincount(row, minlength=len(ids)).to(sigma.dtype)

        def mean(values: Tensor) -> Tensor:
            """(A, pixels of instances) to (A, instances)."""
            return torch.zeros((len(values), len(ids)), device=values.device).index_add(1, row, values) / count

        middle = self._middles(grid.flatten(1), centre.flatten(), flat, ids, mean(grid.flatten(1)[:, pixel]))
        # Equation 3: an instance's bandwidth is the mean of those that its pixels give.
        own = mean(sigma[:, pixel])
        variance = mean(((sigma[:, pixel] - own.detach()[:, row]) ** 2).mean(dim=0, keepdim=True))[0]
        scale = torch.exp(own * 10.0)
        distance = ((embedding[:, None] - middle[:, :, None]) ** 2 * scale[:, :, None]).sum(dim=0)
        # (instances, pixels): equation 1.
        probability = torch.exp(-distance)
        inside = flat[None] == ids[:, None]
        hinge = lovasz_hinge(probability * 2.0 - 1.0, inside, annotated[None].expand_as(inside))
        wanted = probability.detach()[row, pixel]
        squared = squared + self.options.foreground_weight * ((seeds[pixel] - wanted) ** 2).sum()
        return hinge.mean(), variance.mean(), squared / annotated.sum()

    def _grid(self, labels: Tensor) -> Tensor:
        """Return the coordinates x, y(, z) of all pixels, (A, [D,] H, W)."""
        sizes = tuple(reversed(labels.shape))
        lines = [
            torch.arange(size, dtype=torch.float32, device=labels.device) * (extent / (grid - 1))
            for size, grid, extent in zip(sizes, self.spec.grid, self.spec.extent, strict=True)
        ]
        return torch.stack(torch.meshgrid(*reversed(lines), indexing="ij")[::-1])

    def _middles(self, grid: Tensor, centre: Tensor, flat: Tensor, ids: Tensor, centroid: Tensor) -> Tensor:
        """Return where each instance's pixels shall point, (A, instances): its marked pixel, or else its centroid.

        As in the published code, an instance whose marked pixel the crop has cut off has its centroid.
        """
        if self.options.centre == "centroid":
            return centroid
        marked = torch.nonzero(centre & (flat > 0))[:, 0]
        row = torch.searchsorted(ids, flat[marked])
        single = torch.bincount(row, minlength=len(ids)) == 1
        found = torch.zeros_like(centroid).index_add(1, row, grid[:, marked])
        return torch.where(single, found, centroid)
