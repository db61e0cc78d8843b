"""The networks that have SAM's image encoder in them, and what each puts around it to get back to full resolution."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backbone_spec import CellposeSamSpec, CellSamSpec, SamEncoderSpec, SamUNetSpec
from .sam_encoder import SamEncoder
from .unet import UNet

__all__ = ["CellSam", "CellposeSam", "SamUNet"]


class PatchReadout(nn.Module):
    """Reads the pixels of a patch from its token by one linear layer (Pachitariu et al. 2025, Cellpose-SAM).

    Maps (B, in_channels, size, size) to (B, channels, size, size).

    Args:
        spec: of the encoder.
        channels: of the output.
    """

    def __init__(self, spec: SamEncoderSpec, channels: int) -> None:
        super().__init__()
        self.patch = spec.patch
        self.encoder = SamEncoder(spec)
        self.out = nn.Conv2d(spec.neck, channels * spec.patch**2, 1)

    def forward(self, image: Tensor) -> Tensor:
        return F.pixel_shuffle(self.out(self.encoder(image)), self.patch)


class CellposeSam(PatchReadout):
    """The encoder and its readout, nothing else."""

    def __init__(self, spec: CellposeSamSpec) -> None:
        super().__init__(spec.vit, spec.out_channels)


class SamUNet(UNet):
    """InstanSeg's U-Net with the encoder at its bottom: the coarsest features pass through it before they are decoded.

    Maps (B, in_channels, window, window) to (B, out_channels, window, window).
    """

    def __init__(self, spec: SamUNetSpec) -> None:
        super().__init__(spec)
        self.vit = PatchReadout(spec.vit, spec.layers[-1])

    def forward(self, x: Tensor) -> Tensor:
        features = self.encode(x)
        features[-1] = self.vit(features[-1])
        return self.decode(features)


class CellSam(nn.Module):
    """SAM's encoder as it was trained, and two transposed convolutions behind it (thesis, section 4.6).

    Maps (B, in_channels, window, window) to (B, out_channels, window, window): the image is enlarged to the size on
    which SAM was trained, and the result, which has a quarter of that size, brought back to the image's.
    """

    def __init__(self, spec: CellSamSpec) -> None:
        super().__init__()
        self.window = spec.window
        self.size = spec.vit.size
        self.image_encoder = SamEncoder(spec.vit)
        self.mask_decoder = nn.Sequential(
            nn.BatchNorm2d(spec.vit.neck),
            nn.ReLU(),
            nn.ConvTranspose2d(spec.vit.neck, spec.hidden, 3, stride=2, padding=1, output_padding=1, bias=False),
            nn.BatchNorm2d(spec.hidden),
            nn.ReLU(),
            nn.ConvTranspose2d(spec.hidden, spec.out_channels, 3, stride=2, padding=1, output_padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.mask_decoder(self.image_encoder(self.resize(image, self.size)))
        return self.resize(features, self.window)

    def resize(self, x: Tensor, size: int) -> Tensor:
        # F.interpolate would bring operators along that libtorch 2.0 does not know.
        resized: Tensor = torch.ops.aten.upsample_bilinear2d(x, [size, size], False, None, None)
        return resized
