"""Networks that look at crops: trunks of torchvision and timm with a stem that does not shrink the crop."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
from typing import Any

from torch import Tensor, nn

from ...errors import CheckpointError
from .classifier_spec import CropClassifierSpec, PositivitySpec
from .set_attention import InducedSetAttention

__all__ = ["CropClassifier", "PositivityClassifier", "build_trunk"]

_FEATURES = 1280
"""What all these trunks hand to their classifier."""


def build_trunk(architecture: str, channels: int, stem_padding: int) -> nn.Module:
    """Build a trunk with random weights: crops (n, channels, S, S) to features (n, 1280).

    The stride of its first convolution is 1 instead of 2, since crops are small (thesis, sections 5.3.2 and 6.3.1).

    Args:
        architecture: ``efficientnet_v2_*`` of torchvision or ``mobilenetv4_conv_*`` of timm.
        channels: of the crops.
        stem_padding: of the first convolution.

    Raises:
        CheckpointError: the package is not installed.
    """
    library = "torchvision" if architecture.startswith("efficientnet") else "timm"
    try:
        trunk: Any
        if library == "torchvision":
            import torchvision

            trunk = getattr(torchvision.models, architecture)(weights=None)
            trunk.features[0][0] = _stem(trunk.features[0][0], channels, stem_padding)
        else:
            import timm

            trunk = timm.create_model(architecture, pretrained=False)
            trunk.conv_stem = _stem(trunk.conv_stem, channels, stem_padding)
    except ImportError as error:
        raise CheckpointError(
            f"The classifier is a {architecture}, whose network comes from {library}, which is not installed.",
            hint="Run: pip install 'instanseg-export[classify]'.",
        ) from error
    trunk.classifier = nn.Identity()
    network: nn.Module = trunk
    return network


def _stem(original: Any, channels: int, padding: int) -> nn.Conv2d:
    return nn.Conv2d(channels, original.out_channels, original.kernel_size, stride=1, padding=padding, bias=False)


class CropClassifier(nn.Module):
    """Maps crops with a mask (n, C + 1, S, S) to logits (n, spec.logits).

    The weights have the names of the classifier of the MONKEY challenge: ``model`` is the trunk, ``classifier`` one
    linear layer, or two with a hard swish between them.

    Args:
        spec: the network's description. The weights are random until they are loaded.
    """

    def __init__(self, spec: CropClassifierSpec) -> None:
        super().__init__()
        self.model = build_trunk(spec.architecture, spec.channels + 1, spec.stem_padding)
        if spec.embedding is None:
            self.classifier = nn.Sequential(nn.Linear(_FEATURES, spec.logits))
        else:
            # What was dropout in training keeps its place, and thereby the names of the weights.
            self.classifier = nn.Sequential(
                nn.Linear(_FEATURES, spec.embedding),
                nn.Hardswish(),
                nn.Identity(),
                nn.Linear(spec.embedding, spec.logits),
            )

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.model(crops))
        return logits


class PositivityClassifier(nn.Module):
    """MobileNet-ISAB: is a cell positive for a marker, given all cells of the same image (thesis, section 6.3.1)?

    Weights: ``encoder.model`` (the trunk), ``encoder.classifier`` (its linear layer), ``isab`` and ``head``.

    Args:
        spec: the network's description. The weights are random until they are loaded.
    """

    def __init__(self, spec: PositivitySpec) -> None:
        super().__init__()
        self.width = spec.embedding
        self.encoder = _Encoder(spec)
        self.isab = InducedSetAttention(spec.embedding, spec.heads, spec.inducing_points, spec.norms)
        self.head = nn.Linear(spec.embedding, 1)

    def embed(self, crops: Tensor) -> Tensor:
        """Map crops of one channel with a mask (n, 2, S, S) to embeddings (n, width)."""
        embeddings: Tensor = self.encoder(crops)
        return embeddings

    def forward(self, bags: Tensor, present: Tensor) -> Tensor:
        """Map bags of embeddings to logits.

        Args:
            bags: (bags, n, width), n >= 1; a bag is all cells of one image in one channel.
            present: (bags, n) bool, False for what only fills a bag.

        Returns:
            (bags, n).
        """
        logits: Tensor = self.head(self.isab(bags, present))
        return logits[:, :, 0]


class _Encoder(nn.Module):
    def __init__(self, spec: PositivitySpec) -> None:
        super().__init__()
        self.model = build_trunk(spec.architecture, 2, spec.stem_padding)
        self.classifier = nn.Linear(_FEATURES, spec.embedding)

    def forward(self, crops: Tensor) -> Tensor:
        embeddings: Tensor = self.classifier(self.model(crops))
        return embeddings
