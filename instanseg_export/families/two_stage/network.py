"""A network that segments, and another one that looks at what was segmented."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
from torch import Tensor, nn

__all__ = ["TwoStageNetwork"]


class TwoStageNetwork(nn.Module):
    """Holds the networks of both stages; called, it is the one that segments.

    Attributes:
        multiple: H and W of the image must be multiples of this.

    Args:
        segmentation: of :mod:`families.instanseg.network`.
        classifier: of :mod:`families.two_stage.crop_classifier`; the forward calls it with crops.
    """

    multiple: int

    def __init__(self, segmentation: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.segmentation = segmentation
        self.classifier = classifier
        self.multiple = int(segmentation.multiple)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.segmentation(image)
        return features
