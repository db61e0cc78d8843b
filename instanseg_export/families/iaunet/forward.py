"""IAUNet's forward: image in, label map and overlapping masks out."""

from collections.abc import Mapping
from typing import Any, Dict, NamedTuple, Optional, Tuple, cast  # noqa: UP035 -- TorchScript reads these

import torch
from torch import Tensor, nn

from ...layers.folding import for_inference
from ...metadata import Axis
from ...stages.amodal import full_masks, label_instances
from ...stages.exact import logit
from ...stages.normalize import finite, normalize, standardize
from ...stages.pad import pad_with_zeros
from ...stages.queries import inside_image, keep_queries, suppress_duplicates
from ..base import SegmentationForward
from ..checkpoint import Checkpoint
from ..outputs import FurtherOutput
from ..settings import Value, resolve_settings
from .settings import IAUNET_SETTINGS, STANDARDIZED_SETTINGS
from .spec import IAUNetSpec

__all__ = ["IAUNetForward", "Intermediates", "Settings"]


class Settings(NamedTuple):
    """The values of the settings in one call; scalars."""

    normalize: Tensor
    score_threshold: Tensor
    mask_threshold: Tensor
    overlap_threshold: Tensor
    min_size: Tensor


class Intermediates(NamedTuple):
    """What the forward computes on its way; N instances.

    normalize: (B, C, H, W) float32, the image that the network sees.
    network: (B, Q, P + K + 1) float32, its output: logits of each query's mask at the P pixels of the padded image at
        1/4, -1e30 in the padding, then those of K classes and of "no object".
    labels: (B, 1, H, W) float32, the result.
    instance_masks: (N, H, W) uint8.
    instance_images: (N,) float32.
    instance_scores: (N,) float32.
    detection_classes: (N,) uint8.
    """

    normalize: Tensor
    network: Tensor
    labels: Tensor
    instance_masks: Tensor
    instance_images: Tensor
    instance_scores: Tensor
    detection_classes: Tensor


class IAUNetForward(SegmentationForward):
    """Normalise, run the network, keep the certain queries, drop duplicates, enlarge the masks, paint and number.

    Args:
        spec: of the network.
        network: see :class:`families.checkpoint.Checkpoint`.
        baked: a value for each setting.
    """

    score_threshold: Tensor
    mask_threshold: Tensor
    overlap_threshold: Tensor
    min_size: Tensor

    def __init__(self, spec: IAUNetSpec, network: nn.Module, baked: dict[str, Value]) -> None:
        standard = spec.normalization == "standard"
        settings = STANDARDIZED_SETTINGS if standard else IAUNET_SETTINGS
        super().__init__(network, spec.channels, 2, settings, baked)
        self.standard = standard
        self._classes = spec.classes

    @property
    def stage_names(self) -> tuple[str, ...]:
        return Intermediates._fields

    @property
    def further(self) -> tuple[FurtherOutput, ...]:
        row: tuple[Axis, ...] = ("instance",)
        # From 1, for the zoo refuses a test output of zeros, which a model of one class would have.
        names = ("no object", *self._classes)
        return (
            FurtherOutput(
                "instance_masks",
                "Whole mask of each instance, also where a better one lies over it: 1 inside, 0 outside.",
                ("instance", "y", "x"),
                role="masks",
                dtype="uint8",
            ),
            FurtherOutput(
                "instance_images", "Place in the batch, from 1, of the image of each instance.", row, role="images"
            ),
            FurtherOutput(
                "instance_scores",
                "Class probability times mean mask probability of each instance.",
                row,
                role="scores",
            ),
            # The last, for QuPath 0.6 reads the rows of the last output into all of them.
            FurtherOutput(
                "detection_classes", "Class of each instance.", row, role="classes", values=names, dtype="uint8"
            ),
        )

    def forward(
        self,
        image: Tensor,
        args: Optional[Dict[str, Tensor]] = None,  # noqa: UP006, UP045
    ) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006
        """Segment a batch of images.

        Args:
            image: (B, C, H, W) float32, raw or normalised; it is not written to.
            args: settings of this call by name, as clients send them; unknown names are ignored.

        Returns:
            labels (B, 1, H, W) float32; masks (N, H, W) uint8; images and scores (N,) float32; classes (N,) uint8.
            The N rows are the instances of all images one after another; in each image row r belongs to label r + 1.
        """
        found = self.compute(image, self.read_settings(args))
        return (
            found.labels,
            found.instance_masks,
            found.instance_images,
            found.instance_scores,
            found.detection_classes,
        )

    @torch.jit.export
    def stages(self, image: Tensor, args: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:  # noqa: UP006, UP045
        """Return the intermediate results of a call, for diagnosis; see :class:`Intermediates`."""
        found = self.compute(image, self.read_settings(args))
        return {
            "normalize": found.normalize,
            "network": found.network,
            "labels": found.labels,
            "instance_masks": found.instance_masks,
            "instance_images": found.instance_images,
            "instance_scores": found.instance_scores,
            "detection_classes": found.detection_classes,
        }

    def read_settings(self, args: Optional[Dict[str, Tensor]]) -> Settings:  # noqa: UP006, UP045
        """Return the baked settings, overridden by ``args``."""
        return Settings(
            normalize=self.override(args, "normalize", self.normalize),
            score_threshold=self.override(args, "score_threshold", self.score_threshold),
            mask_threshold=self.override(args, "mask_threshold", self.mask_threshold),
            overlap_threshold=self.override(args, "overlap_threshold", self.overlap_threshold),
            min_size=self.override(args, "min_size", self.min_size),
        )

    def compute(self, image: Tensor, settings: Settings) -> Intermediates:
        """Run all stages."""
        self.check(image)
        batch, height, width = image.shape[0], image.shape[2], image.shape[3]
        proper = finite(image.to(torch.float32))
        normal = standardize(proper, settings.normalize) if self.standard else normalize(proper, settings.normalize)
        masks, logits, classes = self.ask(normal)

        threshold = logit(settings.mask_threshold)
        found = keep_queries(logits, classes, settings.score_threshold, threshold)
        found = suppress_duplicates(found, threshold, settings.overlap_threshold)
        whole = full_masks(found.logits.view(-1, masks.shape[2], masks.shape[3]), height, width, threshold)
        instances = label_instances(found, whole, batch, settings.min_size)
        return Intermediates(
            normalize=normal,
            network=torch.cat([logits, classes], dim=2),
            labels=instances.labels[:, None].to(torch.float32),
            instance_masks=instances.masks,
            instance_images=(instances.image + 1).to(torch.float32),
            instance_scores=instances.score,
            detection_classes=(instances.label + 1).to(torch.uint8),
        )

    def ask(self, normal: Tensor) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006
        """Return the network's masks, their logits inside the image, and the logits of classes."""
        height, width = normal.shape[2], normal.shape[3]
        masks, classes = self.network(pad_with_zeros(normal, self.multiple))
        return masks, inside_image(masks, height, width), classes

    def network_output(self, normal: Tensor) -> Tensor:
        """See :meth:`.SegmentationForward.network_output`."""
        _, logits, classes = self.ask(normal)
        return torch.cat([logits, classes], dim=2)


def build(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> IAUNetForward:
    """Build the forward of an IAUNet checkpoint; see :func:`families.registry.build_forward`."""
    spec = cast(IAUNetSpec, checkpoint.spec)
    baked = resolve_settings(spec.settings, settings, table=IAUNET_SETTINGS)
    # In channels-last order maps of one pixel are ambiguous, and the exporter would exclude small images.
    network = for_inference(checkpoint.network).to(memory_format=torch.contiguous_format)
    return IAUNetForward(spec, network, baked).eval().requires_grad_(False)
