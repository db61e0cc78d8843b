"""BranchedERFNet, the network of EmbedSeg: ERFNet with one decoder for the embedding and one for the seed map."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BranchedERFNet"]

_EPS = 1e-3
"""Of the batch norms."""


def _convolution(dimensions: int) -> type[nn.Module]:
    return nn.Conv2d if dimensions == 2 else nn.Conv3d


def _batch_norm(channels: int, dimensions: int) -> nn.Module:
    return (nn.BatchNorm2d if dimensions == 2 else nn.BatchNorm3d)(channels, eps=_EPS)


def _transposed(in_channels: int, out_channels: int, kernel: int, padding: int, dimensions: int) -> nn.Module:
    kind = nn.ConvTranspose2d if dimensions == 2 else nn.ConvTranspose3d
    return kind(in_channels, out_channels, kernel, stride=2, padding=padding, output_padding=padding)


class Downsampler(nn.Module):
    """Halves the size: the outputs of a convolution, then the maxima of the input (Romera et al. 2017, section III)."""

    def __init__(self, in_channels: int, out_channels: int, dimensions: int) -> None:
        super().__init__()
        self.conv = _convolution(dimensions)(in_channels, out_channels - in_channels, 3, stride=2, padding=1)
        self.pool = (nn.MaxPool2d if dimensions == 2 else nn.MaxPool3d)(2)
        self.bn = _batch_norm(out_channels, dimensions)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(torch.cat([self.conv(x), self.pool(x)], dim=1)))


class FactorisedBlock(nn.Module):
    """A residual block whose convolutions run along one axis each, twice over (non-bottleneck-1D, Romera et al. 2017).

    Args:
        channels: of input and output.
        dilation: of the second turn.
        dimensions: 2 or 3.
    """

    def __init__(self, channels: int, dilation: int, dimensions: int) -> None:
        super().__init__()
        self.first = _along_each_axis(channels, 1, dimensions)
        self.second = _along_each_axis(channels, dilation, dimensions)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + x)


def _along_each_axis(channels: int, dilation: int, dimensions: int) -> nn.Sequential:
    """Return convolutions of three pixels along each axis in turn, with ReLUs between them and a norm at the end."""
    layers: list[nn.Module] = []
    for axis in range(dimensions):
        kernel = tuple(3 if i == axis else 1 for i in range(dimensions))
        padding = tuple(dilation if i == axis else 0 for i in range(dimensions))
        steps = tuple(dilation if i == axis else 1 for i in range(dimensions))
        layers += [_convolution(dimensions)(channels, channels, kernel, padding=padding, dilation=steps), nn.ReLU()]
    last = nn.Sequential(layers[-2], _batch_norm(channels, dimensions))
    return nn.Sequential(*layers[:-2], last)


def _upsampler(in_channels: int, out_channels: int, dimensions: int) -> nn.Sequential:
    """Return what doubles the size: a transposed convolution, a norm and a ReLU."""
    enlarge = _transposed(in_channels, out_channels, 3, 1, dimensions)
    return nn.Sequential(enlarge, _batch_norm(out_channels, dimensions), nn.ReLU())


def _encoder(channels: int, dimensions: int, widths: tuple[int, int, int]) -> nn.Sequential:
    half, quarter, eighth = widths
    blocks: list[nn.Module] = [Downsampler(channels, half, dimensions), Downsampler(half, quarter, dimensions)]
    blocks += [FactorisedBlock(quarter, 1, dimensions) for _ in range(5)]
    blocks.append(Downsampler(quarter, eighth, dimensions))
    blocks += [FactorisedBlock(eighth, dilation, dimensions) for _ in range(2) for dilation in (2, 4, 8, 16)]
    return nn.Sequential(*blocks)


def _decoder(classes: int, dimensions: int, widths: tuple[int, int, int]) -> nn.Sequential:
    half, quarter, eighth = widths
    blocks: list[nn.Module] = []
    for in_channels, out_channels in ((eighth, quarter), (quarter, half)):
        blocks.append(_upsampler(in_channels, out_channels, dimensions))
        blocks += [FactorisedBlock(out_channels, 1, dimensions) for _ in range(2)]
    return nn.Sequential(*blocks, _transposed(half, classes, 2, 0, dimensions))


class BranchedERFNet(nn.Module):
    """ERFNet (Romera et al. 2017) with several decoders behind one encoder (EmbedSeg paper, section 3).

    Maps (B, channels, [D,] H, W) to (B, sum(classes), [D,] H, W). All sizes must be multiples of ``multiple``.

    Args:
        channels: of the image.
        classes: output channels of each decoder: EmbedSeg has an offset and a bandwidth for each axis, then the seed.
        dimensions: 2 for images, 3 for volumes.
        widths: channels of the maps of a half, a quarter and an eighth of the image's size.
    """

    multiple = 8

    def __init__(
        self,
        channels: int,
        classes: tuple[int, ...],
        dimensions: int,
        widths: tuple[int, int, int] = (16, 64, 128),
    ) -> None:
        super().__init__()
        self.encoder = _encoder(channels, dimensions, widths)
        self.decoders = nn.ModuleList(_decoder(count, dimensions, widths) for count in classes)

    def forward(self, image: Tensor) -> Tensor:
        features = self.encoder(image)
        outputs: list[Tensor] = []
        for decoder in self.decoders:
            outputs.append(decoder(features))
        return torch.cat(outputs, dim=1)
