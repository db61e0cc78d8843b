"""IAUNet: a U-Net whose decoder feeds object queries (Prytula 2025, University of Tartu; CVMI workshop, CVPR 2025)."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import QueryBlock, sine_positions
from .resnet import ResNet
from .spec import IAUNetSpec, ResNetSpec
from .swin import Swin

__all__ = ["IAUNetNetwork"]


def _separable(inputs: int, outputs: int) -> nn.Sequential:
    """A 3 x 3 convolution of each channel, one across channels, norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs),
        nn.Conv2d(inputs, outputs, 1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class SqueezeExcitation(nn.Module):
    """Weighs channels by what the whole map says of them (Hu et al. 2018), with half as many hidden units."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // 2)
        self.fc2 = nn.Linear(channels // 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean(dim=(2, 3))))))
        return x * weights[:, :, None, None]


def _conv_norm_relu(channels: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]


class PixelDecoderLevel(nn.Module):
    """One level of the pixel decoder (thesis, section 3.4): main features and mask features.

    Args:
        skip: channels of the encoder's map.
        dim: channels of the decoder.
        first: whether nothing comes from below.
    """

    def __init__(self, skip: int, dim: int, first: bool) -> None:
        super().__init__()
        inputs = 2 + dim if first else 2 + 2 * dim
        self.skip = nn.Conv2d(skip, dim, 1)
        self.conv1 = _separable(inputs, dim)
        self.conv2 = _separable(dim, dim)
        self.shortcut = nn.Conv2d(inputs, dim, 1)
        self.excitation = SqueezeExcitation(dim)
        self.mask_branch = nn.Sequential(*_conv_norm_relu(dim), *_conv_norm_relu(dim))

    def forward(self, below: Tensor, encoded: Tensor) -> Tensor:
        """Return the main features.

        Args:
            below: (B, dim, H, W) from the level below, at this level's size; no channels in the first level.
            encoded: (B, skip, H, W) from the encoder.
        """
        skip = self.skip(encoded)
        x = torch.cat([_coordinates(skip), below, skip], dim=1)
        main: Tensor = self.excitation(self.conv2(self.conv1(x)) + self.shortcut(x))
        return main


def _scaled(place: Tensor, size: int) -> Tensor:
    last = torch.full([1], size - 1, dtype=torch.float32, device=place.device).clamp(min=1.0)
    return place.to(torch.float32) * 2.0 / last - 1.0


def _coordinates(like: Tensor) -> Tensor:
    """Return columns and rows from -1 to 1, (B, 2, H, W): CoordConv (Liu et al. 2018)."""
    height, width = like.shape[2], like.shape[3]
    place = torch.arange(height * width, device=like.device)
    row = torch.div(place, width, rounding_mode="floor")
    both = torch.stack([_scaled(place - row * width, width), _scaled(row, height)]).view(1, 2, height, width)
    return _repeat(both, like.shape[0])


def _repeat(x: Tensor, times: int) -> Tensor:
    """Repeat (1, ...) along the first dimension; an expansion would make the exporter exclude one time."""
    return x.index_select(0, torch.zeros([times], dtype=torch.int64, device=x.device))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, size=[x.shape[2] * 2, x.shape[3] * 2], mode="bilinear", align_corners=True)


class IAUNetNetwork(nn.Module):
    """Maps images to masks and classes of object queries.

    Attributes:
        multiple: H and W must be multiples of this.

    Args:
        spec: the network's description. The weights are random until they are loaded.
    """

    multiple: int

    def __init__(self, spec: IAUNetSpec) -> None:
        super().__init__()
        self.multiple = 32
        self.dim = spec.dim
        self.blocks_per_level = spec.blocks_per_level
        encoder = spec.encoder
        self.encoder: nn.Module
        if isinstance(encoder, ResNetSpec):
            self.encoder = ResNet(spec.channels, encoder.depths)
        else:
            self.encoder = Swin(spec.channels, encoder.dim, encoder.depths, encoder.heads, encoder.window)
        widths: list[int] = self.encoder.widths
        coarse_to_fine = widths[:0:-1]
        self.levels = nn.ModuleList(
            PixelDecoderLevel(width, spec.dim, first=level == 0) for level, width in enumerate(coarse_to_fine)
        )
        self.lateral = nn.Sequential(nn.Conv2d(widths[0], spec.dim, 1), nn.BatchNorm2d(spec.dim))
        self.pixel_embedding = nn.Sequential(*_conv_norm_relu(spec.dim))
        self.blocks = nn.ModuleList(
            QueryBlock(spec.dim, spec.heads, spec.hidden) for _ in range(len(self.levels) * spec.blocks_per_level)
        )
        self.query_features = nn.Parameter(torch.randn(spec.queries, spec.dim))
        self.query_places = nn.Parameter(torch.randn(spec.queries, spec.dim))
        self.query_norm = nn.LayerNorm(spec.dim)
        self.class_head = nn.Linear(spec.dim, len(spec.classes) + 1)
        self.mask_head = nn.Linear(spec.dim, spec.dim)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Predict a mask and a class for each query.

        Args:
            image: (B, C, H, W) float32, normalised; H and W multiples of 32.

        Returns:
            logits of masks (B, Q, H / 4, W / 4), and of classes (B, Q, K + 1), the last of which is "no object".
        """
        queries, embedding = self.refine(image)
        return self.predict(queries[-1], embedding)

    @torch.jit.unused
    def predictions(self, image: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return what :meth:`forward` does after each block, for deep supervision in training."""
        queries, embedding = self.refine(image)
        return [self.predict(state, embedding) for state in queries]

    def refine(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the queries after each block, (B, Q, dim), and the pixel embeddings at 1/4."""
        maps: list[Tensor] = self.encoder(image)
        features, embedding = self.decode_pixels(maps)
        queries = _repeat(self.query_features[None], image.shape[0])
        states: list[Tensor] = []
        for step, block in enumerate(self.blocks):
            pixels = features[step // self.blocks_per_level]
            positions = sine_positions(pixels.shape[2], pixels.shape[3], self.dim, pixels.device)
            flat = pixels.flatten(2).transpose(1, 2).contiguous()
            queries = block(queries, self.query_places, flat, flat + positions)
            states.append(queries)
        return states, embedding

    def decode_pixels(self, maps: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return the mask features of each level, from coarse to fine, and the pixel embeddings at 1/4."""
        coarsest = maps[-1]
        main = coarsest[:, :0]
        mask = coarsest[:, :0]
        features: list[Tensor] = []
        for step, level in enumerate(self.levels):
            if step == 0:
                main = level(main, coarsest)
                mask = level.mask_branch(main)  # type: ignore[operator]
            else:
                main = level(_twice(main), maps[len(maps) - 1 - step])
                mask = level.mask_branch(_twice(mask) + main)  # type: ignore[operator]
            features.append(mask)
        fine = maps[0]
        upsampled = F.interpolate(mask, size=[fine.shape[2], fine.shape[3]], mode="bilinear", align_corners=False)
        embedding: Tensor = self.pixel_embedding(self.lateral(fine) + upsampled)
        return features, embedding

    def predict(self, queries: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of masks and classes; see :meth:`forward`."""
        queries = self.query_norm(queries)
        masks = torch.matmul(self.mask_head(queries), embedding.flatten(2))
        classes: Tensor = self.class_head(queries)
        return masks.view(masks.shape[0], masks.shape[1], embedding.shape[2], embedding.shape[3]), classes
