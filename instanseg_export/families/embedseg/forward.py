"""EmbedSeg's forward: image or volume in, label map out."""

from collections.abc import Mapping
from typing import Any, Dict, NamedTuple, Optional, cast  # noqa: UP035 -- TorchScript reads these

import torch
from torch import Tensor, nn

from ...layers.folding import for_inference
from ...stages.augment_embedding import turn, turn_back, views
from ...stages.embedding import read_points
from ...stages.greedy import cluster_greedily, number_clusters
from ...stages.normalize import finite, rescale
from ...stages.number import close_gaps
from ...stages.pad import crop_axis, pad_axis
from ..base import SegmentationForward
from ..checkpoint import Checkpoint
from ..settings import Value, resolve_settings
from .settings import EMBEDSEG_SETTINGS, PERCENTILES
from .spec import EmbedSegSpec

__all__ = ["EmbedSegForward", "Intermediates"]


class Settings(NamedTuple):
    """The values of the settings in one call. Tensors are scalars."""

    normalize: Tensor
    seed_threshold: Tensor
    fg_threshold: Tensor
    min_object_size: Tensor
    tta: bool


class Intermediates(NamedTuple):
    """What the forward computes on its way; volumes have D before H.

    normalize: (B, C, H, W) float32, the image that the network sees, before it is padded.
    network: (B, 2A + 1, H', W') float32, its raw output for the padded image, the mean over views with ``tta``.
    seeds: (K, 4) int64, image, slice (0 for images), row and column of each object's seed, in raster order. Seeds may
        lie beyond the image, in its padding.
    labels: (B, 1, H, W) float32, the result.
    """

    normalize: Tensor
    network: Tensor
    seeds: Tensor
    labels: Tensor


class EmbedSegForward(SegmentationForward):
    """Normalise, pad, run the network (on several views), cluster the foreground, number and crop.

    Args:
        spec: of the network.
        network: see :class:`families.checkpoint.Checkpoint`.
        baked: a value for each setting.
    """

    seed_threshold: Tensor
    fg_threshold: Tensor
    min_object_size: Tensor

    def __init__(self, spec: EmbedSegSpec, network: nn.Module, baked: dict[str, Value]) -> None:
        super().__init__(network, spec.channels, spec.dimensions, EMBEDSEG_SETTINGS, baked)
        self.grid = [float(size) for size in spec.grid]
        self.extent = list(spec.extent)
        self.tta = bool(baked["tta"])

    @property
    def percentiles(self) -> tuple[float, float]:
        return PERCENTILES

    @property
    def stage_names(self) -> tuple[str, ...]:
        return Intermediates._fields

    def forward(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Tensor:  # noqa: UP006, UP045
        """Segment a batch of images.

        Args:
            image: (B, C, H, W) float32, or (B, C, D, H, W) where the network is for volumes.
            args: settings of this call by name, as clients send them; unknown names are ignored.

        Returns:
            (B, 1, [D,] H, W) float32, integer-valued: ids 1..N in raster order of the seeds, 0 for background.
        """
        return self.compute(image, self.read_settings(args)).labels

    @torch.jit.export
    def stages(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        """Return the intermediate results of a call, for diagnosis; see :class:`Intermediates`."""
        found = self.compute(image, self.read_settings(args))
        return {
            "normalize": found.normalize,
            "network": found.network,
            "seeds": found.seeds,
            "labels": found.labels,
        }

    def read_settings(self, args: Optional[Dict[str, Tensor]]) -> Settings:  # noqa: UP006, UP045
        """Return the baked settings, overridden by ``args``."""
        if args is None:
            return Settings(self.normalize, self.seed_threshold, self.fg_threshold, self.min_object_size, self.tta)
        tta = self.tta
        if "tta" in args:
            # Clients also send booleans, which older versions of TorchScript cannot turn into a number by themselves.
            tta = float(args["tta"].reshape(-1)[0].to(torch.float32).item()) > 0.0
        return Settings(
            normalize=self.override(args, "normalize", self.normalize),
            seed_threshold=self.override(args, "seed_threshold", self.seed_threshold),
            fg_threshold=self.override(args, "fg_threshold", self.fg_threshold),
            min_object_size=self.override(args, "min_object_size", self.min_object_size),
            tta=tta,
        )

    def compute(self, image: Tensor, settings: Settings) -> Intermediates:
        """Run all stages."""
        self.check(image)
        normal = rescale(finite(image.to(torch.float32)), settings.normalize, 10, 2)
        depth = image.shape[2] if self.dimensions == 3 else 1
        height, width = image.shape[-2], image.shape[-1]
        above, left = self.before(height), self.before(width)
        network = self.run(self.pad(normal), settings.tta)

        features = network if self.dimensions == 3 else network[:, :, None]
        planes, pixels = features.shape[0], features[0, 0].numel()
        points = read_points(features, self.steps(depth, height, width, image.device), settings.fg_threshold)
        clusters = cluster_greedily(points, settings.seed_threshold, settings.min_object_size)
        numbers, group, seeds = number_clusters(points, clusters, planes, pixels)
        numbers = numbers.view(planes, features.shape[2], features.shape[3], features.shape[4])
        inside = crop_axis(crop_axis(crop_axis(numbers, 1, 0, depth), 2, above, height), 3, left, width)
        labels = close_gaps(inside.flatten(), group, planes).to(torch.float32)
        row = torch.div(seeds, features.shape[4], rounding_mode="floor")
        layer = torch.div(row, features.shape[3], rounding_mode="floor")
        plane = torch.div(layer, features.shape[2], rounding_mode="floor")
        places = [
            plane,
            layer - plane * features.shape[2],
            row - layer * features.shape[3] - above,
            seeds - row * features.shape[4] - left,
        ]
        return Intermediates(
            normalize=normal,
            network=network,
            seeds=torch.stack(places, dim=1),
            labels=labels.view(normal[:, :1].shape),
        )

    @property
    def open_loops(self) -> bool:
        """See :attr:`.SegmentationForward.open_loops`: all foreground is clustered at once, block by block."""
        return False

    def network_output(self, normal: Tensor) -> Tensor:
        """See :meth:`.SegmentationForward.network_output`."""
        return self.run(self.pad(normal), self.tta)

    def pad(self, image: Tensor) -> Tensor:
        """Mirror an image at its borders until the network takes its size."""
        axis = image.dim() - 2
        padded = pad_axis(image, axis, self.multiple, self.before(image.shape[axis]))
        padded = pad_axis(padded, axis + 1, self.multiple, self.before(image.shape[axis + 1]))
        if self.dimensions == 3:
            padded = pad_axis(padded, 2, self.multiple, 0)
        return padded

    def before(self, size: int) -> int:
        """Return how many pixels of padding lie before an image: EmbedSeg pads images on both sides, the smaller half
        first, and volumes at their ends only."""
        return self.padding(size) // 2 if self.dimensions == 2 else 0

    def padding(self, size: int) -> int:
        """Return how many pixels are missing to a size that the network takes."""
        return (size + self.multiple - 1) // self.multiple * self.multiple - size

    def run(self, padded: Tensor, tta: bool) -> Tensor:
        """Return the raw output of the network, or the mean of that of all views."""
        total: Tensor = self.network(self.in_order(padded))
        if tta:
            count = views(self.dimensions)
            for view in range(1, count):
                total = total + turn_back(self.network(self.in_order(turn(padded, view))), view)
            total = total / float(count)
        return total.contiguous()

    def in_order(self, image: Tensor) -> Tensor:
        """Lay the channels of a pixel side by side, which convolutions on CPUs are fastest with; ONNX has no orders."""
        if torch.jit.is_scripting():
            return self.channels_last(image)
        else:
            # Not `elif`: TorchScript leaves only this branch uncompiled.
            return image if torch.compiler.is_exporting() else self.channels_last(image)

    def channels_last(self, image: Tensor) -> Tensor:
        """See :meth:`in_order`."""
        if self.dimensions == 3:
            return image.contiguous(memory_format=torch.channels_last_3d)
        return image.contiguous(memory_format=torch.channels_last)

    def steps(self, depth: int, height: int, width: int, device: torch.device) -> Tensor:
        """Return how much the grid grows from pixel to pixel along x, y(, z).

        EmbedSeg stretches the grid over an image that is larger: its sizes, rounded up to multiples of 8, the larger
        one for both x and y, take the place of those of the grid, and the extent grows with them.
        """
        sizes = []
        rounded = []
        for size in [width, height, depth]:
            sizes.append(torch.full([1], size, dtype=torch.float32, device=device))
            rounded.append(torch.full([1], size + self.padding(size), dtype=torch.float32, device=device))
        side = torch.maximum(rounded[0], rounded[1])
        span = torch.cat([side, side, rounded[2]])[: self.dimensions]
        grid = torch.tensor(self.grid, dtype=torch.float32, device=device)
        extent = torch.tensor(self.extent, dtype=torch.float32, device=device)
        larger = (torch.cat(sizes)[: self.dimensions] > grid).to(torch.int64).sum() > 0
        return torch.where(larger, span / grid * extent / (span - 1.0), extent / (grid - 1.0))


def build(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> EmbedSegForward:
    """Build the forward of an EmbedSeg checkpoint; see :func:`families.registry.build_forward`."""
    spec = cast(EmbedSegSpec, checkpoint.spec)
    baked = resolve_settings(spec.settings, settings, table=EMBEDSEG_SETTINGS)
    return EmbedSegForward(spec, for_inference(checkpoint.network), baked).eval().requires_grad_(False)
