"""The convolutional U-Net of InstanSeg (Goldsborough et al. 2024, section 2.3)."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
from torch import Tensor, nn

from ...layers.blocks import DecoderBlock, EncoderBlock, conv_norm, final_norm
from ...layers.strips import add_rows, cut_strip, join_rows, own_rows, strip_count, strips_of_level, take_rows
from .spec import UNetSpec

__all__ = ["UNet"]


class Decoder(nn.Module):
    """Brings the coarsest features back to full resolution and maps them to output channels.

    Args:
        layers: channels of each level, from full resolution to the coarsest.
        heads: output channels of each final block.
        norm: the normalisation after each convolution.
    """

    def __init__(self, layers: tuple[int, ...], heads: tuple[int, ...], norm: str) -> None:
        super().__init__()
        fine, coarse = layers[-2::-1], layers[:0:-1]
        self.decoder = nn.ModuleList(DecoderBlock(c, f, f, norm) for c, f in zip(coarse, fine, strict=True))
        self.strips = [0 for _ in fine]
        self.strips_of_inference = [strips_of_level(level, norm) for level in range(len(fine))][::-1]
        self.final_block = nn.ModuleList(conv_norm(layers[0], head, 1, final_norm(norm)) for head in heads)

    def prepare_for_inference(self) -> None:
        """Have blocks work on strips of rows, see :mod:`.strips`: statistics of batches need whole images."""
        self.strips = self.strips_of_inference

    def forward(self, features: list[Tensor]) -> Tensor:
        """Decode; the features are taken out of the list as they are used, so that their memory is free again."""
        x = features.pop()
        for level, block in enumerate(self.decoder):
            skip = features.pop()
            rows = skip.shape[2]
            count = strip_count(rows, self.strips[level])
            parts: list[Tensor] = []
            for place in range(count):
                strip = cut_strip(rows, count, place)
                if count == 1:
                    part = block(x, skip)
                else:
                    part = block(
                        take_rows(x, strip.start // 2, strip.end // 2), take_rows(skip, strip.start, strip.end)
                    )
                    part = own_rows(part, strip)
                # The heads see one pixel at a time; after them, a strip's result is small.
                part = self.heads(part) if level == len(self.decoder) - 1 else part
                if count == 1:
                    parts.append(part)
                else:
                    add_rows(parts, part, strip.first, rows)
            x = join_rows(parts)
        return self.heads(x) if len(self.decoder) == 0 else x

    def heads(self, x: Tensor) -> Tensor:
        outputs: list[Tensor] = []
        for final in self.final_block:
            outputs.append(final(x))
        return torch.cat(outputs, dim=1)


class UNet(nn.Module):
    """An encoder whose features several decoders share.

    Maps (B, in_channels, H, W) to (B, out_channels, H, W), the outputs of all heads of all decoders one after another.
    H and W must be multiples of 2 to the power of ``len(spec.layers) - 1``.

    Args:
        spec: the network's description.
    """

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        inputs = (spec.in_channels, *spec.layers[:-1])
        self.encoder = nn.ModuleList(
            EncoderBlock(i, o, spec.norm, pool=level > 0, strips=strips_of_level(level, spec.norm))
            for level, (i, o) in enumerate(zip(inputs, spec.layers, strict=True))
        )
        self.decoders = nn.ModuleList(Decoder(spec.layers, heads, spec.norm) for heads in spec.heads)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def encode(self, x: Tensor) -> list[Tensor]:
        """Return the features of each level, from full resolution to the coarsest."""
        features: list[Tensor] = []
        for block in self.encoder:
            x = block(x)
            features.append(x)
        return features

    def decode(self, features: list[Tensor]) -> Tensor:
        """Return the outputs of all decoders, one after another."""
        outputs: list[Tensor] = []
        for place, decoder in enumerate(self.decoders):
            outputs.append(decoder(features if place == len(self.decoders) - 1 else features.copy()))
        return torch.cat(outputs, dim=1)
