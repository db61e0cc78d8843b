"""A network that sees an image from its eight sides."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
from torch import Tensor, nn

from ...layers.strips import export_whole
from ...stages.augment import undo_view, view, view_count
from ...stages.pad import pad_to_multiple
from .spec import InstanSegSpec

__all__ = ["AugmentedNetwork"]


class AugmentedNetwork(nn.Module):
    """Runs an InstanSeg network on each view of an image, one at a time.

    Maps images (B, C, H, W) to feature maps (B, structures x channels, H, W) in which all pixels lie where the image
    has them. The channels of a structure are the offsets of all views, one view after another, which point where they
    did in their view; then the sigmas of all views; then the means, over the views, of the seed channels.

    Each view is padded by itself. So the image and its views are seen in the same eight ways, and what is found in one
    of them is what is found in the other, whatever their size.

    Attributes:
        multiple: 1, since any height and width will do.

    Args:
        network: maps images to feature maps; an exported graph holds it once for each view, and therefore whole.
        spec: the network's description.
    """

    multiple: int

    def __init__(self, network: nn.Module, spec: InstanSegSpec) -> None:
        super().__init__()
        export_whole(network)
        self.network = network
        self.padding = int(network.multiple)  # type: ignore[arg-type]
        self.multiple = 1
        self.structures = len(spec.structures)
        self.channels_per_structure = spec.channels_per_structure
        self.dim_coords = spec.dim_coords
        self.sigma_end = spec.dim_coords + spec.n_sigma

    def forward(self, image: Tensor) -> Tensor:
        batch, height, width = image.shape[0], image.shape[2], image.shape[3]
        offsets, sigmas, seeds = [], [], []
        for index in range(view_count()):
            seen = view(image, index)
            padded = pad_to_multiple(seen, self.padding).contiguous(memory_format=torch.channels_last)
            features = undo_view(self.network(padded)[:, :, : seen.shape[2], : seen.shape[3]], index)
            features = features.reshape(batch, self.structures, self.channels_per_structure, height, width)
            offsets.append(features[:, :, : self.dim_coords])
            sigmas.append(features[:, :, self.dim_coords : self.sigma_end])
            seeds.append(features[:, :, self.sigma_end :])
        # One after another: the order of additions decides the last bits.
        total = seeds[0]
        for index in range(1, view_count()):
            total = total + seeds[index]
        return torch.cat(offsets + sigmas + [total / view_count()], dim=2).flatten(1, 2)
