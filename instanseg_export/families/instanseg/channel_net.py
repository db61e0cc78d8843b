"""ChannelNet: any number of channels in, a fixed number out (thesis, section 4.3)."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
from torch import Tensor, nn

from ...layers.blocks import DecoderBlock, EncoderBlock, conv_norm, conv_norm_relu, final_norm
from .spec import ChannelNetSpec

__all__ = ["ChannelNet"]


class _Exchange(nn.Module):
    """Mixed into blocks: lets each channel's features meet the maximum over all channels of the same image."""

    aggregation: str

    def prepare_exchange(self, channels: int, spec: ChannelNetSpec) -> None:
        self.aggregation = spec.aggregation
        if spec.aggregation == "sum":
            self.reduce_block: nn.Module = nn.Identity()
        else:
            self.reduce_block = conv_norm_relu(2 * channels, channels, 3, spec.norm)

    def exchange(self, x: Tensor, images: int) -> Tensor:
        """Map (images x channels, K, H, W) to the same shape."""
        _, k, h, w = x.shape
        stack = x.reshape(images, -1, k, h, w)
        common = stack.amax(dim=1, keepdim=True).expand_as(stack).reshape(-1, k, h, w)
        if self.aggregation == "sum":
            return common + x
        if self.aggregation == "no_aggregation":
            common = torch.zeros_like(x)
        reduced: Tensor = self.reduce_block(torch.cat((common, x), dim=1))
        return reduced


class EncoderLevel(_Exchange, EncoderBlock):
    """An encoder block on each channel by itself, then the exchange between channels."""

    def __init__(self, in_channels: int, out_channels: int, spec: ChannelNetSpec, pool: bool) -> None:
        EncoderBlock.__init__(self, in_channels, out_channels, spec.norm, pool)
        self.prepare_exchange(out_channels, spec)

    def forward(self, x: Tensor, images: int) -> Tensor:  # type: ignore[override]
        return self.exchange(self.encode(x), images)


class DecoderLevel(_Exchange, DecoderBlock):
    """A decoder block on each channel by itself, then the exchange between channels."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, spec: ChannelNetSpec) -> None:
        DecoderBlock.__init__(self, in_channels, skip_channels, out_channels, spec.norm)
        self.prepare_exchange(out_channels, spec)

    def forward(self, x: Tensor, skip: Tensor, images: int) -> Tensor:  # type: ignore[override]
        return self.exchange(self.decode(x, skip), images)


class ChannelNet(nn.Module):
    """A small U-Net that sees each channel alone, with one set of weights, and joins them by their maximum.

    Maps (B, C, H, W) with any C >= 1 to (B, spec.out_channels, H, W), whatever the order of the channels. H and W must
    be multiples of 4.

    Args:
        spec: the network's description.
    """

    def __init__(self, spec: ChannelNetSpec) -> None:
        super().__init__()
        fine, middle, coarse = spec.layers
        self.conv_0 = EncoderLevel(1, fine, spec, pool=False)
        self.down_1 = EncoderLevel(fine, middle, spec, pool=True)
        self.down_2 = EncoderLevel(middle, coarse, spec, pool=True)
        self.upcat_2 = DecoderLevel(coarse, middle, middle, spec)
        self.upcat_1 = DecoderBlock(middle, fine, fine, spec.norm)
        self.final_conv = conv_norm(fine, spec.out_channels, 1, final_norm(spec.norm))

    def forward(self, x: Tensor) -> Tensor:
        images, _, h, w = x.shape
        full = self.conv_0(x.reshape(-1, 1, h, w), images)
        half = self.down_1(full, images)
        quarter = self.down_2(half, images)
        separate = self.upcat_1(self.upcat_2(quarter, half, images), full)
        joined = separate.reshape(images, -1, separate.shape[1], h, w).amax(dim=1)
        mapped: Tensor = self.final_conv(joined)
        return mapped
