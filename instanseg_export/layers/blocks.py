"""The convolution blocks of U-Nets and of networks like them."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
from torch import Tensor, nn

from .strips import add_rows, cut_strip, join_rows, own_rows, strip_count, take_rows

__all__ = ["DecoderBlock", "EncoderBlock", "InstanceNorm", "conv_norm", "conv_norm_relu", "final_norm"]


class InstanceNorm(nn.Module):
    """Instance normalisation with learned scale and shift, by the statistics of each image and channel.

    As ``nn.InstanceNorm2d(affine=True)``, but it also accepts planes of a single pixel, which the coarsest level of a
    deep network has on a small image (there the result is the shift).

    Args:
        channels: of its input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_scripting():
            return self.fused(x)
        else:
            # Not `elif`: TorchScript leaves only this branch uncompiled.
            return self.in_two_passes(x) if torch.compiler.is_exporting() else self.fused(x)

    def fused(self, x: Tensor) -> Tensor:
        return torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.0, 1e-5, False)

    def in_two_passes(self, x: Tensor) -> Tensor:
        """Compute the same from basic operators.

        ONNX Runtime's own operator takes the variance as the mean square less the squared mean, which leaves two or
        three right digits where an image is mostly flat background. Rows are summed first, so that sums stay short; a
        mean of means is what OpenVINO would turn into one long sum.
        """
        rows = x.shape[2]
        centred = x - x.mean(dim=3, keepdim=True).sum(dim=2, keepdim=True) / rows
        variance = (centred * centred).mean(dim=3, keepdim=True).sum(dim=2, keepdim=True) / rows
        scale = self.weight[:, None, None] * torch.rsqrt(variance + 1e-5)
        return centred * scale + self.bias[:, None, None]


def conv_norm(in_channels: int, out_channels: int, kernel: int, norm: str) -> nn.Sequential:
    """Return a same-size convolution and its normalisation ("batch", "instance" or "none")."""
    layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)]
    if norm == "batch":
        layers.append(nn.BatchNorm2d(out_channels))
    elif norm == "instance":
        layers.append(InstanceNorm(out_channels))
    return nn.Sequential(*layers)


def conv_norm_relu(in_channels: int, out_channels: int, kernel: int, norm: str) -> nn.Sequential:
    """Return :func:`conv_norm` followed by a ReLU."""
    return conv_norm(in_channels, out_channels, kernel, norm).append(nn.ReLU(inplace=True))


def final_norm(norm: str) -> str:
    """Return the normalisation of a last, linear block: instance norm would erase its offset, so it has none."""
    return "none" if norm == "instance" else norm


def _add_in_place(x: Tensor, term: Tensor) -> Tensor:
    # At full resolution every feature map counts.
    return x.add_(term)


class EncoderBlock(nn.Module):
    """One level of an encoder: five convolutions with two residual connections, after halving the size.

    As built it is plain and can be trained; :meth:`prepare_for_inference` has it save memory.

    Args:
        in_channels, out_channels: of the block.
        norm: the normalisation after each convolution.
        pool: whether the input is halved first by a 2 x 2 maximum.
        strips: of rows that inference works on, see :func:`.strips.strips_of_level`.
    """

    __constants__ = ("in_place",)

    def __init__(self, in_channels: int, out_channels: int, norm: str, pool: bool, strips: int = 0) -> None:
        super().__init__()
        self.in_place = False
        self.strips = 0
        self.strips_of_inference = strips
        self.maxpool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.conv0 = conv_norm_relu(in_channels, out_channels, 1, norm)
        self.conv1 = conv_norm_relu(in_channels, out_channels, 3, norm)
        self.conv2 = conv_norm_relu(out_channels, out_channels, 3, norm)
        self.conv3 = conv_norm_relu(out_channels, out_channels, 3, norm)
        self.conv4 = conv_norm_relu(out_channels, out_channels, 3, norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def encode(self, x: Tensor) -> Tensor:
        x = self.maxpool(x)
        rows = x.shape[2]
        count = strip_count(rows, self.strips)
        if count == 1:
            return self.convolve(x)
        parts: list[Tensor] = []
        for place in range(count):
            strip = cut_strip(rows, count, place)
            part = self.convolve(take_rows(x, strip.start, strip.end))
            add_rows(parts, own_rows(part, strip), strip.first, rows)
        return join_rows(parts)

    def convolve(self, x: Tensor) -> Tensor:
        shortcut = self.conv0(x)
        x = self.add(self.conv2(self.conv1(x)), shortcut)
        refined: Tensor = self.add(self.conv4(self.conv3(x)), x)
        return refined

    def add(self, x: Tensor, term: Tensor) -> Tensor:
        return _add_in_place(x, term) if self.in_place else x + term

    def prepare_for_inference(self) -> None:
        """Work on strips of rows, and write sums into one of their terms, which backpropagation still needs."""
        self.in_place = True
        self.strips = self.strips_of_inference


class DecoderBlock(nn.Module):
    """One level of a decoder: doubles the size, adds the encoder's features of that level, and refines.

    As built it is plain and can be trained; :meth:`prepare_for_inference` has it save memory.

    Args:
        in_channels: of the coarser features.
        skip_channels: of the encoder's features.
        out_channels: of the result.
        norm: the normalisation after each convolution.
    """

    __constants__ = ("in_place",)

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.in_place = False
        self.conv0 = conv_norm_relu(in_channels, out_channels, 1, norm)
        self.conv_skip = conv_norm_relu(skip_channels, out_channels, 1, norm)
        self.conv1 = conv_norm_relu(in_channels, out_channels, 3, norm)
        self.conv2 = conv_norm_relu(out_channels, out_channels, 3, norm)
        self.conv3 = conv_norm_relu(out_channels, out_channels, 3, norm)
        self.conv4 = conv_norm_relu(out_channels, out_channels, 3, norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.decode(x, skip)

    def decode(self, x: Tensor, skip: Tensor) -> Tensor:
        # In this order, fewest feature maps are alive at a time.
        fine = self.add(self.conv1(self.enlarge(x)), self.conv_skip(skip))
        fine = self.conv2(fine)
        # A 1 x 1 convolution sees one pixel, so it may go before the doubling, where it has a quarter of the work.
        fine = self.add(fine, self.enlarge(self.conv0(x)))
        refined: Tensor = self.add(self.conv4(self.conv3(fine)), fine)
        return refined

    def add(self, x: Tensor, term: Tensor) -> Tensor:
        return _add_in_place(x, term) if self.in_place else x + term

    def prepare_for_inference(self) -> None:
        """Write sums into one of their terms, which backpropagation still needs."""
        self.in_place = True

    def enlarge(self, x: Tensor) -> Tensor:
        # F.interpolate would bring operators along that libtorch 2.0 does not know.
        enlarged: Tensor = torch.ops.aten.upsample_nearest2d(x, None, [2.0, 2.0])
        return enlarged
