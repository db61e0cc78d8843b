"""The whole InstanSeg network: adaptor, backbone, and the pixel classifier that forwards call."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
from torch import Tensor, nn

from .backbone_spec import BackboneSpec, CellposeSamSpec, CellSamSpec, SamUNetSpec, UNetSpec
from .channel_net import ChannelNet
from .pixel_classifier import ConvProbabilityNet, ProbabilityNet
from .sam_backbones import CellposeSam, CellSam, SamUNet
from .spec import ChannelNetSpec, InstanSegSpec
from .unet import UNet

__all__ = ["InstanSegNetwork"]


class InstanSegNetwork(nn.Module):
    """Maps images (B, C, H, W) to feature maps (B, structures x channels_per_structure, H, W).

    Attributes:
        pixel_classifier: decides which pixels belong to a seed; the forward calls it, the network does not.
        multiple: H and W must be multiples of this; 16, and more for networks of over five levels.
        window: the only H and W that the network takes, in pixels; 0 if it takes all multiples of ``multiple``.

    Args:
        spec: the network's description. The weights are random until they are loaded.
    """

    multiple: int
    window: int

    def __init__(self, spec: InstanSegSpec) -> None:
        super().__init__()
        self.adaptor: nn.Module
        if spec.adaptor is None:
            self.adaptor = nn.Identity()
        elif isinstance(spec.adaptor, ChannelNetSpec):
            self.adaptor = ChannelNet(spec.adaptor)
        else:
            self.adaptor = UNet(spec.adaptor)
        self.backbone = _backbone(spec.backbone)
        features = spec.dim_coords + spec.n_sigma + (1 if spec.feature_engineering == "2" else 0)
        self.pixel_classifier: nn.Module
        if spec.feature_engineering == "10":
            self.pixel_classifier = ConvProbabilityNet(features, spec.mlp_width)
        else:
            self.pixel_classifier = ProbabilityNet(features, spec.mlp_width)
        parts = (spec.backbone, spec.adaptor)
        levels = max([len(part.layers) for part in parts if isinstance(part, (UNetSpec, ChannelNetSpec))], default=1)
        self.multiple = max(16, 2 ** (levels - 1))
        self.window = spec.backbone.window

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.backbone(self.adaptor(image))
        return features


def _backbone(spec: BackboneSpec) -> nn.Module:
    if isinstance(spec, SamUNetSpec):
        return SamUNet(spec)
    if isinstance(spec, CellposeSamSpec):
        return CellposeSam(spec)
    if isinstance(spec, CellSamSpec):
        return CellSam(spec)
    return UNet(spec)
