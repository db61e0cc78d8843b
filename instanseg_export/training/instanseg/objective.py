"""InstanSeg's objective: a seed map that peaks in the middle of instances, and masks around sampled seeds.

Goldsborough et al. 2024, sections 2.3.1 to 2.3.3 and 2.5. Both terms are computed for each plane, which is a structure
of an image, and averaged over all planes that are annotated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...families.instanseg.spec import InstanSegSpec
from ...stages.fields import coordinate_step
from ...stages.seeds import pick_seeds
from ...stages.sentinels import huge
from ...stages.windows import WindowGrid, open_windows
from ..losses.dice import dice_loss
from ..losses.lovasz import lovasz_hinge
from .options import InstanSegOptions

__all__ = ["InstanSegObjective"]

_SEED_SCALE = 15.0
"""The seed map's target runs from -7.5 to 7.5, about the range of the logits of the warm start."""

_DICE_SCALE = 1.5
"""Of the warm start's Dice loss in the published code."""


class InstanSegObjective:
    """Computes the losses of a batch. It has no weights: the pixel classifier is the network's.

    Args:
        spec: of the network.
        options: of the recipe.
    """

    def __init__(self, spec: InstanSegSpec, options: InstanSegOptions) -> None:
        self.spec = spec
        self.options = options

    def __call__(
        self, network: nn.Module, output: Tensor, batch: Mapping[str, Tensor], step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the loss of each term, weighted; their sum is to be minimised. See :class:`..objective.Objective`.

        Args:
            network: it has the pixel classifier.
            output: (B, structures x channels_per_structure, H, W) of the network.
            batch: "labels" (B, T, H, W), below 0 where nobody has annotated; "distance" (B, T, H, W) of
                :func:`.distance.relative_distance`.
            step: of the training, from 0; decides on the warm start.
            generator: on the CPU, for the choice of seeds.
        """
        labels = batch["labels"].flatten(0, 1).long()
        distance = batch["distance"].flatten(0, 1).to(torch.float32)
        planes, height, width = labels.shape
        fields = output.to(torch.float32).reshape(planes, self.spec.channels_per_structure, height, width)
        seen = (labels >= 0).flatten(1).any(dim=1)
        count = seen.sum().clamp(min=1)
        warm = step < self.options.warm_start
        seed_loss = self.seed_loss(fields, labels, distance, warm)
        losses = {"seeds": torch.where(seen, seed_loss, torch.zeros_like(seed_loss)).sum() / count}
        if self.options.instance_weight:
            instance_loss = self.instance_loss(network, fields, labels, warm, generator)
            losses["instances"] = self.options.instance_weight * instance_loss.sum() / count
        return losses

    def seed_loss(self, fields: Tensor, labels: Tensor, distance: Tensor, warm: bool) -> Tensor:
        """Return the mean over the annotated pixels of each plane, (P,): equation 1.

        With two seed channels the first learns the distance inside of instances, by its squared error, and the second
        the foreground, by cross-entropy.
        """
        dim_seeds = self.spec.dim_seeds
        seeds = fields[:, -dim_seeds:]
        target = (distance - 0.5) * _SEED_SCALE
        inside = (labels > 0).to(torch.float32)
        if dim_seeds == 2:
            foreground = F.binary_cross_entropy_with_logits(seeds[:, 1], inside, reduction="none")
            loss = (seeds[:, 0] - target) ** 2 * inside + foreground
        elif warm:
            loss = F.binary_cross_entropy_with_logits(seeds[:, 0], inside, reduction="none")
        else:
            loss = (seeds[:, 0] - target).abs()
            loss = torch.where(target < 0, loss * self.options.background_weight, loss)
        annotated = (labels >= 0).to(torch.float32)
        return (loss * annotated).flatten(1).sum(dim=1) / annotated.flatten(1).sum(dim=1).clamp(min=1)

    def instance_loss(
        self, network: nn.Module, fields: Tensor, labels: Tensor, warm: bool, generator: torch.Generator
    ) -> Tensor:
        """Return the mean over the sampled seeds of each plane, (P,), 0 where there is none: equation 2."""
        planes, height, width = labels.shape
        seeds = self.sample_seeds(fields, labels, generator)
        if len(seeds) == 0:
            # The classifier takes part in every step, as what joins several devices expects.
            classifier: Any = network.pixel_classifier
            unused = torch.stack([weight.sum() * 0.0 for weight in classifier.parameters()]).sum()
            return fields.flatten(1).sum(dim=1) * 0.0 + unused
        window = min(self.options.window, max(height, width)) // 2 * 2
        windows = open_windows(F.pad(seeds, (0, 1), value=1), WindowGrid(window // 2, height, width))
        # (K, 1, S, S)
        logits = self.logits(network, fields, seeds, windows).flatten(1)
        table = labels.flatten()
        around = table[windows.pixel]
        own = around == table[windows.seed_pixel][:, None]
        valid = windows.inside.flatten(1) & (around >= 0)
        loss = self.mask_loss(logits, own, valid, warm)
        sums = torch.zeros(planes, dtype=loss.dtype, device=loss.device).index_add(0, seeds[:, 0], loss)
        return sums / torch.bincount(seeds[:, 0], minlength=planes).clamp(min=1)

    def mask_loss(self, logits: Tensor, own: Tensor, valid: Tensor, warm: bool) -> Tensor:
        """Return the loss of each mask, (K,), from (K, N) logits."""
        if warm or self.options.instance_loss == "dice":
            return dice_loss(logits, own, valid) * _DICE_SCALE
        if self.options.instance_loss == "cross_entropy":
            entropy = F.binary_cross_entropy_with_logits(logits, own.to(logits.dtype), reduction="none")
            return (entropy * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1)
        return lovasz_hinge(logits, own, valid)

    def sample_seeds(self, fields: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the local maxima of the predicted seed map inside of instances, at most ``instances`` of each plane.

        As at inference (section 2.3.1), but for the restriction to instances.

        Returns:
            (K, 3) int64 plane, row, column, in raster order.
        """
        seed_map = fields[:, -self.spec.dim_seeds].detach()
        inside = torch.where(labels > 0, seed_map, torch.full_like(seed_map, -huge()))
        device = seed_map.device
        distance = torch.tensor(self.options.peak_distance, device=device)
        seeds = pick_seeds(inside, distance, torch.zeros((), device=device))
        # A random order within each plane; drawn on the CPU, so that it is the same wherever the network runs.
        order = torch.argsort(torch.rand(len(seeds), generator=generator, dtype=torch.float64)).to(device)
        order = order[torch.sort(seeds[order, 0], stable=True)[1]]
        plane = seeds[order, 0]
        length = torch.bincount(plane, minlength=len(labels))
        place = torch.arange(len(seeds), device=device) - (length.cumsum(0) - length)[plane]
        chosen = torch.sort(order[place < self.options.instances])[0]
        return seeds[chosen]

    def logits(self, network: nn.Module, fields: Tensor, seeds: Tensor, windows: Any) -> Tensor:
        """Return the pixel classifier's logits of all windows, (K, 1, S, S); see :class:`.stages.cluster`.

        The seed's own embedding is taken as given: no gradient flows into it, as in the published code.
        """
        dim_coords, n_sigma, kind = self.spec.dim_coords, self.spec.n_sigma, self.spec.feature_engineering
        height, width = fields.shape[2:]
        size = windows.from_seed_x.shape[2]
        offset = (torch.sigmoid(fields[:, :dim_coords]) - 0.5) * 8.0
        table = torch.cat((offset, fields[:, dim_coords : dim_coords + n_sigma]), dim=1)
        table = table.permute(0, 2, 3, 1).flatten(0, 2)
        around = table.index_select(0, windows.pixel.flatten()).view(len(seeds), size, size, -1)
        own = table.detach().index_select(0, windows.seed_pixel)[:, None, None, :dim_coords]
        step_x, step_y = coordinate_step(width, fields.device), coordinate_step(height, fields.device)
        way = torch.zeros((len(seeds), size, size, dim_coords), device=fields.device)
        way[..., 0] = windows.from_seed_x * step_x
        way[..., 1] = windows.from_seed_y * step_y
        difference = around[..., :dim_coords] - own + way
        sigma = around[..., dim_coords:]
        parts = [difference, sigma * 0.0 if kind == "3" else sigma]
        if kind == "2":
            parts.append((difference**2 + 1e-6).sum(dim=3, keepdim=True).sqrt())
        features = torch.cat(parts, dim=3)
        classifier: Any = network.pixel_classifier
        if kind == "10":
            convolved: Tensor = classifier(features.permute(0, 3, 1, 2))
            return convolved
        flat: Tensor = classifier(features.flatten(0, 2))
        return flat.view(len(seeds), 1, size, size)
